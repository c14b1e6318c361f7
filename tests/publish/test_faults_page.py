"""The table of faults on its page."""

import json

import pytest

from harness.errors import DataError
from harness.publish import stage as staging

ROW = {
    "fault": "503",
    "server": "status 503, once",
    "outcome": "",
    "requests": 2,
    "waited": 0.7,
    "seconds": 0.1,
    "message": "",
}
HOSTILE = "a|b <script>alert(1)</script> {{ ch09.words }} `x` [y](z) **w** $1$ {doc}`index`\n| new row | \\| # h &amp; _i_ ~~s~~"


@pytest.fixture
def book(tmp_path, monkeypatch):
    (tmp_path / "book" / "reference").mkdir(parents=True)
    (tmp_path / "book" / "reference" / "faults.md").write_text("# Faults\n\n```{include} faults_table.md\n```\n")
    for name in ("book", "stage", "executed"):
        monkeypatch.setattr(staging, name.upper(), tmp_path / name)
    monkeypatch.setattr(staging, "FAULTS", tmp_path / "faults.json")
    return tmp_path


def write(folder, *rows, schema="harness.faults/1"):
    (folder / "faults.json").write_text(json.dumps({"schema": schema, "rows": rows}))


def test_the_table_is_staged_with_its_page(book):
    write(book, ROW, {**ROW, "fault": "401", "requests": 1, "waited": 0, "message": "127.0.0.1: answered 401"})
    assert len(staging.stage()) == 2
    table = (book / "stage" / "reference" / "faults_table.md").read_text()
    assert table.startswith("2 faults were tried: 1 ended in speech, 1 in one explained failure.\n\n| fault |")
    assert "| 503 | status 503\\, once | 2 | 0.7 | speech\\, after 2 requests |" in table
    assert staging.stage() == []
    write(book, ROW)
    assert [path.name for path in staging.stage()] == ["faults_table.md"]


def test_messages_are_not_markup(book):
    from markdown_it import MarkdownIt

    write(book, {**ROW, "message": HOSTILE})
    staging.stage()
    table = (book / "stage" / "reference" / "faults_table.md").read_text()
    assert "{{" not in table
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(table)
    assert sum(token.type == "tr_open" for token in tokens) == 2
    *_, cell = [token for token in tokens if token.type == "inline"]
    assert {child.type for child in cell.children} <= {"text", "text_special"}
    assert "".join(child.content for child in cell.children) == " ".join(HOSTILE.split())


@pytest.mark.parametrize("content", [None, {"schema": "harness.faults/1", "rows": []}])
def test_without_results_it_says_how_to_get_them(book, content):
    if content is not None:
        (book / "faults.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"faults\.json: .*run: \.venv/bin/doit faults"):
        staging.stage()
