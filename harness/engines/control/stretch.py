"""Longer and shorter phones of a finished signal, by Praat's overlap-add; the signal around them keeps its samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio
from harness.engines.control.curves import Span
from harness.engines.control.signal import CEILING_HZ, CROSSFADE, FLOOR_HZ, HOP, track_of

Samples = NDArray[np.float32]

CONTEXT = 0.15  # seconds on both sides of a stretch that Praat sees too, so that it finds the periods at the edges
GUARD = 0.03  # seconds on both sides that come from the changed signal
SLACK = 0.008  # seconds by which a joint may move, so that the periods of both sides meet; half a period at 60 Hz
EDGE = 0.001  # seconds between two factors
PITCH_RANGE = 0.55, 2.0  # of the median F0, in which periods are looked for


def stretch(audio: Audio, spans: Sequence[Span], factors: Sequence[float]) -> tuple[Audio, list[Span]]:
    """Change the lengths of phones.

    Parameters
    ----------
    audio : Audio
    spans : sequence of (float, float)
        Start and end of each phone in seconds, ascending.
    factors : sequence of float
        Factor of the length of each; 1 leaves it as it is.

    Returns
    -------
    Audio
    list of (float, float)
        Start and end of each phone in the new audio.
    """
    samples, rate, moved = audio.samples, audio.sample_rate, [*spans]
    runs = list(_runs(spans, factors)) if audio.seconds > 3 / FLOOR_HZ + HOP else []  # in less, Praat finds no periods
    periods = _pitch_range(audio) if runs else (FLOOR_HZ, CEILING_HZ)
    for first, last in reversed(runs):  # the last one first, so that the times of those before it stay
        pieces = _pieces(spans[first : last + 1], factors[first : last + 1])
        times = np.concatenate([[pieces[0][0]], [end for _, end, _ in pieces]])
        lengths = [(end - start) * factor for start, end, factor in pieces]
        new = pieces[0][0] + np.concatenate([[0.0], np.cumsum(lengths)])
        start, end, changed = _changed(Audio(samples, rate), pieces, float(new[-1] - times[-1]), periods)
        shift = (len(changed) - (end - start)) / rate
        samples = np.concatenate([samples[:start], changed, samples[end:]])
        for index in range(first, last + 1):
            moved[index] = (
                float(np.interp(spans[index][0], times, new)),
                float(np.interp(spans[index][1], times, new)),
            )
        moved[last + 1 :] = [(one + shift, other + shift) for one, other in moved[last + 1 :]]
    return Audio(samples.astype(np.float32), rate), moved


def _runs(spans: Sequence[Span], factors: Sequence[float]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last index of phones that change together, because they are too close for two joints."""
    changing = [index for index, (start, end) in enumerate(spans) if factors[index] != 1 and end > start]
    first = 0
    for place, index in enumerate(changing):
        following = changing[place + 1] if place + 1 < len(changing) else None
        if following is None or spans[following][0] - spans[index][1] > 2 * GUARD + 2 * CROSSFADE:
            yield changing[first], index
            first = place + 1


def _pieces(spans: Sequence[Span], factors: Sequence[float]) -> list[tuple[float, float, float]]:
    """Return start, end and factor of all parts of a run without gaps."""
    pieces: list[tuple[float, float, float]] = []
    for (start, end), factor in zip(spans, factors, strict=True):
        if pieces and start > pieces[-1][1]:
            pieces.append((pieces[-1][1], start, 1.0))
        if end > start:
            pieces.append((start, end, factor))
    return pieces


def _changed(
    audio: Audio, pieces: Sequence[tuple[float, float, float]], longer: float, periods: tuple[float, float]
) -> tuple[int, int, Samples]:
    """Return the first sample and the end of what is replaced, and what replaces it."""
    rate, count = audio.sample_rate, len(audio.samples)
    first, last = pieces[0][0], pieces[-1][1]
    low, high = max(0, round((first - CONTEXT) * rate)), min(count, round((last + CONTEXT) * rate))
    start, end = max(low, round((first - GUARD) * rate)), min(high, round((last + GUARD) * rate))
    inside = [(one - low / rate, other - low / rate, factor) for one, other, factor in pieces]
    sound = _resynthesised(Audio(audio.samples[low:high], rate), inside, periods)
    fade, slack = round(CROSSFADE * rate), round(SLACK * rate)
    head, tail = start - low, min(len(sound), end - low + round(longer * rate))
    if start > low:
        head += _lag(
            audio.samples[start : start + fade], sound[max(0, head - slack) : head + fade + slack], min(head, slack)
        )
    if end < high:
        tail += _lag(audio.samples[end - fade : end], sound[tail - fade - slack : tail + slack], slack)
    changed = sound[head:tail].copy()
    rising = np.linspace(0, 1, fade, dtype=np.float32)
    if start > low:
        changed[:fade] = changed[:fade] * rising + audio.samples[start : start + fade] * (1 - rising)
    if end < high:
        changed[-fade:] = changed[-fade:] * rising[::-1] + audio.samples[end - fade : end] * rising
    return start, end, changed


def _resynthesised(audio: Audio, pieces: Sequence[tuple[float, float, float]], periods: tuple[float, float]) -> Samples:
    """Return the samples with the lengths of the pieces changed."""
    import parselmouth
    from parselmouth.praat import call, run

    sound = parselmouth.Sound(audio.samples.astype(np.float64), sampling_frequency=audio.sample_rate)
    manipulation = call(sound, "To Manipulation", HOP, *periods)
    tier = call("Create DurationTier", "lengths", 0, audio.seconds)
    points = [(pieces[0][0] - EDGE, 1.0), *((time, factor) for start, end, factor in pieces for time in (start + EDGE, end)),
              (pieces[-1][1] + EDGE, 1.0)]  # fmt: skip
    for time, factor in points:
        if 0 <= time <= audio.seconds:
            call(tier, "Add point", time, factor)
    call([tier, manipulation], "Replace duration tier")
    # Praat copies voiceless parts from random places; with a fixed seed, equal changes give equal sounds.
    run("random_initializeWithSeedUnsafelyButPredictably (1)")
    try:
        changed = call(manipulation, "Get resynthesis (overlap-add)")
    finally:
        run("random_initializeSafelyAndUnpredictably ()")
    return np.clip(np.asarray(changed.values[0], dtype=np.float32), -1, 1)


def _lag(wanted: Samples, sound: Samples, middle: int) -> int:
    """Return how far from `middle` a piece of the sound begins that is most like the wanted one."""
    if len(sound) <= len(wanted):
        return 0
    size = len(wanted)
    total = np.concatenate([[0.0], np.cumsum(sound.astype(np.float64) ** 2)])
    likeness = np.correlate(sound, wanted, "valid") / np.sqrt(total[size:] - total[:-size] + 1e-9)
    return int(np.argmax(likeness)) - middle


def _pitch_range(audio: Audio) -> tuple[float, float]:
    """Return the F0 between which Praat looks for periods."""
    median = track_of(audio).median
    if not np.isfinite(median):
        return FLOOR_HZ, CEILING_HZ
    return max(FLOOR_HZ, PITCH_RANGE[0] * median), PITCH_RANGE[1] * median
