"""Forced alignment: where each word of a known text lies in a clip.

pocketsphinx with its en-us model, in two passes: the first chooses pronunciations and silences, the second aligns
phones to them. The decoder's dictionary holds nothing but the words of the clip, each token under a name of its own,
so that pronunciations are ours (`harness.prosody.pronounce`). A decoder made so costs 10 ms, and one is made for every
clip: no state passes from clip to clip, and a clip aligns the same whatever came before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.audio import MIN_SECONDS, SILENCE_PEAK, Audio
from harness.errors import HarnessError
from harness.prosody.pronounce import model_folder, pronounce
from harness.records import WordTime

RATE = 16_000  # Hz; the model's own (feat.params: filters from 130 to 6800 Hz)
FRAME_RATE = 100  # frames a second, pocketsphinx' default, which the model was trained with
FRAME_WINDOW = 0.025625  # seconds, pocketsphinx' default window
# Frame k looks at [k / 100, k / 100 + window]; it stands for the 10 ms in the middle of that.
FRAME_OFFSET = (FRAME_WINDOW - 1 / FRAME_RATE) / 2
# No prior against silence between words (pocketsphinx has 0.005). Measured against espeak's word times, 40 sentences: 99th
# percentile of the start error 86 instead of 138 ms, median 11.7 instead of 10.1; on two hand-labelled recordings 52 instead
# of 147 ms, medians alike; word durations of three readings by one neural voice (Piper) repeat better: rms .082, not .089.
SILENCE_PRIOR = 1.0
BEAM = 1e-100  # with the default beams up to 18 of 40 clips failed (FACTS, "Alignment and features")
MIN_FRAMES_PER_PHONE = 3  # the model's phones have three states, one frame each at least
SPEECH_DROP_DB = 40.0  # edges this far below the 95th-percentile level are cut off before alignment
MARGIN = 0.2  # seconds kept beyond them
# Noise added, relative to the peak: digital silence has no logarithm, and synthetic pauses are digital.
DITHER_DB = -70.0
PEAK = 0.9  # of full scale, after normalising
MODEL_RATES = (4_000, 384_000)  # Hz that a clip may have; outside it is not audio


class AlignmentError(HarnessError):
    """The words could not be aligned to the audio; the message says why."""


def align(audio: Audio, words: Sequence[str]) -> list[WordTime]:
    """Find each word in a clip.

    Parameters
    ----------
    audio : Audio
        Any sample rate and level; an offset (DC) and leading or trailing silence do no harm.
    words : sequence of str
        As the text has them, punctuation attached. Silence between words is allowed everywhere.

    Returns
    -------
    list of WordTime
        One for each word, in order, in seconds from the start of the clip, to about 10 ms. A token that holds nothing
        speakable ("-") has no length and lies at the end of the word before it.

    Raises
    ------
    AlignmentError
        If nothing in the text is speakable, the audio is silent or too short for it, or no path fits.
    """
    readings = [pronounce(word) for word in words]
    samples, offset = prepare(audio)
    check_length(samples, readings)
    names = {f"w{index}": index for index, reading in enumerate(readings) if reading}
    decoder = new_decoder()
    for name, index in names.items():
        add_readings(decoder, name, readings[index])
    with explained(len(words), audio.seconds):
        decoder.set_align_text(" ".join(names))
        decode(decoder, samples)
        return second_pass(decoder, samples, offset, audio.seconds, words, names)


def check_length(samples: NDArray[np.int16], readings: Sequence[Sequence[Sequence[str]]]) -> None:
    """Refuse a text that nobody can have said in the time.

    Raises
    ------
    AlignmentError
        If no word is speakable, or the phones do not fit into the samples.
    """
    if not any(readings):
        raise AlignmentError("none of the words is speakable", remedy="give a text with at least one word")
    phones = sum(min(map(len, reading)) for reading in readings if reading)
    if len(samples) / RATE * FRAME_RATE < phones * MIN_FRAMES_PER_PHONE:
        raise AlignmentError(
            f"{len(samples) / RATE:.2f} s of sound is too short for {len(readings)} words ({phones} phones)",
            remedy="check that text and clip belong together",
        )


def second_pass(
    decoder: Any, samples: NDArray[np.int16], offset: float, seconds: float, words: Sequence[str], names: dict[str, int]
) -> list[WordTime]:
    """Align phones to the path that the decoder has just found, and read off where the words lie.

    Parameters
    ----------
    decoder : pocketsphinx.Decoder
        After its first pass over `samples`.
    samples, offset : as `prepare` gives them
    seconds : float
        Length of the clip.
    words : sequence of str
    names : dict
        The word's index for each name that stands for a word in the decoder; other names on the path are left out.

    Raises
    ------
    AlignmentError
        If a word is missing.
    """
    decoder.set_alignment()
    decode(decoder, samples)
    found = {
        names[name]: (entry.start, entry.start + entry.duration)
        for entry in decoder.get_alignment()
        if (name := entry.name.partition("(")[0]) in names
    }
    if len(found) != len(names):
        raise AlignmentError(f"only {len(found)} of {len(names)} words were found in the audio")
    spans = {index: tuple(_seconds(frame, offset, seconds) for frame in span) for index, span in found.items()}
    return list(_with_unspoken(words, spans))


def prepare(audio: Audio) -> tuple[NDArray[np.int16], float]:
    """Make a clip fit for the decoder.

    Returns
    -------
    samples : array of int16, shape (m,)
        At `RATE`, without offset, normalised, cut to the stretch that holds sound (plus `MARGIN`), faintly dithered.
    offset : float
        Seconds that were cut off at the front.

    Raises
    ------
    AlignmentError
        If the clip is silent, very short, or holds NaN.
    """
    from scipy.signal import resample_poly

    samples = np.asarray(audio.samples, dtype=np.float64)
    if samples.ndim != 1 or not MODEL_RATES[0] <= audio.sample_rate <= MODEL_RATES[1]:
        raise AlignmentError(f"not a mono clip: samples of shape {samples.shape} at {audio.sample_rate} Hz")
    if audio.seconds < MIN_SECONDS:
        raise AlignmentError(f"the clip is {audio.seconds * 1000:.0f} ms long; there is no word so short")
    if not np.isfinite(samples).all():
        raise AlignmentError("the clip holds NaN or infinite samples")
    samples = samples - np.median(samples)  # the median, because a click at an edge moves the mean
    if (peak := np.abs(samples).max()) < SILENCE_PEAK:
        raise AlignmentError("the clip is silent")
    common = math.gcd(audio.sample_rate, RATE)
    samples = resample_poly(samples / peak, RATE // common, audio.sample_rate // common)
    first, last = _sounding(samples)
    samples = PEAK * samples[first:last] / np.abs(samples).max()
    samples += np.random.default_rng(0).normal(0, 10 ** (DITHER_DB / 20), len(samples))
    return np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16), first / RATE


def _sounding(samples: NDArray[np.float64]) -> tuple[int, int]:
    """First and last sample of the stretch that holds sound, with its margin."""
    hop = RATE // FRAME_RATE
    whole = samples[: len(samples) // hop * hop].reshape(-1, hop)
    level = 10 * np.log10((whole**2).mean(axis=1) + 1e-12)
    loud = np.flatnonzero(level > np.percentile(level, 95) - SPEECH_DROP_DB)
    margin = int(MARGIN * RATE)
    return max(0, int(loud[0]) * hop - margin), min(len(samples), (int(loud[-1]) + 1) * hop + margin)


def new_decoder() -> Any:
    """A pocketsphinx decoder with the en-us acoustic model and an empty dictionary."""
    folder = model_folder()
    from pocketsphinx import Decoder

    return Decoder(
        hmm=str(folder / "en-us"), dict=None, lm=None, bestpath=False, beam=BEAM, wbeam=BEAM, pbeam=BEAM, silprob=SILENCE_PRIOR,
        cmn="batch", loglevel="FATAL",
    )  # fmt: skip


def add_readings(decoder: Any, name: str, readings: Sequence[Sequence[str]]) -> None:
    """Put a word with all its pronunciations into a decoder's dictionary."""
    for number, phones in enumerate(readings, start=1):
        decoder.add_word(name if number == 1 else f"{name}({number})", " ".join(phones), number == len(readings))


def decode(decoder: Any, samples: NDArray[np.int16]) -> None:
    """Run the decoder's active search over a whole clip."""
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()


@contextmanager
def explained(n_words: int, seconds: float) -> Iterator[None]:
    """Turn what pocketsphinx raises into an `AlignmentError`."""
    try:
        yield
    except (RuntimeError, ValueError, TypeError) as error:  # TypeError: get_alignment() gave None
        raise AlignmentError(f"no path through {seconds:.2f} s of audio fits the {n_words} words ({error})",
                             remedy="check that text and clip belong together") from error  # fmt: skip


def _seconds(frame: int, offset: float, end: float) -> float:
    """Time at which a frame begins; the clip's own start and end are the limits."""
    return round(min(max(0.0, offset + frame / FRAME_RATE + (FRAME_OFFSET if frame else 0)), end), 6)


def _with_unspoken(words: Sequence[str], spans: dict[int, tuple[float, ...]]) -> Iterator[WordTime]:
    """Words in order; those without a span get no length, at the end of the word before (or the start of the first)."""
    here = spans[min(spans)][0]
    for index, word in enumerate(words):
        start, end = spans.get(index, (here, here))
        yield WordTime(word=word, start=start, end=end)
        here = end
