"""A whole experiment on a dask cluster, with a worker killed in the middle."""

from pathlib import Path

import pytest
from helpers import small

from harness.experiment import run, validate
from harness.records import Clip, Outcome
from harness.store import read_jsonl

pytest.importorskip("distributed")


def test_a_worker_killed_in_a_run_loses_and_doubles_nothing(cluster, tmp_path):
    spec = small(limit=12)
    run(spec, tmp_path / "loky", jobs=2)
    workers = cluster.both_workers()
    killed = []

    def kill_one(done, total):
        if done == 5:
            killed.append(total - done)
            cluster.kill(workers[0])

    summary = run(spec, tmp_path / "dask", backend="dask", scheduler=cluster.address, progress=kill_one)
    assert killed and killed[0] > 5, "the kill came while there was work left"
    assert summary["failed_units"] == 0
    for name in ("outcomes.jsonl", "clips.jsonl", "predictions.jsonl", "summary.json"):
        assert (tmp_path / "dask" / name).read_bytes() == (tmp_path / "loky" / name).read_bytes(), name
    clips = read_jsonl(tmp_path / "dask" / "clips.jsonl", Clip)
    assert len({clip.key for clip in clips}) == len(clips)
    assert {Path(clip.audio).name for clip in clips} == {
        path.name for path in (tmp_path / "dask" / "clips").glob("*.wav")
    }


ENGINES = Path(__file__).parent.parent / "engines"


def test_an_engine_that_hangs_is_timed_out_and_counted(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ENGINES))
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
