"""The final movement of words: rises and falls of known size, creaky and voiceless ends, phrases of one word and inside a sentence."""

from itertools import pairwise

import numpy as np
import pytest

from harness.audio import Audio
from harness.prosody.features import measure
from harness.records import WordTime

pytest.importorskip("parselmouth")

RATE = 16_000
GLIDE = 0.25  # seconds at the end of the last word
FLAT = [(0.4, 0.0)] * 3


def sound(seconds, start, end=None, glide=GLIDE):
    """Return a buzz at `start` semitones re 120 Hz that moves to `end` in its last `glide` seconds."""
    times = np.arange(round(seconds * RATE)) / RATE
    pitch = np.interp(times, [seconds - glide, seconds], [start, start if end is None else end])
    phase = 2 * np.pi * np.cumsum(120 * 2 ** (pitch / 12)) / RATE
    return 0.2 * sum(np.sin(k * phase) / k for k in range(1, 8))


def hiss(seconds):
    return 0.05 * np.random.default_rng(0).uniform(-1, 1, round(seconds * RATE))


def movement(parts, spans, at=-1):
    """Return the final movement of one word of a clip made of `parts`, with words at `spans` in seconds."""
    samples = np.concatenate([*parts, np.zeros(RATE // 10)])
    words = [WordTime(word="w", start=start, end=end) for start, end in spans]
    return measure(Audio(samples.astype(np.float32), RATE), words).final_movement[at]


def spans_of(*seconds):
    return list(pairwise(np.cumsum([0, *seconds])))


BEFORE = [sound(seconds, pitch) for seconds, pitch in FLAT]
FOUR = spans_of(0.4, 0.4, 0.4, 0.4)


@pytest.mark.parametrize("size", [-6, -3, 0, 3, 6])
def test_a_glide_of_known_size(size):
    """The last 80 ms of a glide of 250 ms lie on average at 84 % of it."""
    assert movement([*BEFORE, sound(0.4, 0, size)], FOUR) == pytest.approx(0.84 * size, abs=0.08 * abs(size) + 0.1)


def test_a_fall_and_a_rise_on_one_word_end_as_high_as_the_rise_does():
    dip = [sound(0.2, 6, -4, 0.2), sound(0.25, -4, 4)]
    assert movement([*BEFORE, *dip], spans_of(0.4, 0.4, 0.4, 0.45)) == pytest.approx(0.84 * 8 - 4, abs=0.4)


def test_a_last_word_that_is_raised_as_a_whole_is_a_movement():
    assert movement([*BEFORE, sound(0.4, 2.5)], FOUR) == pytest.approx(2.5, abs=0.2)


@pytest.mark.parametrize("size", [-4, 4])
def test_an_accent_before_the_end_hardly_matters(size):
    accented = [sound(0.4, 0), sound(0.4, size), sound(0.4, 0), sound(0.4, 0, 3)]
    assert movement(accented, FOUR) == pytest.approx(movement([*BEFORE, sound(0.4, 0, 3)], FOUR), abs=0.5)


@pytest.mark.parametrize("size", [-5, 5])
def test_a_phrase_may_end_inside_a_sentence(size):
    """What follows does not count, with or without a pause."""
    phrase = [*BEFORE, sound(0.4, 0, size)]
    alone = movement(phrase, FOUR)
    for pause in (0.0, 0.3):
        longer = [*phrase, np.zeros(round(pause * RATE)), sound(0.6, -size)]
        found = movement(longer, [*FOUR, (1.6 + pause, 2.2 + pause)], at=3)
        assert found == pytest.approx(alone, abs=0.6)


def test_a_pause_before_the_last_word_does_not_shorten_the_stretch():
    rise = sound(0.4, 0, 4)
    apart = movement([*BEFORE, np.zeros(RATE), rise], [*FOUR[:3], (2.2, 2.6)])
    assert apart == pytest.approx(movement([*BEFORE, rise], FOUR), abs=0.2)


@pytest.mark.parametrize("size", [-5, 5])
def test_a_voiceless_end_is_passed_over_if_it_is_short(size):
    voiced, spans = [*BEFORE, sound(0.4, 0, size)], spans_of(0.4, 0.4, 0.4, 0.55)
    assert movement([*voiced, hiss(0.15)], spans) == pytest.approx(movement(voiced, FOUR), abs=0.5)
    assert np.isnan(movement([*voiced, hiss(0.5)], spans_of(0.4, 0.4, 0.4, 0.9)))


def test_a_creaky_end_is_no_rise():
    """Two periods of creak, which the tracker takes for one an octave higher, after an unvoiced stretch."""
    creak = [sound(0.3, 0, -3), hiss(0.06), sound(0.035, 12), hiss(0.04)]
    assert movement([*BEFORE, *creak], spans_of(0.4, 0.4, 0.4, 0.435)) < 0


@pytest.mark.parametrize("size", [-5, 5])
def test_a_phrase_of_one_word(size):
    found = movement([sound(0.5, 0, size)], [(0.0, 0.5)])
    assert found * np.sign(size) > 1.5


def test_a_word_without_voice_has_no_movement():
    assert np.isnan(movement([*BEFORE, hiss(0.4)], FOUR))
    dash = [*FOUR, (1.6, 1.6)]
    assert np.isnan(movement([*BEFORE, sound(0.4, 0)], dash)), "a token that is not spoken"
