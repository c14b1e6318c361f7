import json

import pytest

from harness.errors import DataError, HarnessError
from harness.paths import NOTEBOOKS
from harness.publish.execute import parse_arguments
from harness.publish.parameters import (
    ParameterError,
    check_values,
    declared,
    notebook_path,
    parse_declarations,
    profile_values,
)
from harness.publish.run import ChapterRun, begin, results_folder
from harness.publish.stage import parameter_box, with_box

CELL = """
profile: str = "ci"  # Size of the run {ci, full}
tagger: str = "gpt2"  # Which tagger {gpt2, rules}
epochs: int = 3  # Passes over the data [1..50]
rate: float = 0.1  # Learning rate [0..1]
leaks: bool = True  # Whether to listen
"""


@pytest.fixture
def parameters(tmp_path):
    return parse_declarations(CELL, tmp_path / "n.ipynb")


def test_declarations_are_read(parameters):
    assert list(parameters) == ["profile", "tagger", "epochs", "rate", "leaks"]
    assert parameters["tagger"].choices == ("gpt2", "rules") and parameters["tagger"].meaning == "Which tagger"
    assert (parameters["epochs"].low, parameters["epochs"].high, parameters["epochs"].allowed) == (1, 50, "1 to 50")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"taggr": "rules"}, "no parameter 'taggr'"),
        ({"tagger": "bert"}, "allowed: gpt2, rules"),
        ({"tagger": 3}, "must be of type str"),
        ({"epochs": "3"}, "must be of type int"),
        ({"epochs": 2.0}, "must be of type int"),
        ({"epochs": True}, "must be of type int"),
        ({"epochs": 0}, "allowed: 1 to 50"),
        ({"rate": 2}, "allowed: 0 to 1"),
        ({"leaks": 1}, "must be of type bool"),
        ({"profile": "big"}, "allowed: ci, full"),
    ],
)
def test_wrong_values_are_refused(parameters, values, message):
    with pytest.raises(ParameterError, match=message):
        check_values(parameters, values, "07")


def test_defaults_are_filled_in_and_whole_numbers_serve_as_floats(parameters):
    values = check_values(parameters, {"rate": 1}, "07")
    assert values == {"profile": "ci", "tagger": "gpt2", "epochs": 3, "rate": 1.0, "leaks": True}
    assert isinstance(values["rate"], float)


def test_a_profile_may_set_parameters_of_other_chapters(parameters, monkeypatch):
    monkeypatch.setattr("harness.publish.parameters.profile_values", lambda profile: {"profile": profile, "folds": 5})
    assert "folds" not in check_values(parameters, {"profile": "full", "folds": 5}, "07")
    with pytest.raises(ParameterError, match="no parameter 'folds'"):
        check_values(parameters, {"profile": "full", "folds": 6}, "07")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 3", "not a declaration"),
        ("x: int = 3", "no comment"),
        ("x: list = []  # Things", "has the type list"),
        ('x: int = "a"  # Number', "must be of type int"),
    ],
)
def test_a_sloppy_cell_is_refused(tmp_path, source, message):
    with pytest.raises((DataError, ParameterError), match=message):
        parse_declarations(source, tmp_path / "n.ipynb")


@pytest.mark.parametrize("notebook", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_notebook_declares_begins_and_is_free_of_outputs(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    assert next(iter(declared(notebook))) == "profile"
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code[0]["metadata"]["tags"] == ["parameters"]
    assert f'begin("{notebook.stem}", globals())' in "".join(code[1]["source"])
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    for profile in ("ci", "full"):
        check_values(declared(notebook), profile_values(profile), notebook.stem)


def test_chapters_are_found_by_number():
    assert notebook_path("07").name == notebook_path("07_tag_placement").name == "07_tag_placement.ipynb"
    with pytest.raises(HarnessError, match="07_tag_placement"):
        notebook_path("99")


def test_begin_checks_what_papermill_injected():
    run = begin("07", {"tagger": "rules", "_private": 3, "module": json, "begin": begin})
    assert run.chapter == "07_tag_placement" and run.parameters["tagger"] == "rules"
    with pytest.raises(ParameterError, match="no parameter 'taggr'"):
        begin("07", {"taggr": "rules"})


def test_each_set_of_parameters_has_its_own_folder(tmp_path, monkeypatch):
    assert results_folder("07", {"a": 1, "b": 2}) == results_folder("07", {"b": 2, "a": 1})
    assert len({results_folder("07", {"a": value}) for value in (1, 1.0, "1", True)}) == 4
    monkeypatch.setattr("harness.publish.run.RESULTS", tmp_path)
    ChapterRun("07", {"a": 1}).numbers(f1="0.50")
    [path] = tmp_path.rglob("numbers.json")
    assert json.loads(path.read_text()) == {"f1": "0.50"}


def test_arguments_are_read_as_papermill_reads_them():
    assert parse_arguments(["-p", "voice", ""]) == {"voice": ""}
    assert parse_arguments(["-p", "a", "3", "-p", "b", "true", "--parameters", "c", "x y"]) == {
        "a": 3,
        "b": True,
        "c": "x y",
    }
    for wrong in (["-p", "a"], ["a", "b", "c"], ["-r", "a", "b"]):
        with pytest.raises(ParameterError, match="not understood"):
            parse_arguments(wrong)


def test_a_hosted_project_says_where_else_a_page_runs(parameters, monkeypatch):
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "a/b")
    box = parameter_box(parameters, {}, "07_tag_placement")
    assert "https://mybinder.org/v2/gh/a/b/main?urlpath=lab/tree/notebooks/07_tag_placement.ipynb" in box
    assert "https://colab.research.google.com/github/a/b/blob/main/notebooks/07_tag_placement.ipynb" in box
    assert "!git clone --depth 1 https://github.com/a/b book" in box and "Neither was tried here" in box
    boson = parameter_box(parameters, {}, "08_higgs_engine", "boson")
    assert "mybinder" not in boson and "`make env`" in boson
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://git.example.org")
    assert "git clone" not in parameter_box(parameters, {}, "07_tag_placement")


def test_the_box_shows_every_parameter_and_a_line_to_paste(parameters):
    box = parameter_box(parameters, {"epochs": 9}, "07_tag_placement")
    assert "| `epochs` | int | Passes over the data | `3` | 1 to 50 | `9` |" in box
    assert "papermill notebooks/07_tag_placement.ipynb out.ipynb -p tagger rules" in box
    notebook = {
        "metadata": {"papermill": {"parameters": {"epochs": 9}}},
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": "# T"},
            {"cell_type": "code", "metadata": {"tags": ["parameters"], "papermill": {"duration": 1}}, "source": CELL},
        ],
    }
    page = with_box(notebook, parameters, "07_tag_placement")
    assert page["cells"][0]["source"].startswith("# T\n\n<nav class=")
    assert page["cells"][1]["source"] == box
    assert page["cells"][2]["metadata"]["tags"] == ["parameters", "remove-cell"]
    assert "papermill" not in json.dumps(page["metadata"]) + json.dumps(page["cells"][2]["metadata"])
    assert "papermill" in notebook["metadata"], "the executed notebook does not change"
