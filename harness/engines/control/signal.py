"""Changes of a recorded or synthesised signal: F0 by Praat's overlap-add, level, and silence that sounds like the room.

What is not changed keeps its samples: overlap-add is heard, faintly, wherever it is applied.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio
from harness.engines.control.curves import Curves, Track
from harness.prosody.features import CEILING_HZ, FLOOR_HZ, pitch_track

Samples = NDArray[np.float32]

LIMITS_HZ = 45.0, 600.0  # of the F0 that overlap-add is asked for
HOP = 0.005  # seconds between the frames of a track
MARGIN = 0.03  # seconds around an F0 change that come from the changed signal
CROSSFADE = 0.020  # seconds between the original and the changed signal
FADE = 0.012  # seconds in which speech fades into inserted silence
ROOM = 0.060  # seconds of the quietest stretch of a clip, whose noise fills inserted silence
LOUDEST_ROOM = (
    1e-3  # root mean square of that noise, re full scale: if a clip has no quiet stretch, its speech is no room tone
)
PEAK = 0.99  # of full scale
MIN_VOICED = 20  # frames, 0.1 s; with fewer, the range of the voice is not known
WEAK_DB = 15.0  # F0 of frames this far below the loudest of their word is a guess of the tracker


def track_of(audio: Audio) -> Track:
    """Return the F0 of a clip every 5 ms, as the detectors see it: octave errors of creaky ends are left out."""
    return Track(*pitch_track(audio))


def shift_pitch(audio: Audio, curves: Curves, track: Track | None = None) -> Audio:
    """Change the F0 of a clip by overlap-add; outside the change the samples stay as they are.

    `track` is the clip's F0 if it is known already.
    """
    from parselmouth.praat import call, run

    if not curves.semitones.any():
        return audio
    hz = (track or track_of(audio)).hz
    voiced = hz[np.isfinite(hz)]
    low, high = FLOOR_HZ, CEILING_HZ
    if len(voiced) > MIN_VOICED:
        first, third = np.percentile(voiced, [25, 75])
        low, high = max(50.0, 0.55 * first), min(500.0, 2 * third)
    manipulation = call(_sound(audio), "To Manipulation", HOP, low, high)
    tier = call(manipulation, "Extract pitch tier")
    table = call(call(tier, "Down to TableOfReal", "Hertz"), "To Matrix")  # all points in two calls
    times, hertz = np.asarray(table.values, dtype=np.float64).reshape(-1, 2).T
    semitones = np.interp(times, curves.times, curves.semitones)
    for index in np.flatnonzero(semitones)[::-1]:  # the last one first, so that the numbers of those before it stay
        call(tier, "Remove point", int(index) + 1)
        call(tier, "Add point", times[index], float(np.clip(hertz[index] * 2 ** (semitones[index] / 12), *LIMITS_HZ)))
    call([tier, manipulation], "Replace pitch tier")
    # Praat copies voiceless parts from random places; with a fixed seed, equal changes give equal sounds.
    run("random_initializeWithSeedUnsafelyButPredictably (1)")
    try:
        sound = call(manipulation, "Get resynthesis (overlap-add)")
    finally:
        run("random_initializeSafelyAndUnpredictably ()")
    changed_samples = np.zeros(len(audio.samples), np.float32)
    values = np.asarray(sound.values[0], dtype=np.float32)[: len(changed_samples)]
    changed_samples[: len(values)] = values
    share = _share(audio, curves)
    samples = np.where(share > 0, changed_samples * share + audio.samples * (1 - share), audio.samples)
    return Audio(np.clip(samples, -1, 1).astype(np.float32), audio.sample_rate)


def _share(audio: Audio, curves: Curves) -> Samples:
    """Return the share of the changed signal in each sample: 1 around a change, 0 away from it."""
    rate, count = audio.sample_rate, len(audio.samples)
    moved = np.interp(np.arange(count) / rate, curves.times, (np.abs(curves.semitones) > 0.05).astype(float)) > 0
    wide = _widened(moved, round(MARGIN * rate)).astype(np.float32)
    fade = max(1, round(CROSSFADE * rate))
    total = np.concatenate(
        [[0.0], np.cumsum(np.pad(wide, (fade // 2, fade - fade // 2 - 1), mode="edge"), dtype=np.float64)]
    )
    return ((total[fade:] - total[:-fade]) / fade).astype(np.float32)


def _widened(flags: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    total = np.concatenate([[0], np.cumsum(flags)])
    places = np.arange(len(flags))
    return total[np.minimum(places + by + 1, len(flags))] > total[np.maximum(places - by, 0)]


def add_gain(audio: Audio, curves: Curves) -> Audio:
    """Change the level of a clip; if it would clip, the whole becomes softer."""
    if not curves.decibels.any():
        return audio
    decibels = np.interp(np.arange(len(audio.samples)) / audio.sample_rate, curves.times, curves.decibels)
    samples = audio.samples * 10 ** (decibels / 20)
    return Audio((samples / max(1.0, np.abs(samples).max() / PEAK)).astype(np.float32), audio.sample_rate)


def add_silence(audio: Audio, at: float, seconds: float) -> Audio:
    """Insert silence with the noise of the room at a time in seconds; speech fades out before it and in after it."""
    rate = audio.sample_rate
    cut = min(max(round(at * rate), 0), len(audio.samples))
    fade = min(round(FADE * rate), cut, len(audio.samples) - cut)
    room = room_tone(audio, round(seconds * rate) + 2 * fade)
    before, after = audio.samples[:cut].copy(), audio.samples[cut:].copy()
    if fade:
        rising = np.linspace(0, 1, fade, dtype=np.float32)
        before[-fade:] = before[-fade:] * (1 - rising) + room[:fade] * rising
        after[:fade] = after[:fade] * rising + room[-fade:] * (1 - rising)
        room = room[fade:-fade]
    return Audio(np.concatenate([before, room, after]), rate)


def room_tone(audio: Audio, count: int) -> Samples:
    """Return noise with the level and the colour of the quietest 60 ms of a clip, shape (count,)."""
    if count <= 0:
        return np.zeros(0, np.float32)
    size = min(round(ROOM * audio.sample_rate), len(audio.samples))
    power = _power(audio.samples, size)
    sounding = power > 1e-9  # digital silence has no room
    quietest = int(np.argmin(np.where(sounding, power, np.inf))) if sounding.any() else 0
    piece = audio.samples[quietest : quietest + size].astype(np.float64)
    piece -= piece.mean()
    colour = np.abs(np.fft.rfft(piece * np.hanning(size)))
    white = np.fft.rfft(np.random.default_rng(0).standard_normal(count))
    noise = np.fft.irfft(
        white * np.interp(np.linspace(0, 1, len(white)), np.linspace(0, 1, len(colour)), colour), count
    )
    level = min(float(np.sqrt((piece**2).mean())), LOUDEST_ROOM)
    return (noise * level / max(float(np.sqrt((noise**2).mean())), 1e-12)).astype(np.float32)


def quietest_time(audio: Audio, start: float, end: float, window: float = 0.02) -> float:
    """Return the middle of the quietest 20 ms between two times, in seconds."""
    size = round(window * audio.sample_rate)
    low = max(0, round(start * audio.sample_rate) - size // 2)
    high = min(len(audio.samples), round(end * audio.sample_rate) + size // 2)
    if high - low <= size:
        return (start + end) / 2
    return (low + int(np.argmin(_power(audio.samples[low:high], size))) + size / 2) / audio.sample_rate


def without_weak(track: Track, audio: Audio, words: list[tuple[float, float]]) -> Track:
    """Return a track without the F0 of frames that are much weaker than the loudest of their word."""
    size = max(1, round(0.02 * audio.sample_rate))
    power = _power(np.pad(audio.samples, (size // 2, size - size // 2)), size)
    level = 10 * np.log10(
        power[np.clip(np.round(track.times * audio.sample_rate).astype(int), 0, len(power) - 1)] + 1e-12
    )
    hz = track.hz.copy()
    for start, end in words:
        inside = (track.times >= start) & (track.times <= end)
        if inside.any():
            hz[inside & (level < level[inside].max() - WEAK_DB)] = np.nan
    return Track(track.times, hz)


def _power(samples: Samples, size: int) -> NDArray[np.float64]:
    """Return the mean square of each run of `size` samples, shape (samples - size + 1,)."""
    total = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    return np.maximum(total[size:] - total[:-size], 0) / size


def _sound(audio: Audio):
    import parselmouth

    return parselmouth.Sound(audio.samples.astype(np.float64), sampling_frequency=audio.sample_rate)
