"""A run with more sentences than before continues the run that is there."""

import json
import shutil

import pytest
from helpers import small

from harness.errors import DataError
from harness.experiment import run
from harness.prosody.scorer import judge, unjudged
from harness.records import Outcome
from harness.store import read_jsonl

FILES = ("outcomes.jsonl", "clips.jsonl", "predictions.jsonl", "summary.json", "nulls.jsonl")


def same(one, other):
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in FILES)


def test_more_sentences_are_added_and_fewer_are_refused(finished, tmp_path):
    whole, _ = finished
    folder, calls = tmp_path / "run", []
    run(small(limit=2), folder, jobs=1)
    clips = {path.name: path.stat().st_mtime_ns for path in (folder / "clips").iterdir()}
    run(small(limit=4), folder, jobs=1, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(2, 4), (3, 4), (4, 4)]
    assert same(folder, whole) and not {"units.jsonl", "scores.jsonl"} & {path.name for path in folder.iterdir()}
    assert clips.items() <= {path.name: path.stat().st_mtime_ns for path in (folder / "clips").iterdir()}.items()
    with pytest.raises(DataError, match=r"a run of more sentences than this limit allows: 4 texts, not 3.*--replace"):
        run(small(limit=3), folder, jobs=1)
    assert (folder / "manifest.json").is_file()


@pytest.mark.parametrize("stop", ["before the first sentence", "in the middle"])
def test_an_extension_that_was_killed_goes_on(finished, tmp_path, stop, monkeypatch):
    folder = tmp_path / "run"
    run(small(limit=2), folder, jobs=1)

    def killed(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        if stop.startswith("before"):
            patch.setattr("harness.experiment.folder.write_json", lambda *_: killed(3, 4))
        run(small(limit=4), folder, jobs=1, progress=killed)
    assert not (folder / "manifest.json").exists()
    run(small(limit=4), folder, jobs=1)
    assert same(folder, finished[0])


def test_a_sentence_that_gains_a_text_is_spoken_again(tmp_path):
    texts = ["We <emph> go on with it", "They <pause_long> stay at home", "We go <pause_long> on with it"]
    lines = [json.dumps({"id": f"t{n}", "text": text}) + "\n" for n, text in enumerate(texts)]
    (tmp_path / "s.jsonl").write_text("".join(lines))
    fields = {"sentences": str(tmp_path / "s.jsonl"), "taggers": ["gold"]}
    run(small(**fields, limit=2), tmp_path / "run", jobs=1)
    run(small(**fields, limit=9), tmp_path / "run", jobs=1)
    run(small(**fields, limit=None), tmp_path / "whole", jobs=1)
    assert same(tmp_path / "run", tmp_path / "whole")
    stays = (tmp_path / "run" / "manifest.json").stat().st_mtime_ns
    run(small(**fields, limit=3), tmp_path / "run", jobs=1)
    assert (tmp_path / "run" / "manifest.json").stat().st_mtime_ns == stays, "3 are all that there are"


def test_a_score_can_be_had_back_from_its_verdict(finished):
    outcomes = read_jsonl(finished[0] / "outcomes.jsonl", Outcome)
    assert [judge(unjudged(outcome)) for outcome in outcomes] == outcomes


def test_a_damaged_run_is_not_extended(finished, tmp_path):
    folder = shutil.copytree(finished[0], tmp_path / "run")
    (folder / "outcomes.jsonl").write_text("")
    with pytest.raises(DataError, match="a damaged run"):
        run(small(limit=5), folder, jobs=1)
