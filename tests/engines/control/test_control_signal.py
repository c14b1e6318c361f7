"""Changes of a signal: what is asked for happens, and the rest of the samples stay."""

import numpy as np
import pytest

from harness.audio import Audio
from harness.engines.control.curves import Curves, Track, draw, limits_hz
from harness.engines.control.plan import Phone, make_plan
from harness.engines.control.signal import add_gain, add_silence, quietest_time, room_tone, shift_pitch, track_of
from harness.tagged import TaggedText

RATE = 16000


def buzz(seconds=2.0, hertz=120.0):
    times = np.arange(int(seconds * RATE)) / RATE
    harmonics = sum(np.cos(2 * np.pi * hertz * k * times) / k for k in range(1, 20))
    return Audio((0.1 * harmonics).astype(np.float32), RATE)


def curves(semitones=0.0, decibels=0.0, start=0.8, end=1.2):
    times = np.arange(0, 2, 0.005)
    inside = ((times >= start) & (times <= end)).astype(float)
    return Curves(times, semitones * inside, decibels * inside)


def test_pitch_moves_inside_and_samples_stay_outside():
    pytest.importorskip("parselmouth")
    audio = buzz()
    changed = shift_pitch(audio, curves(semitones=4))
    track = track_of(changed)
    assert np.median(track.hz[(track.times > 0.9) & (track.times < 1.1)]) == pytest.approx(
        120 * 2 ** (4 / 12), rel=0.02
    )
    assert np.array_equal(changed.samples[: int(0.74 * RATE)], audio.samples[: int(0.74 * RATE)])
    assert np.array_equal(changed.samples[int(1.26 * RATE) :], audio.samples[int(1.26 * RATE) :])
    assert np.array_equal(changed.samples, shift_pitch(audio, curves(semitones=4)).samples), "repeatable"
    assert shift_pitch(audio, curves()) is audio


def test_gain_is_exact_and_never_clips():
    audio = buzz()
    louder = add_gain(audio, curves(decibels=3))
    middle = slice(int(0.9 * RATE), int(1.1 * RATE))
    assert louder.samples[middle] / audio.samples[middle] == pytest.approx(10 ** (3 / 20), rel=1e-4)
    assert np.abs(add_gain(audio, curves(decibels=30)).samples).max() <= 1


def test_silence_has_its_length_and_the_noise_of_the_room():
    rng = np.random.default_rng(0)
    noise = (3e-4 * rng.standard_normal(2 * RATE)).astype(np.float32)
    speech = buzz().samples.copy()
    speech[RATE // 2 : RATE] = 0
    audio = Audio(speech + noise, RATE)
    longer = add_silence(audio, 0.75, 0.4)
    assert len(longer.samples) == len(audio.samples) + int(0.4 * RATE)
    added = longer.samples[int(0.78 * RATE) : int(1.1 * RATE)]
    assert np.sqrt((added**2).mean()) == pytest.approx(3e-4, rel=0.15)
    assert quietest_time(audio, 0.2, 1.4) == pytest.approx(0.75, abs=0.26)
    assert not room_tone(Audio(np.zeros(RATE, np.float32), RATE), 10).any(), "digital silence has no room"
    for at in (0.0, 2.0):
        assert add_silence(audio, at, 0.4).seconds == pytest.approx(2.4)


@pytest.mark.parametrize(("tag", "end"), [("pitch_rising", 6.0), ("pitch_falling", -4.0)])
def test_a_glide_ends_away_from_the_middle_and_inside_the_range_of_the_voice(tag, end):
    text = TaggedText.parse(f"We go <{tag}> now")
    phones = [Phone(at, sign) for at, word in enumerate(("wi", "ɡo", "na")) for sign in word]
    spans = [(0.2 * at, 0.2 * at + 0.2) for at in range(6)]
    track = Track(np.arange(0, 1.2, 0.01), np.full(120, 120.0))
    drawn = draw(make_plan(text, phones), spans, track)
    last = drawn.semitones[(drawn.times > 1.15) & (drawn.times < 1.2)]
    assert (np.sign(end) * last > np.sign(end) * end).all()
    lowest, highest = limits_hz(track.hz)
    hertz = 120 * 2 ** (drawn.semitones / 12)
    assert lowest - 1e-6 <= hertz.min() and hertz.max() <= highest + 1e-6
    assert not draw(make_plan(text.stripped(), phones), spans, track).semitones.any()
    unvoiced = Track(track.times, np.full(120, np.nan))
    assert not draw(make_plan(text, phones), spans, unvoiced).semitones.any()
