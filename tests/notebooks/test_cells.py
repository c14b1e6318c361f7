"""Chapters teach with their code: most of it is visible, and no cell is long."""

import json

import pytest

from harness.paths import NOTEBOOKS

CHAPTERS = sorted(NOTEBOOKS.glob("*.ipynb"))
HIDDEN = {"hide-input", "hide-cell", "remove-cell"}
LONGEST = 25  # lines of a cell


def code_cells(chapter):
    """Yield the lines and tags of each code cell, without parameters and solutions."""
    for cell in json.loads(chapter.read_text(encoding="utf-8"))["cells"]:
        tags = set(cell["metadata"].get("tags", ()))
        if cell["cell_type"] == "code" and not tags & {"parameters", "solution"}:
            yield "".join(cell["source"]).splitlines(), tags


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_visible_cells_are_short(chapter):
    lengths = [len(lines) for lines, tags in code_cells(chapter) if not tags & HIDDEN]
    assert max(lengths) <= LONGEST


@pytest.mark.parametrize("chapter", CHAPTERS[:-1], ids=lambda path: path.stem)
def test_at_least_two_lines_are_visible_for_each_hidden_one(chapter):
    """In every chapter but the ledger of claims."""
    counts = [0, 0]
    for lines, tags in code_cells(chapter):
        counts[bool(tags & HIDDEN)] += sum(bool(line.strip()) for line in lines)
    assert counts[0] >= 2 * counts[1]
