"""Listeners in runs, in the scoring of clips, and in comparisons."""

import json
import shutil

import pytest
from helpers import command, say, small

from harness.audio import write_wav
from harness.errors import DataError, HarnessError
from harness.experiment import changed, run, validate
from harness.experiment.compare import compare_runs
from harness.prosody.listeners import register_listener
from harness.prosody.listeners.dummy import DummyListener
from harness.records import Outcome
from harness.store import read_jsonl
from harness.tagged import TaggedText


class Deaf(DummyListener):
    """Judges no clip longer than two seconds."""

    name = "deaf"

    def judge(self, audio, words):
        if audio.seconds > 2:
            raise DataError("too long for me")
        return super().judge(audio, words)


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    register_listener("deaf")(Deaf)
    folder = tmp_path_factory.mktemp("heard") / "run"
    return folder, run(small(listeners=["dummy", "deaf"]), folder, jobs=1)


def test_listeners_are_on_for_the_standard_sentences_only():
    engines = [{"name": "espeak"}]
    assert validate({"name": "a", "engines": engines, "sentences": "standard"}).listening == ["emphases", "distillmos"]
    assert validate({"name": "a", "engines": engines, "sentences": "quick"}).listening == []
    spec = validate({"name": "a", "engines": engines, "sentences": "standard", "listeners": []})
    assert spec.listening == [] and changed(spec, listeners=["dummy", "dummy"]).listening == ["dummy"]


def test_a_run_has_judgements_and_their_rates(heard):
    folder, summary = heard
    assert json.loads((folder / "manifest.json").read_text())["revisions"]["dummy"] == "dummy 1"
    outcomes = read_jsonl(folder / "outcomes.jsonl", Outcome)
    judged = [o.listeners["dummy"] for o in outcomes if "dummy" in o.listeners]
    assert judged and all(one.unit == "word" and 0 < one.score < 1 and one.rise is not None for one in judged)
    found = summary["engines"]["espeak"]["listeners"]
    assert found["dummy"]["per_tag"]["<emph>"]["n"] > 0
    reasons = {o.listeners["deaf"].reason for o in outcomes if "deaf" in o.listeners}
    assert "too long for me" in reasons and sum(row["unmeasurable"] for row in found["deaf"]["per_tag"].values())


def test_a_resumed_run_has_the_same_bytes(heard, tmp_path):
    folder, summary = heard
    again = shutil.copytree(folder, tmp_path / "again")
    for name in ("manifest.json", "outcomes.jsonl", "nulls.jsonl"):
        (again / name).unlink()
    assert run(small(listeners=["dummy", "deaf"]), again, jobs=1) == summary
    assert (again / "outcomes.jsonl").read_bytes() == (folder / "outcomes.jsonl").read_bytes()


def test_an_unknown_listener_is_refused_at_the_start(tmp_path):
    with pytest.raises(HarnessError, match="no listener is called 'nobody'"):
        run(small(listeners=["nobody"]), tmp_path / "run", jobs=1)


def test_runs_are_compared_by_what_both_listeners_judged(heard):
    folder, _ = heard
    found = compare_runs([folder], tagger="gold")["comparisons"]
    assert all(set(other["listeners"]) <= {"dummy", "deaf"} for other in found)
    same = compare_runs([folder, folder], tagger="gold")["comparisons"]
    row = next(other for other in same if other["tagger"] == "gold")["listeners"]["dummy"]["all"]
    assert row["n"] > 0 and row["difference_rise"] == 0 and row["baseline_rise"] == row["other_rise"]
    done = command("compare", folder, folder, "--listeners", "distillmos")
    assert done.returncode == 2 and b"run both with --listeners distillmos" in done.stderr
    assert b"dummy" not in command("compare", folder, folder, "--listeners", "none").stdout


def test_clips_made_elsewhere_are_judged(tmp_path):
    for name, text in (
        ("tagged", "We <emph> guarantee thirty percent savings"),
        ("plain", "We guarantee thirty percent savings"),
    ):
        write_wav(tmp_path / f"{name}.wav", say(TaggedText.parse(text)))
    line = {
        "id": "s1",
        "audio": "tagged.wav",
        "text": "We <emph> guarantee thirty percent savings",
        "plain_audio": ["plain.wav"],
    }
    alone = {"id": "s2", "audio": "tagged.wav", "text": "We <emph> guarantee thirty percent savings"}
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(json.dumps(line) + "\n" + json.dumps(alone) + "\n")
    done = command(
        "score", "audio", manifest, "--listeners", "emphases,distillmos", "--out", tmp_path / "o.jsonl", "--json"
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)["listeners"]
    row = found["emphases"]["per_tag"]["<emph>"]
    assert (row["n"], row["unpaired"], row["rose_most"]) == (1, 1, 1) and found["distillmos"]["all"]["n"] == 2
    first = read_jsonl(tmp_path / "o.jsonl", Outcome)[0]
    assert first.listeners["emphases"].rise > 0 and first.listeners["distillmos"].score > 1
    assert b"prominence of the tagged word" in command("score", "audio", manifest, "--listeners", "dummy").stdout
    wrong = command("score", "audio", manifest, "--listeners", "dummy,,")
    assert wrong.returncode == 2 and b"names separated by commas" in wrong.stderr


def test_a_listener_of_words_hears_which_word_was_tagged(tmp_path):
    fields = {"name": "c", "sentences": "quick", "limit": 3, "tags": ["<emph>"], "contrast": 3, "engines": ["espeak"]}
    summary = run(validate({**fields, "listeners": ["dummy"]}), tmp_path / "run", jobs=1)
    engine = summary["engines"]["espeak"]
    heard, measured = engine["listeners"]["dummy"]["contrastive"]["<emph>"], engine["contrastive"]["<emph>"]
    assert heard["n"] == measured["n"] == 9 and heard["audible"] is None and heard["accuracy"] > 0.5
