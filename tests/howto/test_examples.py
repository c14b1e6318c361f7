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
TAGGER, ENGINE = "number_tagger:NumberTagger", "slow_engine:SlowEngine"
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
        assert len(path.read_text().splitlines()) <= 40


def test_the_tagger_works_on_the_command_line():
    done = command("tag", "--tagger", TAGGER, stdin=b"We guarantee 30% savings\n")
    assert done.stdout == b"We guarantee <pause_short> <emph> 30% savings\n", done.stderr


def test_the_engine_speaks_slowly(tmp_path):
    said = "We <emph> guarantee thirty percent savings"
    assert command("say", "--engine", ENGINE, said, "-o", tmp_path / "slow.wav").returncode == 0
    usual = say(TaggedText.parse(said))
    assert read_audio(tmp_path / "slow.wav").seconds == pytest.approx(usual.seconds / 0.9, rel=0.02)


def test_both_run_in_an_experiment_and_become_a_result(tmp_path):
    fields = {
        "name": "own", "sentences": "heldout", "limit": 3, "engines": [{"name": ENGINE, "options": {"pace": 0.8}}],
        "taggers": ["gold", {"name": TAGGER, "label": "numbers", "options": {"pause": False}}], "listeners": [LISTENER],
    }  # fmt: skip
    summary = run(validate(fields), tmp_path / "run", jobs=1)
    assert summary["failed_units"] == 0 and "numbers" in summary["engines"][ENGINE]["end_to_end"]
    assert summary["engines"][ENGINE]["listeners"][LISTENER]["per_tag"]["<emph>"]["n"] > 0
    (tmp_path / "results").mkdir()
    publish(tmp_path / "run", tmp_path / "results" / "own.json")
    result = load_results(tmp_path / "results")["own"]
    assert result.provenance.revisions[ENGINE].startswith("slow 0.8 over espeak-ng")
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
