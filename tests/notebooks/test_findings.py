"""What the pages found is plain text: a cell picks whole sentences by a predicate, never parts of one inside the text."""

import ast
import json

import pytest

from harness.paths import NOTEBOOKS


def found_cells(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return [source for source in sources if "## What we found" in source]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_findings_have_no_condition_inside_the_text(path):
    [source] = found_cells(path)
    texts = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.JoinedStr)]
    assert texts and not any(isinstance(part, ast.IfExp) for text in texts for part in ast.walk(text))
