import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from harness.errors import DataError
from harness.paths import NOTEBOOKS, ROOT
from harness.publish import execute as execution
from harness.publish import hosting, numbers
from harness.publish import stage as staging
from harness.publish.sources import code_dependencies


def names(notebook):
    return {str(path.relative_to(ROOT)) for path in code_dependencies(NOTEBOOKS / notebook)}


def test_a_page_depends_on_the_code_it_imports_and_on_nothing_else():
    placement, audio, loading = (
        names(f"{one}.ipynb") for one in ("07_tag_placement", "10_audio_prosody", "01_loading")
    )
    assert {"harness/placement.py", "harness/taggers/gpt2/slot_logits.py", "harness/publish/run.py"} <= placement
    assert {"harness/prosody/leak.py", "harness/engines/espeak.py", "harness/experiment/unit.py"} <= audio
    assert "harness/higgs/probe.py" in loading and "harness/experiment/unit.py" not in loading
    assert not any(path.startswith("harness/cli") for path in placement | audio | loading)


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """Make a folder with one small chapter, and separate build folders; return a function that rewrites its code."""
    books = tmp_path / "notebooks"
    (books / "parameters").mkdir(parents=True)
    for profile in ("ci", "full"):
        (books / "parameters" / f"{profile}.yaml").write_text(f"profile: {profile}\n")
    for module in ("parameters", "stage"):
        monkeypatch.setattr(f"harness.publish.{module}.NOTEBOOKS", books)
    monkeypatch.setattr("harness.publish.numbers.NOTEBOOKS", books)
    monkeypatch.setattr("harness.publish.run.RESULTS", tmp_path / "results")
    monkeypatch.setattr(execution, "REPORTS", tmp_path / "reports")

    def write(code):
        cell = 'profile: str = "ci"  # Size {ci, full}\nnumber: int = 1  # A number [0..9]'
        notebook = nbformat.v4.new_notebook(
            cells=[
                nbformat.v4.new_markdown_cell("# Title"),
                nbformat.v4.new_code_cell(cell, metadata={"tags": ["parameters"]}),
                nbformat.v4.new_code_cell(code),
            ],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(notebook, books / "01_small.ipynb")

    write("print('number', number)")
    return write


@pytest.mark.notebook
def test_a_failure_leaves_the_good_page_and_names_the_cell(chapter, tmp_path):
    output = tmp_path / "executed" / "01_small.ipynb"
    execution.execute("01", {"number": 7}, output)
    good = output.read_text()
    assert "number 7" in good
    chapter("raise ValueError('no luck')")
    with pytest.raises(execution.ChapterFailed, match="ValueError: no luck") as caught:
        execution.execute("01", {}, output)
    assert output.read_text() == good
    assert caught.value.exit_code == 1 and Path(caught.value.remedy.split(": ")[1]).is_file()


def test_wrong_parameters_stop_before_the_kernel_starts(chapter, tmp_path):
    for values in ({"numbr": 1}, {"number": "x"}, {"number": 11}):
        with pytest.raises(execution.ParameterError):
            execution.execute("01", values, tmp_path / "out.ipynb")
    assert not (tmp_path / "reports").exists()


@pytest.mark.notebook
def test_plain_papermill_with_an_unknown_parameter_fails_at_once(tmp_path):
    papermill = Path(sys.executable).parent / "papermill"
    source, out = NOTEBOOKS / "07_tag_placement.ipynb", tmp_path / "out.ipynb"
    command = [papermill, source, out, "-p", "taggr", "rules", "--cwd", ROOT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0 and "chapter 07_tag_placement has no parameter 'taggr'" in done.stderr
    executed = [cell for cell in nbformat.read(out, 4).cells if cell.get("execution_count")]
    assert len(executed) <= 3


def test_staging_writes_only_what_changed(chapter, tmp_path, monkeypatch):
    book = tmp_path / "book"
    book.mkdir()
    (book / "index.md").write_text("# Home")
    (book / "old.md").write_text("# Old")
    monkeypatch.setattr(staging, "BOOK", book)
    monkeypatch.setattr(staging, "STAGE", tmp_path / "stage")
    monkeypatch.setattr(staging, "EXECUTED", tmp_path / "executed")
    assert len(staging.stage()) == 2
    (book / "old.md").unlink()
    (book / "new.md").write_text("# New")
    assert {path.name for path in staging.stage()} == {"old.md", "new.md"}
    assert staging.stage() == []
    assert not (tmp_path / "stage" / "old.md").exists()


def test_numbers_are_gathered_from_the_profiles_runs_only(chapter, tmp_path, monkeypatch):
    from harness.publish.run import ChapterRun

    monkeypatch.setattr(numbers, "COLLECTED", tmp_path / "numbers.json")
    monkeypatch.setattr(numbers, "QUICKSTART", tmp_path / "none")
    with pytest.raises(DataError, match="chapter 01 has not been run"):
        numbers.collect()
    ChapterRun("01_small", {"profile": "ci", "number": 1}).numbers(figure="1")
    ChapterRun("01_small", {"profile": "ci", "number": 2}).numbers(figure="2")
    assert numbers.collect() == numbers.load(tmp_path / "numbers.json") == {"ch01": {"figure": "1"}}


@pytest.mark.parametrize(
    ("origin", "url"),
    [
        ("https://github.com/someone/book.git", "https://github.com/someone/book"),
        ("git@github.com:someone/book.git", "https://github.com/someone/book"),
        ("/srv/git/book.git", ""),
    ],
)
def test_links_point_to_where_the_project_is_hosted(monkeypatch, origin, url):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    monkeypatch.setattr(
        hosting.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 0, stdout=origin + "\n")
    )
    assert hosting.repository_url() == url
    monkeypatch.setenv("GITHUB_REPOSITORY", "a/b")
    assert hosting.repository_url() == "https://github.com/a/b"
