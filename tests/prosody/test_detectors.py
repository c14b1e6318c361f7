"""Each detector on numbers made by hand: place, value, verdict."""

import math

import numpy as np
import pytest
from made_features import features

from harness.prosody.detectors import DETECTORS, Cue, affected_words, by_cue, places
from harness.records import Verdict
from harness.tagged import PAUSES, TAGS, Tag, TaggedText

HIT, MISS, WRONG = Verdict.HIT, Verdict.MISS, Verdict.WRONG_DIRECTION
TEXT = TaggedText.from_plain("If it rains, we stay here.")


def value(tag, place, excluded=(), **changed):
    return DETECTORS[tag].value(features(len(TEXT.words), **changed), place, excluded)


@pytest.mark.parametrize("tag", [tag for tag in TAGS if tag not in PAUSES])
def test_tags_ask_for_a_rise_or_a_fall(tag):
    sign = -1 if tag in (Tag.PITCH_LOW, Tag.PITCH_FALLING) else 1
    differences = (2.5, 2.0, 1.99, 0.0, -1.99, -2.0)
    found = [DETECTORS[tag].judge(sign * difference, 2.0) for difference in differences]
    assert found == [HIT, HIT, MISS, MISS, MISS, WRONG]


def test_a_pause_of_seven_tenths_of_a_second_is_long():
    short, long = DETECTORS[Tag.PAUSE_SHORT].judge, DETECTORS[Tag.PAUSE_LONG].judge
    added = (0.149, 0.15, 0.699, 0.7, 2.0)
    assert [short(seconds, 0.15) for seconds in added] == [MISS, HIT, HIT, WRONG, WRONG]
    assert [long(seconds, 0.15) for seconds in added] == [MISS, WRONG, WRONG, HIT, HIT]
    assert [judge(-1.0, 0.15) for judge in (short, long)] == [MISS, MISS], "less silence is no pause"


def test_every_tag_has_its_detector_and_floor_and_every_cue_a_detector():
    assert set(DETECTORS) == set(TAGS) and all(detector.tag is tag for tag, detector in DETECTORS.items())
    floors = {Tag.EMPH: 3.0, Tag.PAUSE_SHORT: 0.15, Tag.PAUSE_LONG: 0.15}
    assert {tag: detector.floor for tag, detector in DETECTORS.items()} == dict.fromkeys(TAGS, 1.5) | floors
    assert all(detector.unit and detector.what and detector.source for detector in DETECTORS.values())
    assert set(by_cue()) == set(Cue) and all(detector.cue is cue for cue, detector in by_cue().items())


def test_pauses_are_the_silence_of_the_gap():
    assert value(Tag.PAUSE_LONG, 3, pause=[0, 0, 0, 0.4, 0, 0, 0.9]) == 0.4
    assert value(Tag.PAUSE_LONG, 6, pause=[0, 0, 0, 0.4, 0, 0, 0.9]) == 0.9


def test_pitch_is_relative_to_the_other_words():
    f0 = [1.0, 2.0, 3.0, 4.0, 5.0, 9.0]
    assert value(Tag.PITCH_HIGH, 5, f0=f0) == pytest.approx(9 - 3)
    assert value(Tag.PITCH_HIGH, 5, {0, 1}, f0=f0) == pytest.approx(9 - 4), "words with tags are no reference"


@pytest.mark.parametrize("tag", [Tag.PITCH_RISING, Tag.PITCH_FALLING])
def test_the_end_of_a_phrase_is_the_final_movement_of_its_last_word_and_needs_no_other_words(tag):
    movement = [9.0, 9.0, -4.5, 9.0, 9.0, 9.0]
    assert value(tag, 2, f0=[np.nan] * 6, final_movement=movement) == -4.5
    assert value(tag, 2, {0, 1, 3, 4, 5}, f0=[20.0] * 6, final_movement=movement) == -4.5


def test_emphasis_adds_level_and_length_in_just_noticeable_differences():
    level = [0, 0, 0, 2.0, 0, 0]
    length = [0, 0, 0, math.log(1.2), 0, 0]
    assert value(Tag.EMPH, 3, intensity=level) == pytest.approx(2)
    assert value(Tag.EMPH, 3, log_duration=length) == pytest.approx(1)
    assert value(Tag.EMPH, 3, intensity=level, log_duration=length) == pytest.approx(3)
    assert value(Tag.EMPH, 3, intensity=[7, 7, 7, 7, 7, 7]) == pytest.approx(0), "a louder clip stresses nothing"
    assert value(Tag.EMPH, 3, f0=[0, 0, 0, 9, 0, 0]) == 0


def test_two_words_of_reference_are_enough_and_one_is_not():
    nan = np.nan
    assert value(Tag.PITCH_HIGH, 0, f0=[3, 1, 1, nan, nan, nan]) == 2
    assert math.isnan(value(Tag.PITCH_HIGH, 0, f0=[3, 1, nan, nan, nan, nan]))
    assert math.isnan(value(Tag.PITCH_HIGH, 0, {2, 3, 4, 5}, f0=[3, 1, 1, 1, 1, 1]))
    assert math.isnan(value(Tag.EMPH, 0, {2, 3, 4, 5}))


def test_a_word_that_is_not_voiced_or_not_spoken_has_no_value():
    nan = np.nan
    assert math.isnan(value(Tag.PITCH_LOW, 1, f0=[0, nan, 0, 0, 0, 0]))
    assert math.isnan(value(Tag.PITCH_FALLING, 2, final_movement=[0, 0, nan, 0, 0, 0]))
    assert math.isnan(value(Tag.EMPH, 1, log_duration=[0, nan, 0, 0, 0, 0]))
    assert math.isnan(value(Tag.EMPH, 1, intensity=[0, nan, 0, 0, 0, 0]))


def test_places_of_tags():
    assert [DETECTORS[Tag.PITCH_FALLING].place(TEXT, slot) for slot in range(7)] == [2, 2, 2, 5, 5, 5, 5]
    assert [DETECTORS[Tag.EMPH].place(TEXT, slot) for slot in (0, 5, 6)] == [0, 5, None]
    assert [DETECTORS[Tag.PITCH_HIGH].place(TEXT, slot) for slot in (0, 5, 6)] == [0, 5, None]
    assert DETECTORS[Tag.PAUSE_SHORT].place(TEXT, 6) == 6
    assert DETECTORS[Tag.PITCH_RISING].place(TaggedText([]), 0) is None
    with_pause = TaggedText.parse("we <pitch_rising> stay here <pause_short> all day")
    assert DETECTORS[Tag.PITCH_RISING].place(with_pause, 1) == 2, "a pause ends a phrase"


def test_places_of_cues():
    assert places(Cue.PAUSE, TEXT) == [1, 2, 3, 4, 5], "inner gaps"
    assert places(Cue.LEVEL, TEXT) == places(Cue.EMPHASIS, TEXT) == [0, 1, 2, 3, 4, 5]
    assert places(Cue.END, TEXT) == [2, 5]
    assert places(Cue.PAUSE, TaggedText(["word"])) == [] and places(Cue.END, TaggedText(["word"])) == [0]
    assert [places(cue, TaggedText([])) for cue in Cue] == [[], [], [], []]


def test_words_that_tags_act_on():
    text = TaggedText.parse("If <emph> it rains, <pause_long> we <pitch_falling> stay <pitch_low> here.")
    assert affected_words(text) == {1, 5}
    assert affected_words(TaggedText.parse("If it <pause_long> rains")) == set()
