"""The examples of the how-tos do what their pages say."""

import json

import numpy as np
import pytest
from helpers import command, say

from harness.audio import read_audio
from harness.experiment import run, validate
from harness.experiment.result_files import load_results, publish
from harness.paths import BOOK
from harness.prosody.align import align
from harness.prosody.edits import stretch
from harness.tagged import TaggedText

EXAMPLES = BOOK / "howto" / "examples"
TAGGER, ENGINE = "number_tagger:NumberTagger", "pausing_engine:PausingEngine"
LISTENER = "long_word_listener:LongWordListener"


@pytest.fixture(autouse=True)
def found(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES))


def test_every_example_is_on_a_page_and_short():
    examples = {path.stem: path for path in EXAMPLES.glob("*.py")}
    assert {name.partition(":")[0] for name in (TAGGER, ENGINE, LISTENER)} < examples.keys()
    for path in examples.values():
        assert any(f"examples/{path.name}" in page.read_text() for page in (BOOK / "howto").glob("*.md"))
        assert len(path.read_text().splitlines()) <= 60


def test_the_tagger_works_on_the_command_line():
    done = command("tag", "--tagger", TAGGER, stdin=b"We guarantee 30% savings\n")
    assert done.stdout == b"We guarantee <pause_short> <emph> 30% savings\n", done.stderr


def test_the_engine_pauses_and_says_what_is_left_out(tmp_path):
    said = "We <pause_long> guarantee <emph> thirty percent savings"
    done = command("say", "--engine", ENGINE, said, "-o", tmp_path / "pausing.wav")
    assert done.returncode == 0 and b"<emph> at slot 2" in done.stdout and b"<pause_long>" not in done.stdout
    usual = say(TaggedText.parse(said).plain)
    assert read_audio(tmp_path / "pausing.wav").seconds == pytest.approx(usual.seconds + 1, abs=0.01)


def test_both_run_in_an_experiment_and_become_a_result(tmp_path):
    fields = {
        "name": "own", "sentences": "heldout", "limit": 3, "engines": [{"name": ENGINE, "options": {"scale": 1.2}}, "espeak"],
        "taggers": ["gold", {"name": TAGGER, "label": "numbers", "options": {"pause": False}}], "listeners": [LISTENER],
    }  # fmt: skip
    summary = run(validate(fields), tmp_path / "run", jobs=1)
    assert summary["failed_units"] == 0 and "numbers" in summary["engines"][ENGINE]["end_to_end"]
    heard = summary["engines"][ENGINE]["per_tag"]  # by an engine in a process of its own
    assert heard["<pause_short>"]["n"] > 0 == heard["<pause_short>"]["not_expressible"] and heard["<emph>"]["n"] == 0
    assert summary["engines"]["espeak"]["listeners"][LISTENER]["per_tag"]["<emph>"]["n"] > 0
    (tmp_path / "results").mkdir()
    publish(tmp_path / "run", tmp_path / "results" / "own.json")
    result = load_results(tmp_path / "results")["own"]
    assert result.provenance.revisions[ENGINE].startswith("pausing 1.2 over espeak-ng")
    assert json.loads((tmp_path / "results" / "own.json").read_text())["schema"] == "harness.result/1"


def test_the_detector_hears_a_stretch_and_nothing_else():
    from tempo_detector import FLOOR, slowed

    text = TaggedText.from_plain("You asked for proof so here are the numbers from last winter")
    plain = say(text)
    times = align(plain, text.words)
    start, end = 4, 8
    doses = {}
    for factor in (1.0, 1.25, 1.5):
        edited = stretch(plain, times[start].start, times[end - 1].end, factor)
        doses[factor] = slowed(edited, [plain], text.words, start, end)
    assert doses[1.0] == (0.0, False) and doses[1.5][1]
    assert np.all(np.diff([value for value, _ in doses.values()]) > 0)
    away = slowed(stretch(plain, times[start].start, times[end - 1].end, 1.5), [plain], text.words, 0, 3)
    assert not away[1] and away[0] < FLOOR  # the placebo: words that were not touched
