"""Features on synthetic clips whose pauses, pitch and levels are known."""

import numpy as np
import pytest

from harness.audio import Audio
from harness.errors import DataError
from harness.prosody.features import measure, semitones
from harness.records import WordTime

pytest.importorskip("parselmouth")

WORD = 0.3  # seconds


def tone(hz, seconds, rate, gain=0.2):
    """Return a buzz with the falling spectrum of a vowel, or noise for 0 Hz."""
    times = np.arange(round(seconds * rate)) / rate
    if not hz:
        return gain * np.random.default_rng(0).uniform(-1, 1, len(times))
    return gain * sum(np.sin(2 * np.pi * hz * k * times) / k for k in range(1, 8))


def scene(words, pauses, rate=16_000, floor=0.0):
    """Return a clip and its true word times, made from (hz, gain) words and the silences around them in seconds."""
    parts, times, now = [np.zeros(round(pauses[0] * rate))], [], pauses[0]
    for index, (hz, gain) in enumerate(words):
        parts += [tone(hz, WORD, rate, gain), np.zeros(round(pauses[index + 1] * rate))]
        times.append(WordTime(word=f"w{index}", start=now, end=now + WORD))
        now += WORD + pauses[index + 1]
    samples = np.concatenate(parts)
    samples = samples + floor * np.random.default_rng(2).normal(size=len(samples))
    return Audio(samples.astype(np.float32), rate), times


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_known_clip(rate):
    pauses = [0.25, 0.0, 0.2, 0.8, 0.1]
    audio, words = scene([(120, 0.2), (150, 0.1), (120, 0.4), (0, 0.2)], pauses, rate)
    found = measure(audio, words)
    assert found.pause == pytest.approx(pauses, abs=0.012)
    assert found.log_duration == pytest.approx(np.log([WORD] * 4))
    assert found.f0[:3] == pytest.approx(semitones(np.array([120, 150, 120])), abs=0.2)
    assert np.isnan(found.f0[3]) and found.voiced_fraction[3] < 0.1 and (found.voiced_fraction[:3] > 0.8).all()
    assert found.intensity[[1, 2]] - found.intensity[0] == pytest.approx([-6.02, 6.02], abs=0.3)
    assert found.track_times.shape == found.track_hz.shape and found.track_times[-1] < audio.seconds


@pytest.mark.parametrize("shift", [-0.12, 0.05])
def test_a_pause_is_found_although_the_aligner_misplaced_it(shift):
    """The boundary between two words is moved away from the middle of the pause."""
    audio, words = scene([(120, 0.2)] * 2, [0.1, 0.2, 0.1])
    middle = words[0].end + 0.1 + shift
    moved = [words[0].model_copy(update={"end": middle}), words[1].model_copy(update={"start": middle})]
    found = measure(audio, moved)
    assert found.pause == pytest.approx([0.1, 0.2, 0.1], abs=0.02)
    expected = measure(audio, words).intensity
    assert found.intensity == pytest.approx(expected, abs=0.3), "silence in a word does not count"


def test_a_silence_inside_a_word_is_not_a_pause_between_words():
    audio, words = scene([(120, 0.2)] * 3, [0.0, 0.15, 0.0, 0.0])
    word = WordTime(word="both", start=0.0, end=words[1].end)  # two bursts, one word
    assert measure(audio, [word, words[2]]).pause == pytest.approx([0, 0, 0], abs=0.012)


@pytest.mark.parametrize(("floor", "expected"), [(0.003, 0.4), (0.05, 0.0)])
def test_background_noise_counts_as_silence_only_below_the_threshold(floor, expected):
    """Word level is about -15 dB: noise of -50 dB is more than 25 dB below it, noise of -26 dB does not."""
    audio, words = scene([(120, 0.2)] * 2, [0.0, 0.4, 0.0], floor=floor)
    assert measure(audio, words).pause[1] == pytest.approx(expected, abs=0.02)


def test_added_silence_leaves_the_words_as_they_were():
    sounds = [(120, 0.2), (140, 0.1), (0, 0.1), (110, 0.02)]
    short, long = (measure(*scene(sounds, [0.1, 0.1, gap, 0.1, 0.1])) for gap in (0.1, 2.5))
    assert long.pause[2] - short.pause[2] == pytest.approx(2.4, abs=0.01)
    assert np.delete(long.pause - short.pause, 2) == pytest.approx(0, abs=0.01)
    assert long.intensity == pytest.approx(short.intensity, abs=0.2)
    assert long.f0 == pytest.approx(short.f0, abs=0.1, nan_ok=True)


def test_level_and_offset_move_nothing_but_intensity():
    audio, words = scene([(120, 0.2), (150, 0.1)], [0.1, 0.3, 0.1])
    base = measure(audio, words)
    other = measure(Audio(0.1 * audio.samples + np.float32(0.3), audio.sample_rate), words)
    assert other.intensity - base.intensity == pytest.approx(-20, abs=0.1)
    assert other.pause == pytest.approx(base.pause, abs=0.006) and other.f0 == pytest.approx(base.f0, abs=0.05)


@pytest.mark.parametrize("shift", [-6, -1.5, 3])
def test_pitch_shifts_of_known_size(shift):
    sounds = [(120, 0.2), (130, 0.2), (115, 0.2), (125, 0.2)]
    gaps = [0.1] * 5
    raised = [*sounds[:2], (115 * 2 ** (shift / 12), 0.2), sounds[3]]
    difference = measure(*scene(raised, gaps)).f0 - measure(*scene(sounds, gaps)).f0
    assert difference == pytest.approx([0, 0, shift, 0], abs=0.15)


def test_a_word_with_little_voice_has_no_pitch():
    audio, words = scene([(120, 0.2), (0, 0.2)], [0.1, 0.1, 0.1])
    whole = WordTime(word="long", start=words[1].start, end=words[1].end)
    tail = WordTime(word="sliver", start=words[0].end - 0.012, end=words[0].end)
    assert np.isnan(measure(audio, [whole]).f0).all()
    assert np.isnan(measure(audio, [tail]).f0).all()
    assert np.isfinite(measure(audio, [words[0]]).f0).all()


def test_tokens_that_are_not_spoken():
    audio, words = scene([(120, 0.2)] * 2, [0.1, 0.4, 0.1])
    dash = WordTime(word="-", start=words[0].end, end=words[0].end)
    found = measure(audio, [words[0], dash, words[1]])
    assert found.pause == pytest.approx([0.1, 0.4, 0.4, 0.1], abs=0.012)
    for values in (found.log_duration, found.intensity, found.f0):
        assert np.isnan(values[1]) and np.isfinite(values[[0, 2]]).all()


def test_a_very_short_clip_has_no_pitch_track():
    audio = Audio(tone(200, 0.05, 16_000).astype(np.float32), 16_000)
    found = measure(audio, [WordTime(word="a", start=0, end=0.05)])
    assert found.track_hz.size == 0 and np.isnan(found.f0).all() and np.isfinite(found.intensity).all()


def test_the_same_clip_gives_the_same_numbers():
    first, second = (measure(*scene([(120, 0.2), (0, 0.1)], [0.1, 0.2, 0.1], floor=0.001)) for _ in range(2))
    assert first.heard == second.heard == {}
    for name in first.__dataclass_fields__.keys() - {"heard"}:
        assert np.array_equal(getattr(first, name), getattr(second, name), equal_nan=True)


@pytest.mark.parametrize("spans", [[], [(0.1, 0.1)], [(0.0, 0.2), (0.1, 0.3)], [(0.0, 9.0)]])
def test_word_times_that_do_not_fit(spans):
    audio, _ = scene([(120, 0.2)], [0.0, 0.0])
    with pytest.raises(DataError):
        measure(audio, [WordTime(word="w", start=start, end=end) for start, end in spans])
