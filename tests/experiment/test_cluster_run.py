"""A run on a dask cluster that loses a worker, and a run with an engine that hangs."""

from pathlib import Path

import pytest
from helpers import small

from harness.experiment import run, validate
from harness.records import Clip, Outcome
from harness.store import read_jsonl

pytest.importorskip("distributed")


def test_a_worker_killed_during_a_run_loses_and_doubles_nothing(cluster, finished, tmp_path):
    reference, _ = finished
    folder = tmp_path / "dask"
    workers = cluster.both_workers()
    left = []

    def kill_one(done, total):
        if done == 1:  # from now on, both workers have a unit until the run ends
            left.append(total - done)
            cluster.kill(workers[0])

    summary = run(small(), folder, backend="dask", scheduler=cluster.address, progress=kill_one)
    assert left == [3], "the kill must come while there is work left"
    assert summary["failed_units"] == 0
    for name in ("outcomes.jsonl", "clips.jsonl", "predictions.jsonl", "summary.json"):
        assert (folder / name).read_bytes() == (reference / name).read_bytes(), name
    clips = read_jsonl(folder / "clips.jsonl", Clip)
    assert {Path(clip.audio).name for clip in clips} == {path.name for path in (folder / "clips").glob("*.wav")}


def test_an_engine_that_hangs_is_timed_out_and_counted(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "engines"))
    sentences = tmp_path / "s.jsonl"
    sentences.write_text(
        '{"id": "a", "text": "We <pause_long> go on"}\n{"id": "b", "text": "They <emph> stay here now"}\n'
    )
    spec = validate({"name": "hang", "sentences": str(sentences), "timeout": 1.5,
                     "engines": [{"name": "dummy_engines:Sleeps", "label": "sleeps"}, "espeak"]})  # fmt: skip
    summary = run(spec, tmp_path / "run", jobs=1)
    assert summary["failed_units"] == 2
    assert all("gave no answer within 1.5 s" in reason for reason in summary["failures"])
    outcomes = read_jsonl(tmp_path / "run" / "outcomes.jsonl", Outcome)
    assert {o.verdict.value for o in outcomes if o.engine == "sleeps"} == {"unmeasurable"}
    assert {o.verdict.value for o in outcomes if o.engine == "espeak" and o.arm.value == "tagged"} == {"hit"}
