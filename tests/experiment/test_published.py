import json

import pytest

from harness.errors import DataError
from harness.experiment.published import RESULT, publish, stale
from harness.store import read_json
from harness.tagged import TAGS


def test_the_committed_controls_were_measured_with_this_code():
    result = read_json(RESULT)
    assert stale(result) == ""
    assert result["failed_units"] == 0
    assert set(result["controls"]) == {tag.value for tag in TAGS}
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
    assert stale(result) == ""
    assert result["provenance"]["machine"] == "m" and result["provenance"]["git_revision"] == "x"
    assert "other code" in stale({**result, "code": "old"}) and "schema" in stale({"schema": "x"})


def test_an_unfinished_or_failed_run_is_not_published(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="not complete"):
        publish(tmp_path / "empty", tmp_path / "out.json")
    with pytest.raises(DataError, match="2 failed sentences"):
        publish(finished_run(tmp_path / "run", failed=2), tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()
