"""Every chapter has exercises, and their folded solutions ran when the book was built."""

import json
import re

import pytest

from harness.paths import BUILD, NOTEBOOKS

CHAPTERS = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def cells(path):
    return [
        (c, "".join(c["source"]), c["metadata"].get("tags", []))
        for c in json.loads(path.read_text(encoding="utf-8"))["cells"]
    ]


def test_the_book_has_twelve_chapters():
    assert [chapter[:2] for chapter in CHAPTERS] == [f"{n:02d}" for n in range(1, 13)]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_exercises_are_numbered_and_each_has_a_folded_solution_that_checks_itself(chapter):
    every = cells(NOTEBOOKS / f"{chapter}.ipynb")
    tasks = [k for k, (_, _, tags) in enumerate(every) if "exercise" in tags]
    assert 2 <= len(tasks) <= 3
    for number, at in enumerate(tasks, start=1):
        assert re.match(rf":::\{{admonition\}} Exercise {int(chapter[:2])}\.{number}: \S", every[at][1])
        solution, code, tags = every[at + 1]
        assert solution["cell_type"] == "code" and {"solution", "hide-cell"} <= set(tags)
        assert solution["metadata"]["mystnb"]["code_prompt_show"] == "Show the solution"
        assert re.search(r"^(    )?assert ", code, re.M)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_solutions_ran_on_the_page(chapter):
    """`make test` builds the book first."""
    solutions = [cell for cell, _, tags in cells(BUILD / "executed" / f"{chapter}.ipynb") if "solution" in tags]
    assert len(solutions) >= 2
    for cell in solutions:
        assert cell["execution_count"] and cell["outputs"]
        assert not any(output["output_type"] == "error" for output in cell["outputs"])


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_its_four_parts_in_order(chapter):
    """A cell writes the findings, so that title may be in code."""
    text = "\n".join(source for _, source, _ in cells(NOTEBOOKS / f"{chapter}.ipynb"))
    places = [
        text.find(part)
        for part in ("**What you will learn**", "## What we found", "## Exercises", "## What to read next")
    ]
    assert -1 not in places and places == sorted(places)
