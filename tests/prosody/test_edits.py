"""Edits change one property by the given amount at the given place, as measured by the features."""

from functools import cache

import numpy as np
import pytest
from helpers import say

from harness.audio import Audio
from harness.prosody.align import align
from harness.prosody.edits import EDITS, FADE, add_gain, add_silence, shift_pitch, stretch
from harness.prosody.features import measure
from harness.records import WordTime
from harness.tagged import PAUSES, TaggedText

pytest.importorskip("parselmouth")
pytest.importorskip("pocketsphinx")

TEXT = TaggedText.from_plain("The old lighthouse guides small boats safely past the rocks.")
FIRST, MIDDLE, LAST = 0, 4, 9


@cache
def clip():
    return say(TEXT)


@cache
def words():
    return tuple(align(clip(), TEXT.words))


@cache
def before():
    return measure(clip(), words())


def lengths(times):
    return np.array([word.end - word.start for word in times])


def others(values, at):
    return np.delete(values, at)


def rms(samples):
    return np.sqrt(np.mean(np.square(samples, dtype=float)))


@pytest.mark.parametrize("at", [FIRST, MIDDLE, LAST])
@pytest.mark.parametrize("shift", [3.0, -3.0])
def test_pitch_is_shifted_on_one_word(at, shift):
    edited = shift_pitch(clip(), words()[at].start, words()[at].end, shift)
    change = measure(edited, words()).f0 - before().f0
    assert change[at] == pytest.approx(shift, abs=0.7)
    assert np.nanmax(np.abs(others(change, at))) < 0.7
    assert edited.seconds == pytest.approx(clip().seconds, abs=0.001), "duration stays"


@pytest.mark.parametrize("at", [MIDDLE, LAST])
def test_one_word_is_stretched(at):
    word = words()[at]
    edited = stretch(clip(), word.start, word.end, 1.5)
    assert edited.seconds - clip().seconds == pytest.approx(0.5 * (word.end - word.start), abs=0.01)
    ratio = lengths(align(edited, TEXT.words)) / lengths(words())
    assert ratio[at] == pytest.approx(1.5, abs=0.15)
    assert np.abs(others(ratio, at) - 1).max() < 0.15
    moved = [WordTime(word=w.word, start=w.start + late, end=w.end + (late if i != at else longer))
             for longer in [edited.seconds - clip().seconds]
             for i, w in enumerate(words()) for late in [longer if i > at else 0.0]]  # fmt: skip
    change = measure(edited, moved).f0 - before().f0
    assert np.nanmax(np.abs(change)) < 0.7, "pitch stays"


def test_a_word_at_the_very_start_is_stretched_as_much():
    edited = stretch(clip(), 0.0, words()[FIRST].end, 1.5)
    assert edited.seconds - clip().seconds == pytest.approx(0.5 * words()[FIRST].end, abs=0.01)


@pytest.mark.parametrize("at", [FIRST, MIDDLE, LAST])
def test_one_word_is_made_louder(at):
    edited = add_gain(clip(), words()[at].start, words()[at].end, 6.0)
    change = measure(edited, words()).intensity - before().intensity
    assert change[at] - np.median(others(change, at)) == pytest.approx(6, abs=0.7)
    assert np.ptp(others(change, at)) < 0.5
    assert len(edited.samples) == len(clip().samples)


def test_gain_is_exact_inside_its_fades_and_nothing_outside():
    flat = Audio(np.full(16000, 0.1, np.float32), 16000)
    edited = add_gain(flat, 0.25, 0.75, 6.0).samples
    assert edited[4000 + 160 : 12000 - 160] == pytest.approx(0.1 * 10 ** (6 / 20), rel=1e-4)
    assert np.array_equal(edited[:4000], flat.samples[:4000]) and np.array_equal(edited[12001:], flat.samples[12001:])
    assert np.abs(np.diff(edited)).max() < 0.1 * 2 / (0.5 * FADE * 16000), "no click"


@pytest.mark.parametrize("at", [FIRST, MIDDLE, LAST])
def test_silence_is_as_long_as_asked(at):
    edited = add_silence(clip(), words()[at].start, 0.3)
    assert edited.seconds - clip().seconds == pytest.approx(0.3, abs=1e-4)
    cut = round(words()[at].start * clip().sample_rate)
    length = round(0.3 * clip().sample_rate)
    assert not edited.samples[cut : cut + length].any()
    fade = int(FADE * clip().sample_rate)
    assert np.array_equal(edited.samples[: max(cut - fade, 0)], clip().samples[: max(cut - fade, 0)])
    assert np.array_equal(edited.samples[cut + length + fade :], clip().samples[cut + fade :])


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_the_first_dose_is_no_edit(edit):
    unchanged = edit.apply(clip(), words()[MIDDLE], edit.doses[0])
    assert np.array_equal(unchanged.samples, clip().samples)
    assert edit.doses[0] == (1 if edit.unit == "x" else 0)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_edges_and_the_largest_dose_do_no_harm(edit):
    original = clip().samples.copy()
    whole = WordTime(word="all", start=0.0, end=clip().seconds)
    empty = WordTime(word="-", start=1.0, end=1.0)
    for word in (words()[FIRST], words()[LAST], whole, empty):
        edited = edit.apply(clip(), word, edit.doses[-1])
        assert edited.sample_rate == clip().sample_rate and edited.samples.dtype == np.float32
        assert np.isfinite(edited.samples).all() and rms(edited.samples) > 0.2 * rms(original)
        assert np.abs(edited.samples).max() <= 1
    assert np.array_equal(clip().samples, original), "the given clip is not modified"


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_a_clip_at_full_scale_is_not_cut_off(edit):
    loud = Audio((clip().samples / np.abs(clip().samples).max()).astype(np.float32), clip().sample_rate)
    edited = edit.apply(loud, words()[MIDDLE], edit.doses[-1])
    assert np.sum(np.abs(edited.samples) >= 1) <= 2, "the signal itself has one peak at full scale"


@pytest.mark.parametrize("past", [0, 0.01])
def test_silence_may_be_added_at_the_end(past):
    """Word times may run `END_SLACK` past the clip."""
    end = add_silence(clip(), clip().seconds + past, 0.3)
    assert end.seconds - clip().seconds == pytest.approx(0.3, abs=1e-4 + 2 * past)


def test_doses_ascend_from_nothing_past_the_floor():
    for edit in EDITS:
        assert list(edit.doses) == sorted(set(edit.doses)) and len(edit.doses) >= 5
    assert {edit.tag in PAUSES for edit in EDITS} == {True, False}
    assert len({edit.name for edit in EDITS}) == len(EDITS)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_equal_edits_are_equal_sounds(edit):
    """Praat copies voiceless parts from random places; equal edits once differed by up to 0.7 of the measured cue."""
    first, again = (edit.apply(clip(), words()[MIDDLE], edit.doses[-1]).samples for _ in range(2))
    np.testing.assert_array_equal(first, again)
