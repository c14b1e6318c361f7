"""Result files from other machines: read if they match the schema, otherwise refused with file and field."""

import copy
import json

import pytest

from harness.errors import DataError
from harness.experiment.result_files import SCHEMA, load_controls, load_results, publish
from harness.store import read_json
from harness.tagged import TAGS


@pytest.fixture(scope="module")
def made(finished, tmp_path_factory):
    """Return the content of a real result file, of four sentences by espeak."""
    return read_json(publish(finished[0], tmp_path_factory.mktemp("made") / "elsewhere.json"))


def drop(folder, fields, name="mine.json"):
    (folder / name).write_text(fields if isinstance(fields, str) else json.dumps(fields))


def changed(made, where, value):
    fields = copy.deepcopy(made)
    *path, last = where
    inner = fields
    for key in path:
        inner = inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return fields


def test_a_result_file_is_read_with_its_provenance(made, tmp_path):
    drop(tmp_path, made)
    result = load_results(tmp_path)["mine"]
    assert result.spoken == "heldout"
    assert result.provenance.harness.startswith(result.provenance.packages["prosody-harness"])
    assert result.provenance.machine and len(result.provenance.date) == 10 and result.provenance.git_revision
    joint = result.engines["espeak"].end_to_end["rules"]
    assert 0 <= joint.readings["joint recall"][0] <= 1


@pytest.mark.parametrize(("hits", "end", "bound"), [(1.0, "high", 1 - 2**-53), (0.0, "low", 2**-60)])
def test_a_rounding_error_of_an_interval_is_accepted(made, tmp_path, hits, end, bound):
    fields = changed(made, (*ESPEAK, "per_tag", "<emph>", "hit_rate"), hits)
    fields["engines"]["espeak"]["per_tag"]["<emph>"] |= {"low": 0.0, "high": 1.0, end: bound}
    drop(tmp_path, fields)
    assert load_results(tmp_path)["mine"].engines


ESPEAK = ("engines", "espeak")
BROKEN = {
    "another schema": (("schema",), "harness.result/2", "schema"),
    "no machine": (("provenance", "machine"), None, "provenance.machine"),
    "no date": (("provenance", "created"), "yesterday", "provenance.created"),
    "a rate above one": ((*ESPEAK, "per_tag", "<emph>", "hit_rate"), 1.2, "hit_rate"),
    "more hits than tags": ((*ESPEAK, "per_tag", "<emph>", "hit"), 99, "99 hits"),
    "an unknown tag": ((*ESPEAK, "per_tag", "<loud>"), {"n": 1}, "<loud>"),
    "an unknown reading": ((*ESPEAK, "end_to_end", "rules", "readings", "vibes"), [0.9, 0.8, 1.0], "vibes"),
    "a missing reading": ((*ESPEAK, "end_to_end", "rules", "readings", "joint f1"), None, "missing readings: joint f1"),
    "no readings": ((*ESPEAK, "end_to_end", "rules", "readings"), None, "readings"),
    "a rate outside its interval": ((*ESPEAK, "end_to_end", "rules", "readings", "recall"), [0.9, 0.1, 0.2], "recall"),
    "no engines": (("engines",), {}, "engines"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_an_invalid_file_is_refused_by_name_and_field(made, tmp_path, name):
    where, value, said = BROKEN[name]
    drop(tmp_path, changed(made, where, value))
    with pytest.raises(DataError) as caught:
        load_results(tmp_path)
    assert str(caught.value.path).endswith("mine.json") and "harness run" in caught.value.remedy
    assert said in caught.value.message


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 1, "engines": NaN}', "\x00"])
def test_a_file_that_is_not_a_result_is_refused_by_name(tmp_path, text):
    drop(tmp_path, text)
    with pytest.raises(DataError) as caught:
        load_results(tmp_path)
    assert str(caught.value.path).endswith("mine.json")


def test_a_result_of_an_older_harness_is_read(made, tmp_path):
    drop(tmp_path, {**made, "code": "0" * 16, "provenance": {**made["provenance"], "git_revision": "", "packages": {}}})
    assert load_results(tmp_path)["mine"].provenance.harness == "unknown"


def test_the_committed_results_are_valid_and_complete():
    assert "controls" not in load_results() and "placement" not in load_results()
    result = load_controls()
    assert result["failed_units"] == 0 and set(result["controls"]) == {tag.value for tag in TAGS}
    wanted = {"hit", "hit_low", "hit_high", "n", "placebo", "placebo_high", "null", "null_high", "null_n"}
    assert all(wanted <= set(row) for row in result["controls"].values())
    assert all(row["null_n"] >= 1000 and row["n"] >= 200 for row in result["controls"].values())
    assert {"found", "found_low", "false_alarm", "n"} <= set(result["leak"])


def finished_run(folder, failed=0):
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps({"failed_units": failed, "failures": {}, "controls": {}}))
    manifest = {
        "run": "r", "created": "2026-01-01", "parameters": {}, "packages": {}, "git_revision": "x", "git_dirty": None,
        "data": {}, "seeds": [0], "revisions": {}, "machine": "m", "counts": {"clips": 1},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_finished_run_becomes_a_result_with_its_provenance(tmp_path):
    result = read_json(publish(finished_run(tmp_path / "run"), tmp_path / "out.json"))
    assert result["schema"] == SCHEMA
    assert result["provenance"]["machine"] == "m" and result["provenance"]["git_revision"] == "x"


def test_an_unfinished_or_failed_run_is_not_published(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="not complete"):
        publish(tmp_path / "empty", tmp_path / "out.json")
    with pytest.raises(DataError, match="2 failed sentences"):
        publish(finished_run(tmp_path / "run", failed=2), tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()
