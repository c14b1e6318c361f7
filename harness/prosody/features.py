"""Measurements of each word and each gap of a clip: pauses, duration, intensity, pitch.

Word times come from forced alignment and are accurate to 10-30 ms, but a short pause is easily taken for part of a word.
So pauses are measured in the signal, as the run of low energy at a gap, even if the aligner misplaced the boundary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio
from harness.errors import DataError
from harness.records import WordTime

if TYPE_CHECKING:
    from harness.prosody.listeners.scores import Heard

Array = NDArray[np.float64]

SILENCE_DROP_DB = 25.0  # silence is this far below the words' 95th-percentile level (FACTS, "Alignment and features")
SPEECH_PERCENTILE = 95.0
ENERGY_WINDOW = 0.020  # seconds; longer than a period of the lowest voice (60 Hz: 17 ms), so that the level does not fluctuate with it
ENERGY_HOP = 0.005  # seconds
BOUNDARY_SLACK = 0.06  # seconds between a silence and the aligned gap; twice the aligner's p90 error on espeak (31 ms)
FLOOR_HZ, CEILING_HZ = 60.0, 500.0  # limits of the pitch track: low male to high female speech
# The track is computed twice: the quartiles of the first pass give the range of the second (De Looze & Hirst 2008; factors
# 0.75 and 1.5 there, 2.5 for expressive speech in Hirst 2011). The floor is lower here, so that a word lowered by half an
# octave is still found; the ceiling leaves 10 semitones above the third quartile. It was chosen on the last words of phrases in
# five renderings of 60 training sentences by one neural voice (Piper). With a ceiling of 2.5, the difference between renderings has
# a standard deviation of 2.9 semitones and a 99th percentile of 14.6 (octave errors in creaky ends); with 1.8, 1.4 and 4.2.
FLOOR_FACTOR, CEILING_FACTOR = 0.6, 1.8
MIN_FRAMES_FOR_RANGE = 20  # voiced, 0.1 s; with fewer, the first pass is the result
PITCH_HOP = 0.005  # seconds
# A longer clip is measured in blocks of this length, so that an hour needs no more memory than its samples and its frames.
BLOCK = 120.0  # seconds
BLOCK_MARGIN = 1.0  # seconds of sound on both sides of a block that the pitch track of the block sees
MIN_VOICED_FRAMES = 4  # 20 ms; a median over fewer is noise
MIN_VOICED_FRACTION = 0.1  # of the word
# The final movement: the pitch where a word ends, above the lower third of the last 1.5 s of voicing. Only voiced frames are counted,
# so that voiceless consonants and pauses do not shorten the stretch. The four values were chosen on 70 labelled boundaries of a
# course in Dutch intonation (ToDI), and on training sentences by espeak (told contours) and Piper (untold); see the lab notes.
END_FRAMES = 16  # voiced, 80 ms; with 8 the 99th percentile of Piper's own differences was half as large again (creak)
REGISTER_FRAMES = 300  # voiced, 1.5 s; with 0.4 s, a last word that is high throughout is its own reference
REGISTER_PERCENTILE = 100 / 3  # wherever the accents of the stretch are, a fall ends at or below it, a rise well above
MAX_VOICELESS_END = 0.4  # seconds; if the voice stops sooner before the end of the word, there is no pitch at its end
REFERENCE_HZ = 100.0  # of the semitone scale
SMALLEST = 1e-12  # energy of digital silence, -120 dB
END_SLACK = 0.05  # seconds that word times may run past the clip


@dataclass(frozen=True, eq=False)
class ClipFeatures:
    """Measurements of a clip with n words.

    Parameters
    ----------
    pause : array, shape (n + 1,)
        Seconds of silence in the gap before each word; the last is the silence after the last word. The gaps on both sides of
        a token that is not spoken ("-") have the whole silence between its spoken neighbours.
    log_duration : array, shape (n,)
        Natural logarithm of the aligned duration in seconds; NaN for a token that is not spoken.
    intensity : array, shape (n,)
        Mean energy in dB re full scale, over the parts of the word that are not silence; NaN if not spoken.
    f0 : array, shape (n,)
        Median over voiced frames, in semitones re 100 Hz. NaN with fewer than `MIN_VOICED_FRAMES` voiced frames
        or less than `MIN_VOICED_FRACTION` of the word voiced.
    final_movement : array, shape (n,)
        Movement of the pitch towards the end of the word, in semitones: median of the word's last `END_FRAMES` voiced frames, minus
        the `REGISTER_PERCENTILE` of the last `REGISTER_FRAMES` voiced frames up to there, which may belong to earlier words. Positive
        after a rise, around zero or negative after a fall. NaN with fewer than `MIN_VOICED_FRAMES` voiced frames in the word, or if
        the last of them is more than `MAX_VOICELESS_END` before its end.
    voiced_fraction : array, shape (n,)
        Share of the word's pitch frames that are voiced; 0 if it has none.
    track_times, track_hz : array, shape (m,)
        Pitch track every 5 ms, in seconds and Hz; NaN where unvoiced.
    heard : mapping of str to Heard
        Scores by the name of each listener that was asked (`harness.prosody.listeners`); `measure` asks none.
    """

    pause: Array
    log_duration: Array
    intensity: Array
    f0: Array
    final_movement: Array
    voiced_fraction: Array
    track_times: Array
    track_hz: Array
    heard: Mapping[str, Heard] = field(default_factory=dict)


def measure(audio: Audio, words: Sequence[WordTime]) -> ClipFeatures:
    """Measure every word and gap of a clip.

    Parameters
    ----------
    audio : Audio
        Clip at 8 to 48 kHz.
    words : sequence of WordTime
        Words in order, not overlapping, as `harness.prosody.align.align` returns them.

    Raises
    ------
    DataError
        If no word has a length, or word times are out of order or beyond the clip.
    """
    check_words(audio, words)
    energy = _energy(audio)
    centres = energy_times(len(energy))
    spoken = np.zeros(len(energy), dtype=bool)
    for word in words:
        spoken[_inside(centres, word)] = True
    level = 10 * np.log10(energy)
    reference = np.percentile(level[spoken] if spoken.any() else level, SPEECH_PERCENTILE)
    silent = level < reference - SILENCE_DROP_DB
    times, hz = pitch_track(audio)
    f0, voiced_fraction = _word_pitch(times, hz, words)
    lengths = np.array([word.end - word.start for word in words])
    return ClipFeatures(
        pause=_pauses(silent, _gap_windows(words, audio.seconds)),
        log_duration=np.log(np.where(lengths > 0, lengths, np.nan)),
        intensity=np.array([_intensity(energy, centres, silent, word) for word in words]),
        f0=f0,
        final_movement=_final_movement(times, hz, words),
        voiced_fraction=voiced_fraction,
        track_times=times,
        track_hz=hz,
    )


def semitones(hz: Array | float) -> Array:
    """Return a frequency on the semitone scale: 12 log2(hz / 100 Hz)."""
    return np.asarray(12 * np.log2(np.asarray(hz) / REFERENCE_HZ), dtype=np.float64)


def check_words(audio: Audio, words: Sequence[WordTime]) -> None:
    """Check that the words of a clip can be measured.

    Raises
    ------
    DataError
        If no word has a length, or word times are out of order, overlap, or end beyond the clip.
    """
    if not any(word.end > word.start for word in words):
        raise DataError("there is no word with a length to measure")
    edges = np.array([edge for word in words for edge in (word.start, word.end)])
    if (np.diff(edges) < -1e-6).any():
        raise DataError("the word times are out of order")
    if edges[-1] > audio.seconds + END_SLACK:
        raise DataError(f"the words end at {edges[-1]:.2f} s, but the clip is {audio.seconds:.2f} s long",
                        remedy="check that word times and clip belong together")  # fmt: skip


# --- energy ----------------------------------------------------------------------------------------------------------


def energy_times(n_frames: int) -> Array:
    """Return the centres of the energy frames in seconds, shape (n_frames,)."""
    return np.arange(n_frames, dtype=np.float64) * ENERGY_HOP + ENERGY_WINDOW / 2


def _energy(audio: Audio) -> Array:
    """Return the mean square of each frame without offset, shape (frames,). Frame k covers [k hop, k hop + window]."""
    n, block = len(audio.samples), round(BLOCK * audio.sample_rate)
    mean = sum(audio.samples[at : at + block].astype(np.float64).sum() for at in range(0, n, block)) / n
    count = max(1, int((audio.seconds - ENERGY_WINDOW) / ENERGY_HOP + 1e-9) + 1)
    starts = np.round(np.arange(count) * ENERGY_HOP * audio.sample_rate).astype(int)
    ends = np.minimum(starts + round(ENERGY_WINDOW * audio.sample_rate), n)
    energy, frames = np.empty(count), round(BLOCK / ENERGY_HOP)
    for at in range(0, count, frames):
        first, last = starts[at : at + frames], ends[at : at + frames]
        samples = audio.samples[first[0] : last[-1]].astype(np.float64) - mean
        total = np.concatenate([[0.0], np.cumsum(samples**2)])
        energy[at : at + frames] = (total[last - first[0]] - total[first - first[0]]) / np.maximum(last - first, 1)
    return np.maximum(energy, SMALLEST)


def _inside(times: Array, word: WordTime) -> slice:
    """Return the places of the ascending `times` at which a word is said."""
    return slice(*(int(place) for place in np.searchsorted(times, [word.start, word.end])))


def _intensity(energy: Array, centres: Array, silent: NDArray[np.bool_], word: WordTime) -> float:
    """Return the level of a word in dB without its silent parts, unless the whole word is silent."""
    if word.end <= word.start:
        return float("nan")
    inside = _inside(centres, word)
    if inside.start >= inside.stop:  # shorter than a hop
        nearest = int(np.argmin(np.abs(centres - (word.start + word.end) / 2)))
        inside = slice(nearest, nearest + 1)
    heard, sounding = energy[inside], ~silent[inside]
    return float(10 * np.log10(heard[sounding if sounding.any() else slice(None)].mean()))


# --- pauses ----------------------------------------------------------------------------------------------------------


def _gap_windows(words: Sequence[WordTime], end: float) -> list[tuple[float, float, float, float]]:
    """Return the search window (from, to) and the aligned gap (from, to) of each gap, in seconds.

    The window reaches from the middle of the spoken word before the gap to the middle of the spoken word after it.
    """
    before: list[WordTime | None] = [None]
    for word in words:
        before.append(word if word.end > word.start else before[-1])
    after: list[WordTime | None] = [None]
    for word in reversed(words):
        after.append(word if word.end > word.start else after[-1])
    windows = []
    for last, following in zip(before, reversed(after), strict=True):
        look_from, left = ((last.start + last.end) / 2, last.end) if last else (0.0, 0.0)
        look_to, right = ((following.start + following.end) / 2, following.start) if following else (end, end)
        windows.append((look_from, look_to, left, right))
    return windows


def _pauses(silent: NDArray[np.bool_], windows: Sequence[tuple[float, float, float, float]]) -> Array:
    """Return for each gap the length of the longest run of silence that touches it, cut to the search window.

    A run of k frames covers (k - 1) hops and one window.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], silent.astype(np.int8), [0]])))
    starts = edges[::2] * ENERGY_HOP
    ends = (edges[1::2] - 1) * ENERGY_HOP + ENERGY_WINDOW
    pauses = np.zeros(len(windows))
    for gap, (look_from, look_to, left, right) in enumerate(windows):
        touching = slice(  # both are in ascending order
            np.searchsorted(ends, left - BOUNDARY_SLACK), np.searchsorted(starts, right + BOUNDARY_SLACK, side="right")
        )
        lengths = np.minimum(ends[touching], look_to) - np.maximum(starts[touching], look_from)
        pauses[gap] = max(0.0, lengths.max(initial=0.0))
    return pauses


# --- pitch -----------------------------------------------------------------------------------------------------------


def pitch_track(audio: Audio) -> tuple[Array, Array]:
    """Return the pitch by Praat's autocorrelation method (Boersma 1993), with a range fitted to the clip.

    Returns
    -------
    times : array, shape (m,)
        Times in seconds; empty for a clip shorter than three periods of the lowest pitch.
    hz : array, shape (m,)
        Pitch in Hz; NaN where unvoiced.
    """
    times, hz = _praat_pitch(audio, FLOOR_HZ, CEILING_HZ)
    voiced = hz[np.isfinite(hz)]
    if len(voiced) < MIN_FRAMES_FOR_RANGE:
        return times, hz
    low, high = np.quantile(voiced, [0.25, 0.75])
    return _praat_pitch(audio, max(FLOOR_HZ, FLOOR_FACTOR * low), min(CEILING_HZ, CEILING_FACTOR * high))


def _praat_pitch(audio: Audio, floor: float, ceiling: float) -> tuple[Array, Array]:
    if audio.seconds <= 3 / floor + PITCH_HOP:
        return np.empty(0), np.empty(0)
    if audio.seconds <= BLOCK:
        return _block_pitch(audio.samples, audio.sample_rate, floor, ceiling)
    parts = []
    for start in np.arange(0, audio.seconds, BLOCK):
        first = max(0, round((start - BLOCK_MARGIN) * audio.sample_rate))
        last = round((start + BLOCK + BLOCK_MARGIN) * audio.sample_rate)
        times, hz = _block_pitch(audio.samples[first:last], audio.sample_rate, floor, ceiling)
        times = times + first / audio.sample_rate
        own = (times >= start) & (times < start + BLOCK)
        parts.append((times[own], hz[own]))
    return np.concatenate([times for times, _ in parts]), np.concatenate([hz for _, hz in parts])


def _block_pitch(samples: NDArray[np.float32], rate: int, floor: float, ceiling: float) -> tuple[Array, Array]:
    import parselmouth

    sound = parselmouth.Sound(samples.astype(np.float64), sampling_frequency=rate)
    pitch = sound.to_pitch_ac(time_step=PITCH_HOP, pitch_floor=floor, pitch_ceiling=ceiling)
    hz = np.asarray(pitch.selected_array["frequency"], dtype=np.float64)
    return np.asarray(pitch.xs(), dtype=np.float64), np.where(hz > 0, hz, np.nan)


def _word_pitch(times: Array, hz: Array, words: Sequence[WordTime]) -> tuple[Array, Array]:
    """Return the median pitch of each word in semitones, and the share of voiced frames, shape (n,) each."""
    f0, fraction = np.full(len(words), np.nan), np.zeros(len(words))
    for index, word in enumerate(words):
        inside = hz[_inside(times, word)]
        voiced = inside[np.isfinite(inside)]
        fraction[index] = len(voiced) / len(inside) if len(inside) else 0.0
        if len(voiced) >= MIN_VOICED_FRAMES and fraction[index] >= MIN_VOICED_FRACTION:
            f0[index] = float(np.median(semitones(voiced)))
    return f0, fraction


def _final_movement(times: Array, hz: Array, words: Sequence[WordTime]) -> Array:
    """Return the movement of the pitch towards the end of each word in semitones, shape (n,); see `ClipFeatures`."""
    movement = np.full(len(words), np.nan)
    voiced = np.isfinite(hz)
    times, pitch = times[voiced], semitones(hz[voiced])
    for index, word in enumerate(words):
        inside = _inside(times, word)
        if inside.stop - inside.start < MIN_VOICED_FRAMES or times[inside.stop - 1] < word.end - MAX_VOICELESS_END:
            continue
        end = np.median(pitch[inside][-END_FRAMES:])
        register = np.percentile(pitch[max(0, inside.stop - REGISTER_FRAMES) : inside.stop], REGISTER_PERCENTILE)
        movement[index] = float(end - register)
    return movement
