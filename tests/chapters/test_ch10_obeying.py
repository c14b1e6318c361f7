"""Chapter 10 on voices that were made to obey: what a tag asks for, and the figures of a made run."""

import pytest
from helpers import unspanned

from harness.audio import Audio
from harness.chapters.ch10_audio_prosody import obeying
from harness.tagged import TAGS, Tag, TaggedText


def _row(at_floor, false_positive=0.01):
    return {
        "n": 10, "unmeasurable": 1, "hit_rate": 0.8, "low": 0.7, "high": 0.9, "at_floor": at_floor, "at_floor_low": 0.5,
        "at_floor_high": 1.0, "false_positive": false_positive, "fp_low": 0.0, "fp_high": 0.1,
    }  # fmt: skip


@pytest.fixture
def run():
    """A run of two voices: in the second, falls are heard in half of the sentences."""
    clips = {"per_tag": {tag.value: {"change": -0.1, "change_low": -0.2, "change_high": 0.0} for tag in TAGS}}
    words = {"per_tag": {"<emph>": {"rose_most": 0.9, "chance": 0.1}}}
    listeners = {"distillmos": clips, "heard_words": clips, "emphases": words}
    good, bad = ({tag.value: _row(0.97) for tag in TAGS} for _ in range(2))
    bad["<pitch_falling>"] = _row(0.5, false_positive=0.08)
    return {
        "engines": {
            "hibari": {"per_tag": good, "listeners": listeners},
            "obey:piper": {"per_tag": bad, "listeners": listeners},
        }
    }


def test_a_plan_lengthens_the_word_that_is_emphasised():
    plan = obeying.planned(TaggedText.parse("We <emph> guarantee it."))
    assert {phone.word for phone, factor in zip(plan.phones, plan.factors, strict=True) if factor > 1} == {1}


def test_the_figure_of_plans_states_sizes_and_silence():
    texts = {
        Tag.PAUSE_LONG: TaggedText.parse("We <pause_long> go."),
        Tag.PITCH_HIGH: TaggedText.parse("We <pitch_high> go."),
    }
    said = obeying.plan_lines(texts).alt
    assert "pause_long: F0 +0.0 to +0.0 st, level up to +0.0 dB, 1.00 s of silence" in said
    assert "pitch_high: F0 +0.0 to +4.0 st" in said


def test_every_voice_speaks_the_plain_text_and_every_tag(monkeypatch):
    class Silent:
        def speak(self, request):
            return type("Speech", (), {"audio": Audio([0.0] * 2400, 24000)})

    monkeypatch.setattr(obeying, "make_engine", lambda name, **options: Silent())
    texts = {Tag.EMPH: TaggedText.parse("We <emph> go.")}
    html = obeying.voices_table(texts, {"a": ("a", {}), "b": ("b", {})}).html
    assert html.count("<audio") == 4
    assert 'aria-label="b, emph: We &lt;emph&gt; go."' in html


def test_the_lowest_rate_and_the_highest_placebo_are_named(run):
    assert "Lowest: `pitch_falling` by obey:piper, 0.50." in obeying.heard_dots(run).caption
    said = obeying.obeyed(run)
    assert "obey:piper 0.50 [0.50, 1.00] (`pitch_falling`; its highest placebo rate is 0.08 [0.00, 0.10])" in said
    assert obeying.heard_range(run, "obey:piper") == "0.50 to 0.97"


def test_tables_have_a_row_for_each_tag_and_voice(run):
    assert obeying.heard_table(run).html.count("<tr>") == 1 + 2 * len(TAGS)
    assert unspanned(obeying.price_of_obeying(run)).count("-0.10 [-0.20, 0.00]") == 4 * len(TAGS)


def test_the_codec_models_rates_are_those_of_the_file():
    row = {"n": 60, "unmeasurable": 4, "hit_rate": 0.9, "low": 0.8, "high": 1.0, "false_positive": 0.0, "fp_low": 0.0,
           "fp_high": 0.1, "placebo_n": 57}  # fmt: skip
    voices = {name: {"obeys": {"tags": {"<emph>": row}}} for name in ("model", "teacher")}
    html = unspanned(obeying.codec_model_table({"sentences": 60, **voices}, words=47))
    assert "closed vocabulary of 47 words" in html and html.count("0.90 [0.80, 1.00]") == 2
    assert "emph, small Higgs" in html and "emph, teacher" in html
