"""The page of benchmarks."""

import json

import pytest

from harness.errors import DataError
from harness.publish import bench_page as benchmarks
from harness.store import read_json

ROW = {"what": "align", "seconds": 0.0123, "against": "pYIN", "ratio": 0.2345, "note": "x"}
MEASURED = ["placement", "tagging", "scoring", "runs", "engines", "higgs", "server", "book"]
HOSTILE = "a|b <script>alert(1)</script> {{ x }} `y` [z](javascript:1)\n| new | row |"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmarks, "HERE", tmp_path / "bench.json")
    return tmp_path / "bench.json"


def group(title, row):
    day = {"created": "2026-11-23T00:00:00+00:00", "git_revision": "abcdef0123"}
    return {"name": "g", "title": title, **day, "rows": [row]}


def file(**changes):
    return {
        "schema": benchmarks.SCHEMA, "machine": "x86, 2 cores", "packages": {}, "groups": [group("Scores", ROW)], **changes,
    }  # fmt: skip


def test_the_published_benchmarks_are_shown_with_their_machine(here):
    assert [group["name"] for group in read_json(benchmarks.PUBLISHED)["groups"]] == MEASURED, (
        "make bench ARGS=--publish"
    )
    page = benchmarks.tables()
    assert "the machine of the last publication" in page and "cores" in page


def test_without_benchmarks_the_page_says_how_to_get_them(here, monkeypatch):
    monkeypatch.setattr(benchmarks, "PUBLISHED", here)
    assert benchmarks.tables() == "Not run here. To measure: `make bench`.\n"


def test_measurements_of_this_machine_are_preferred(here):
    here.write_text(json.dumps(file()))
    assert "| align | 12.3 ms | 0.234 × | pYIN | x |" in benchmarks.tables().replace("\N{NO-BREAK SPACE}", " ")
    assert "this machine: x86\\, 2 cores." in benchmarks.tables()
    assert "2026\\-11\\-23, revision abcdef0." in benchmarks.tables()


def test_text_of_the_file_is_not_markup(here):
    from markdown_it import MarkdownIt

    row = {**ROW, "what": HOSTILE, "against": HOSTILE, "note": HOSTILE}
    here.write_text(json.dumps(file(machine=HOSTILE, groups=[group(HOSTILE, row)])))
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(benchmarks.tables())
    assert sum(token.type == "tr_open" for token in tokens) == 2
    assert "{{" not in benchmarks.tables()
    assert not [token for token in tokens if token.type == "html_block"]
    children = [child for token in tokens if token.type == "inline" for child in token.children]
    assert {child.type for child in children} <= {"text", "text_special", "softbreak"}


def test_a_file_of_another_schema_is_refused(here):
    here.write_text(json.dumps(file(schema="harness.bench/1")))
    with pytest.raises(DataError, match=r"bench\.json: the schema must be 'harness.bench/2', got 'harness.bench/1'"):
        benchmarks.tables()
