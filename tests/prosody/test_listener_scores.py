"""From scores of listeners to judgements and rates, on values that can be checked by hand."""

from dataclasses import replace

import numpy as np
import pytest
from made_features import features

from harness.prosody.listeners.rates import listener_rates
from harness.prosody.listeners.scores import Heard, judgements, null_rises
from harness.prosody.scorer import score_clip
from harness.records import Arm, Judgement, NullSample, Outcome, Verdict
from harness.tagged import Tag, TaggedText

TEXT = TaggedText.parse("We <emph> guarantee it all <pitch_high> today")


def heard(*scores, unit="word", reason=""):
    given = None if reason else np.array(scores, dtype=float)
    return replace(features(5), heard={"l": Heard(unit, given, reason)})


PLAIN = [heard(0.1, 0.2, 0.3, 0.4, 0.5), heard(0.3, 0.2, 0.1, 0.4, 0.5), "too short"]


def said(tagged, plain=PLAIN, slot=1, tag=Tag.EMPH, **options):
    return judgements(TEXT, slot, tag, tagged, plain, **options)["l"]


def test_a_word_rises_above_its_mean_in_the_plain_clips():
    # rises: 0, .3, .1, 0 and .4; the last word has a tag of its own and is no rival
    one = said(heard(0.2, 0.5, 0.3, 0.4, 0.9))
    assert one == Judgement(unit="word", score=0.5, rise=0.3, rose_most=1.0, words=4)
    assert said(heard(0.5, 0.5, 0.3, 0.4, 0.9)).rose_most == 0.5, "two rose by 0.3"
    assert said(heard(0.6, 0.5, 0.3, 0.4, 0.9)).rose_most == 0
    assert said(heard(0.2, 0.5, 0.3, 0.4, 0.9), slot=4, tag=Tag.PITCH_HIGH).rise == 0.4
    assert said(heard(0.2, 0.5, 0.3, 0.4, 0.9), slot=5, tag=Tag.PAUSE_LONG).score == 0.9, "the last word, at the end"


def test_what_cannot_be_judged_has_a_reason():
    assert said(heard(reason="too quiet")) == Judgement(unit="word", reason="too quiet")
    assert said(heard(0.1, np.nan, 0.1, 0.1, 0.1)).reason == "the word is not spoken"
    assert said(heard(*[0.1] * 5), plain=["too short"]) == Judgement(
        unit="word", score=0.1, reason="no plain clip could be judged"
    )
    assert said(heard(*[0.1] * 5), plain=[]) == Judgement(unit="word", score=0.1)
    assert said(heard(*[0.1] * 5), intruded="the tag was read aloud").reason == "the tag was read aloud"


def test_a_clip_has_its_change_even_if_other_words_were_said():
    plain = [heard(3, unit="clip"), heard(4, unit="clip")]
    assert said(heard(4, unit="clip"), plain, intruded="x") == Judgement(unit="clip", score=4, rise=0.5)


def test_only_what_the_engine_was_told_is_judged():
    tagged, lost = heard(0.2, 0.5, 0.3, 0.4, 0.9), [(4, Tag.PITCH_HIGH)]
    intruded = {(1, Tag.EMPH): Verdict.LEAKED}
    emph, high = score_clip(TEXT, tagged, PLAIN, lost=lost, intruded=intruded)
    assert emph.listeners["l"].reason == "the tag was read aloud" and high.listeners == {}


def test_the_null_compares_each_plain_clip_with_the_others():
    clips = [heard(0.1, 0, 0, 0, np.nan), heard(0.2, 0, 0, 0, np.nan), heard(0.6, 0, 0, 0, np.nan)]
    rises = null_rises(clips)["l"]
    assert [value for value in rises if value] == pytest.approx([-0.3, -0.15, 0.45]) and len(rises) == 12
    assert null_rises(clips[:2]) == {}


def outcome(sentence, arm=Arm.TAGGED, verdict=Verdict.HIT, paired=True, **judgement):
    listeners = {"l": Judgement(**{"unit": "word"} | judgement)} if judgement else {}
    return Outcome(engine="e", tagger="t", sentence=sentence, arm=arm, slot=0, tag=Tag.EMPH, verdict=verdict, paired=paired,
                   listeners=listeners)  # fmt: skip


def test_rates_of_words():
    rows = [
        outcome("a", score=0.5, rise=0.3, rose_most=1.0, words=4),
        outcome("b", score=0.5, rise=0.1, rose_most=0.5, words=2),
        outcome("c", reason="too quiet"),
        outcome("d", verdict=Verdict.UNMEASURABLE),
        outcome("e", verdict=Verdict.NOT_EXPRESSIBLE),
        outcome("f", paired=False, score=0.5),
        outcome("a", arm=Arm.PLACEBO, score=0.5, rise=-0.1, rose_most=0.0, words=4),
    ]
    found = listener_rates(rows, [], ["l"], {name: name for name in "abcdef"})["l"]
    row = found["per_tag"]["<emph>"]
    assert (row["n"], row["unmeasurable"], row["unpaired"], row["placebo_n"]) == (2, 2, 1, 1)
    assert (row["rose_most"], row["chance"], row["rise"]) == (0.75, 0.375, pytest.approx(0.2))
    assert (row["placebo_rose_most"], row["placebo_rise"], row["above"]) == (0, -0.1, None)
    assert found["null"]["threshold_from"] == "not applicable"


def test_the_threshold_is_that_of_the_other_half():
    names = [str(n) for n in range(40)]
    nulls = [NullSample(engine="e", sentence=name, cue="l", values=[k / 100 for k in range(100)]) for name in names]
    rows = [
        outcome(names[0], score=1, rise=0.985, rose_most=1.0, words=4),
        outcome(names[1], score=1, rise=0.5, rose_most=1.0, words=4),
    ]
    found = listener_rates(rows, nulls, ["l"], {name: name for name in names})["l"]
    assert found["null"]["threshold"] == 0.9801 and found["null"]["above"] == 0.01 and found["null"]["n"] == 4000
    assert found["per_tag"]["<emph>"]["above"] == 0.5


def test_a_clip_with_two_tags_counts_once():
    rows = [
        outcome("a", unit="clip", score=4, rise=-0.5),
        outcome("b", unit="clip", score=3, rise=-0.1),
        outcome("c", reason="x", unit="clip"),
    ]
    rows.append(rows[0].model_copy(update={"slot": 2}))
    found = listener_rates(rows, [], ["l"], {name: name for name in "abc"})["l"]
    assert (found["all"]["n"], found["all"]["unmeasurable"], found["all"]["paired"]) == (2, 1, 2)
    assert (found["all"]["tagged"], found["all"]["plain"], found["all"]["change"]) == pytest.approx((3.5, 3.8, -0.3))
