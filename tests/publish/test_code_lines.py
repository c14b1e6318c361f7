from harness.publish.code_lines import code_lines

SOURCE = '''"""Two lines
of docstring."""

import os  # counted


def twice(x):
    """Not counted."""
    # not counted
    text = """counted,
    both lines"""
    return 2 * x, text, os
'''


def test_lines_of_code_leave_out_comments_docstrings_and_blanks(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(SOURCE)
    assert code_lines(path) == 5  # import, def, text (2), return


def test_lines_of_a_function_are_counted_alike():
    def forward(labels=None):
        """A docstring is no line."""
        # nor is a comment

        return labels

    assert code_lines(forward) == 2
