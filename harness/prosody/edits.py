"""Known edits of a recording: doses for the detectors. Pitch and duration are edited by Praat's overlap-add (with parselmouth).

An edit changes one property by a known amount, at a known place, in a clip of any voice. Counting then shows whether a
detector fires more often at larger doses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.audio import Audio
from harness.prosody.features import CEILING_HZ, FLOOR_HZ
from harness.records import WordTime
from harness.tagged import Tag

FADE = 0.010  # seconds over which a change of level or a cut fades in and out, to avoid a click
_STEP = 0.01  # seconds between the points of Praat's pitch tier


def add_silence(audio: Audio, at: float, seconds: float) -> Audio:
    """Insert digital silence at a time; the sound fades out before it and in after it."""
    if seconds <= 0:
        return audio
    cut = min(max(round(at * audio.sample_rate), 0), len(audio.samples))
    fade = min(int(FADE * audio.sample_rate), cut, len(audio.samples) - cut)
    samples = audio.samples.copy()
    samples[cut - fade : cut] *= np.linspace(1, 0, fade, dtype=np.float32)
    samples[cut : cut + fade] *= np.linspace(0, 1, fade, dtype=np.float32)
    silence = np.zeros(round(seconds * audio.sample_rate), np.float32)
    return Audio(np.concatenate([samples[:cut], silence, samples[cut:]]), audio.sample_rate)


def add_gain(audio: Audio, start: float, end: float, decibels: float) -> Audio:
    """Make a part of the clip louder, with fades inside it; scale the whole clip down if it would clip."""
    times = np.arange(len(audio.samples)) / audio.sample_rate
    inside = np.clip(np.minimum((times - start) / FADE, (end - times) / FADE), 0, 1)
    samples = audio.samples * 10 ** (decibels * inside / 20)
    return Audio((samples / max(1.0, np.abs(samples).max())).astype(np.float32), audio.sample_rate)


def shift_pitch(audio: Audio, start: float, end: float, semitones: float) -> Audio:
    """Raise or lower the pitch of a part of the clip, by overlap-add; the duration does not change."""
    from parselmouth.praat import call

    if semitones == 0:
        return audio
    manipulation = _manipulation(audio)
    tier = call(manipulation, "Extract pitch tier")
    call(tier, "Multiply frequencies", start, end, 2 ** (semitones / 12))
    call([tier, manipulation], "Replace pitch tier")
    return _resynthesis(manipulation, audio)


def stretch(audio: Audio, start: float, end: float, factor: float) -> Audio:
    """Make a part of the clip longer or shorter by a factor, by overlap-add; the pitch does not change."""
    from parselmouth.praat import call

    if factor == 1:
        return audio
    edge = 0.001
    manipulation = _manipulation(audio)
    tier = call("Create DurationTier", "edit", 0, audio.seconds)
    for time, value in ((start - edge, 1.0), (start, factor), (end, factor), (end + edge, 1.0)):
        if 0 <= time <= audio.seconds:  # two points at one time would cancel
            call(tier, "Add point", time, value)
    call([tier, manipulation], "Replace duration tier")
    return _resynthesis(manipulation, audio)


def _manipulation(audio: Audio):
    import parselmouth
    from parselmouth.praat import call

    sound = parselmouth.Sound(audio.samples.astype(np.float64), sampling_frequency=audio.sample_rate)
    return call(sound, "To Manipulation", _STEP, FLOOR_HZ, CEILING_HZ)


def _resynthesis(manipulation, audio: Audio) -> Audio:
    """Return the edited sound. Praat copies voiceless parts from random places; with a fixed seed, equal edits give equal sounds."""
    from parselmouth.praat import call, run

    run("random_initializeWithSeedUnsafelyButPredictably (1)")
    try:
        sound = call(manipulation, "Get resynthesis (overlap-add)")
    finally:
        run("random_initializeSafelyAndUnpredictably ()")
    samples = np.asarray(sound.values[0], dtype=np.float32)
    return Audio(np.clip(samples, -1, 1), audio.sample_rate)


@dataclass(frozen=True)
class Edit:
    """One kind of edit, the tag whose detector should find it, and the doses, of which the first changes nothing."""

    name: str
    unit: str
    tag: Tag
    doses: tuple[float, ...]
    apply: Callable[[Audio, WordTime, float], Audio]


# Doses go from nothing to about three times the floor.
EDITS: tuple[Edit, ...] = (
    Edit("pause", "s", Tag.PAUSE_SHORT, (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45),
         lambda audio, word, dose: add_silence(audio, word.start, dose)),
    Edit("pitch", "st", Tag.PITCH_HIGH, (0.0, 0.75, 1.5, 2.25, 3.0, 4.5),
         lambda audio, word, dose: shift_pitch(audio, word.start, word.end, dose)),
    Edit("pitch down", "st", Tag.PITCH_LOW, (0.0, 0.75, 1.5, 2.25, 3.0, 4.5),
         lambda audio, word, dose: shift_pitch(audio, word.start, word.end, -dose)),
    Edit("gain", "dB", Tag.EMPH, (0.0, 1.5, 3.0, 4.5, 6.0, 9.0),
         lambda audio, word, dose: add_gain(audio, word.start, word.end, dose)),
    Edit("duration", "x", Tag.EMPH, (1.0, 1.2, 1.5, 1.8, 2.2),
         lambda audio, word, dose: stretch(audio, word.start, word.end, dose)),
)  # fmt: skip
