"""The scorer on espeak, where the dose of every tag is known: the positive control of the method."""

from functools import cache

import helpers
import numpy as np
import pytest

from harness.audio import Audio
from harness.prosody.align import UNFIT, AlignmentError
from harness.prosody.detectors import Cue
from harness.prosody.null import FLOORS, Thresholds, half
from harness.prosody.placebo import placebo_slot
from harness.prosody.rates import hit_rate, per_tag
from harness.prosody.scorer import UNPAIRED_FLOORS, TagScore, analyse, analyse_tagged, cross_talk, judge, score_clip
from harness.records import Arm, Outcome, Verdict
from harness.tagged import CONTOURS, TAGS, Tag, TaggedText

SENTENCE = "We asked every customer about the <TAG> delivery and they were happy with it"


say = cache(helpers.say)  # many tests use the plain clip of the sentence


def verdicts(spoken, scored, thresholds=FLOORS, lost=()):
    """Speak `spoken`, and judge it as if `scored` had been requested."""
    plain = [analyse(say(scored.stripped()), scored)]
    features, intruded = analyse_tagged(say(spoken), scored, [place for place in scored.tags if place not in lost])
    scores = score_clip(scored, features, plain, intruded=intruded, lost=lost)
    return {(o.arm, o.tag): o for o in (judge(score, thresholds) for score in scores)}


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_that_the_engine_obeys_is_a_hit_and_its_placebo_is_not(tag):
    text = TaggedText.parse(SENTENCE.replace("<TAG>", tag.value))
    scores = verdicts(text, text)
    assert scores[Arm.TAGGED, tag].verdict is Verdict.HIT
    if tag not in CONTOURS:  # the sentence has one phrase only
        assert scores[Arm.PLACEBO, tag].verdict is Verdict.MISS


@pytest.mark.parametrize(("before", "at"), [("delivery", False), ("delivery,", True)])
def test_a_pause_counts_what_it_adds_and_keeps_its_whole_length(before, at):
    text = TaggedText.parse(f"We asked every customer about the {before} <pause_long> and they were happy with it")
    plain = analyse(say(text.stripped()), text).pause[7]
    found = verdicts(text, text)[Arm.TAGGED, Tag.PAUSE_LONG]
    assert found.at_punctuation is at and bool(plain > 0.15) is at
    assert found.length == pytest.approx(found.value + plain, abs=1e-3)


@pytest.mark.parametrize(
    ("spoken", "asked"),
    [("<pause_long>", Tag.PAUSE_SHORT), ("<pause_short>", Tag.PAUSE_LONG), ("<pitch_low>", Tag.PITCH_HIGH)],
)
def test_the_opposite_is_a_wrong_direction(spoken, asked):
    said = TaggedText.parse(SENTENCE.replace("<TAG>", spoken))
    scored = TaggedText.parse(SENTENCE.replace("<TAG>", asked.value))
    assert verdicts(said, scored)[Arm.TAGGED, asked].verdict is Verdict.WRONG_DIRECTION


@pytest.mark.parametrize("tag", [Tag.PAUSE_LONG, Tag.PITCH_HIGH])
def test_a_tag_on_another_word_is_a_miss(tag):
    said = TaggedText.parse(f"We asked {tag.value} every customer about the delivery and they were happy with it")
    scored = TaggedText.parse(SENTENCE.replace("<TAG>", tag.value))
    assert verdicts(said, scored)[Arm.TAGGED, tag].verdict is Verdict.MISS


def test_a_plain_clip_realises_nothing():
    scored = TaggedText.parse(
        "We <pause_long> asked every <pitch_high> customer about the <pause_short> delivery today"
    )
    assert {s.verdict for s in verdicts(scored.stripped(), scored).values()} == {Verdict.MISS}


def test_a_tag_that_is_read_aloud_is_a_leak():
    scored = TaggedText.parse(SENTENCE.replace("<TAG>", "<pause_short>"))
    aloud = TaggedText.from_plain(SENTENCE.replace("<TAG>", "pause short"))
    scores = verdicts(aloud, scored)
    assert scores[Arm.TAGGED, Tag.PAUSE_SHORT].verdict is Verdict.LEAKED
    assert (Arm.PLACEBO, Tag.PAUSE_SHORT) not in scores


WRONG = "The weather on the <pause_short> other side of the <emph> island was cold"


@pytest.mark.parametrize("text", [WRONG, SENTENCE.replace("<TAG>", "<emph>")])
def test_another_text_is_neither_missed_nor_leaked(text):
    """Neither of a clip of other words, nor if a few words of a clip happen to be those of the text."""
    said = TaggedText.parse("Our customers in Chicago save a lot of money every year, on the delivery and the weather")
    asked = TaggedText.parse(text)
    features, intruded = analyse_tagged(say(said), asked, asked.tags)
    assert (features, intruded) == (UNFIT, {}) and analyse(say(said), asked) == UNFIT


def test_what_cannot_be_measured_says_why():
    text = TaggedText.parse("So here we <pitch_rising> are now <pitch_high>")
    scores = verdicts(text, text, lost=[(3, Tag.PITCH_RISING)])
    assert scores[Arm.TAGGED, Tag.PITCH_RISING].verdict is Verdict.NOT_EXPRESSIBLE
    few = TaggedText.parse("We <emph> win")
    assert "too few words" in verdicts(few, few)[Arm.TAGGED, Tag.EMPH].reason
    assert "no word follows" in scores[Arm.TAGGED, Tag.PITCH_HIGH].reason
    noise = Audio(np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32), 16000)
    asked = TaggedText.parse("We <pause_long> asked every customer about it")
    assert judge(score_clip(asked, analyse(noise, asked), [])[0]).verdict is Verdict.UNMEASURABLE


def test_a_clip_whose_leak_check_fails_is_not_scored(monkeypatch):
    def fail(*_):
        raise AlignmentError("the words were not found")

    text = TaggedText.parse(SENTENCE.replace("<TAG>", "<pause_long>"))
    monkeypatch.setattr("harness.prosody.scorer.align_and_listen", fail)
    scores = verdicts(text, text)
    assert {s.verdict for s in scores.values()} == {Verdict.UNMEASURABLE}
    assert scores[Arm.TAGGED, Tag.PAUSE_LONG].reason == "the words were not found"


def test_without_a_plain_clip_a_clip_is_judged_by_itself():
    text = TaggedText.parse("We asked <pause_long> every customer <pitch_high> about it and they agreed")
    scores = {s.tag: judge(s) for s in score_clip(text, analyse(say(text), text), [])}
    assert scores[Tag.PAUSE_LONG].verdict is Verdict.HIT
    assert not scores[Tag.PITCH_HIGH].paired
    assert scores[Tag.PITCH_HIGH].threshold == UNPAIRED_FLOORS[Tag.PITCH_HIGH]
    assert {s.arm for s in scores.values()} == {Arm.TAGGED}, "no placebo without a plain clip"


def test_thresholds_of_an_engine_replace_the_floors():
    text = TaggedText.parse(SENTENCE.replace("<TAG>", "<pitch_high>"))
    strict = Thresholds({(Tag.PITCH_HIGH, part): 6.0 for part in (0, 1)})
    score = verdicts(text, text, thresholds=strict)[Arm.TAGGED, Tag.PITCH_HIGH]
    assert score.verdict is Verdict.MISS and score.threshold == 6.0


def score(value=None, sentence="s001", **fields):
    return TagScore(sentence=sentence, arm=Arm.TAGGED, slot=0, tag=Tag.PITCH_HIGH, value=value, **fields)


def test_a_difference_is_judged_by_the_threshold_for_the_half_of_its_sentence():
    one, other = (next(f"s{n:03d}" for n in range(99) if half(f"s{n:03d}") == part) for part in (0, 1))
    uneven = Thresholds({(Tag.PITCH_HIGH, 0): 2.0, (Tag.PITCH_HIGH, 1): 4.0})
    judged = [
        judge(score(value, f"{name}.pitch_high"), uneven, name) for name in (one, other) for value in (3.0, -3.0, 5.0)
    ]
    assert [o.verdict.value for o in judged] == ["hit", "wrong_direction", "hit", "miss", "miss", "hit"]
    assert [o.threshold for o in judged] == [2.0] * 3 + [4.0] * 3
    assert {o.unit for o in judged} == {"st"} and judged[0].sentence == f"{one}.pitch_high"


@pytest.mark.parametrize("failure", [Verdict.LEAKED, Verdict.UNMEASURABLE, Verdict.NOT_EXPRESSIBLE])
def test_without_a_value_the_failure_is_the_verdict(failure):
    found = judge(score(failure=failure, reason="why"), Thresholds({(Tag.PITCH_HIGH, part): 4.0 for part in (0, 1)}))
    assert (found.verdict, found.threshold, found.value, found.unit, found.reason) == (failure, None, None, "", "why")


def test_an_unpaired_value_is_not_judged_by_an_engines_thresholds():
    strict = Thresholds({(Tag.PITCH_HIGH, part): 9.0 for part in (0, 1)})
    assert judge(score(3.0, paired=False), strict).verdict is Verdict.HIT


def test_cross_talk_names_every_cue():
    text = TaggedText.parse(SENTENCE.replace("<TAG>", "<pause_long>"))
    plain = [analyse(say(text.stripped()), text)]
    [(slot, _)] = text.tags
    found = cross_talk(text, slot, analyse(say(text), text), plain)
    assert set(found) == {cue.value for cue in Cue}
    assert found["pause"] > 0.9 and abs(found["pitch_level"]) < 2
    assert set(cross_talk(text, slot, "no", plain).values()) == {None}


def test_the_end_of_another_phrase_is_the_placebo_of_a_contour():
    text = TaggedText.parse("If it <pitch_rising> rains, we stay at home, and read.")
    assert placebo_slot(text, 2, Tag.PITCH_RISING) == 6
    assert placebo_slot(TaggedText.parse("We <pitch_rising> stay at home."), 1, Tag.PITCH_RISING) is None


def test_placebos_keep_their_distance_and_class():
    text = TaggedText.parse("Our <emph> engineers visit the customers and they repair the broken machines")
    slot = placebo_slot(text, 1, Tag.EMPH)
    assert text.words[slot] == "customers"
    assert placebo_slot(TaggedText.parse("We <emph> win"), 1, Tag.EMPH) is None
    assert placebo_slot(TaggedText.parse("<pause_long>"), 0, Tag.PAUSE_LONG) is None
    pause = TaggedText.parse("If so, <pause_short> we pay, and you keep the rest of it, always and ever.")
    assert pause.words[placebo_slot(pause, 2, Tag.PAUSE_SHORT) - 1] == "pay,"


def outcome(sentence, verdict, arm=Arm.TAGGED, tag=Tag.EMPH, slot=0):
    return Outcome(engine="e", tagger="t", sentence=sentence, arm=arm, slot=slot, tag=tag, verdict=verdict)


def test_rates_count_as_the_contract_says():
    rows = [outcome(f"s{n}", verdict) for n, verdict in enumerate(Verdict)]
    rows += [outcome("p1", Verdict.HIT, Arm.PLACEBO), outcome("p2", Verdict.MISS, Arm.PLACEBO)]
    row = per_tag(rows)["<emph>"]
    assert row["n"] == 5 and row["not_expressible"] == 1
    assert row["hit_rate"] == pytest.approx(1 / 4), "unmeasurable is left out, a leak is a failure"
    assert row["false_positive"] == 0.5 and row["placebo_n"] == 2
    assert row["low"] < 0.25 < row["high"]
    assert np.isnan(hit_rate([outcome("a", Verdict.UNMEASURABLE)]).value)


def test_rates_at_the_floor_and_at_three_semitones():
    values = (1.0, 2.0, 3.0, -4.0, None)  # the last was read aloud
    rows = [
        outcome(f"s{n}", Verdict.LEAKED if value is None else Verdict.MISS, tag=Tag.PITCH_HIGH).model_copy(
            update={"value": value}
        )
        for n, value in enumerate(values)
    ]
    row = per_tag(rows)["<pitch_high>"]
    assert row["at_floor"] == pytest.approx(2 / 5) and row["at_3st"] == pytest.approx(1 / 5)
    assert row["at_3st_low"] < 0.2 < row["at_3st_high"]
    assert "at_3st" not in per_tag([outcome("a", Verdict.HIT)])["<emph>"]
