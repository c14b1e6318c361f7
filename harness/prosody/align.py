"""Forced alignment: find the start and end of each word of a known text in a clip.

pocketsphinx aligns with its en-us model in two passes: the first chooses pronunciations and silences, the second aligns
phones to them. The decoder's dictionary contains only the tokens of the clip, each under a separate name, so the
pronunciations are those of `harness.prosody.pronounce`. Every clip gets a new decoder, which takes 10 ms. No state passes
from clip to clip, so the alignment of a clip does not depend on the clips before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.audio import MIN_SECONDS, SILENCE_PEAK, Audio
from harness.errors import HarnessError
from harness.prosody.pronounce import Pronunciation, model_folder, pronounce_all
from harness.records import WordTime

RATE = 16_000  # Hz; the rate of the model (feat.params: filters from 130 to 6800 Hz)
FRAME_RATE = 100  # frames per second, the default of pocketsphinx, with which the model was trained
FRAME_WINDOW = 0.025625  # seconds, the default of pocketsphinx
# Frame k is computed from [k / 100, k / 100 + window]; it represents the 10 ms in the middle of that.
FRAME_OFFSET = (FRAME_WINDOW - 1 / FRAME_RATE) / 2
# No prior against silence between words (the default of pocketsphinx is 0.005). Compared with espeak's word times in 40
# sentences, the 99th percentile of the start error is 86 instead of 138 ms (median 11.7 instead of 10.1). On two hand-labelled
# recordings it is 52 instead of 147 ms, with equal medians. Word durations of three renderings by one neural voice (Piper)
# repeat better: rms .082 instead of .089.
SILENCE_PRIOR = 1.0
BEAM = 1e-100  # with the default beams up to 18 of 40 clips failed (FACTS, "Alignment and features")
MIN_FRAMES_PER_PHONE = 3  # a phone of the model has three states of at least one frame
SPEECH_DROP_DB = 40.0  # leading and trailing sound this far below the 95th-percentile level is cut off before alignment
MARGIN = 0.2  # seconds of it that are kept
# Level of the added noise relative to the peak. Synthetic pauses are digital silence, which has no logarithm.
DITHER_DB = -70.0
PEAK = 0.9  # of full scale, after normalising
# Was the text said at all? Checked on 120 clips of sentences of `train` (espeak, Piper, hibari) and 12 recordings of people, each with its
# own text, none of which is refused, and with that of another clip of the same length, none of which is accepted (half of these have
# no path). The cheapest question comes first. A text that was not said squeezes many phones to the least length (a third of them, in
# slow recordings at least 6 %) and stretches others: the standard deviation of their log lengths is then .61 or more. Where neither is
# seen, nothing more is computed. Then the mean log likelihood of the words decides, in nats per frame and relative to the likeliest
# sound of each frame. A second in the middle is enough if it is likely; otherwise the whole clip has -7.5 or more with its own text,
# and -8.5 or less with another. A text whose second half is wrong has -8.7 to -5.6, so it mostly passes.
UNHURRIED, EVEN = 0.12, 0.58
LIKELY, LEAST_LIKELY = -6.5, -8.0
MIDDLE = 120  # frames
SCORE_STEP = 1024  # in which pocketsphinx counts acoustic scores (SENSCR_SHIFT in hmm.h)
UNFIT = "the words do not fit the audio"
MODEL_RATES = (4_000, 384_000)  # Hz; a clip with a lower or higher rate is not audio


class AlignmentError(HarnessError):
    """The words could not be aligned to the audio; the message says why."""


class MisfitError(AlignmentError):
    """The clip can be read, but its sound is not that of the words."""


class PhoneTime(NamedTuple):
    """A phone (ARPAbet without stress), and its start and end in seconds."""

    phone: str
    start: float
    end: float


class Aligned(NamedTuple):
    """Times of the words of a clip and of the phones of each word (none for a token that is not spoken), and whether it says them."""

    words: list[WordTime]
    phones: list[list[PhoneTime]]
    said: bool = True


def align(audio: Audio, words: Sequence[str]) -> list[WordTime]:
    """Find each word in a clip.

    A clip longer than `harness.prosody.stretches.LONG` is cut at pauses into stretches that are aligned one by one.

    Parameters
    ----------
    audio : Audio
        Clip of any level and rate within `MODEL_RATES`; an offset (DC) and leading or trailing silence do no harm.
    words : sequence of str
        Words of the text, punctuation attached. Silence is allowed between any two of them.

    Returns
    -------
    list of WordTime
        Times of each word, in order, in seconds from the start of the clip, to about 10 ms. A token without anything
        speakable ("-") has no length and is placed at the end of the word before it.

    Raises
    ------
    AlignmentError
        If nothing in the text is speakable, the audio is silent or too short for it, or no path fits. For a long clip, the
        message says where the text was lost.
    """
    return alignment(audio, words).words


def alignment(audio: Audio, words: Sequence[str], *, check: bool = False) -> Aligned:
    """Find words and phones in a clip. See `align`, also for the errors.

    Parameters
    ----------
    audio : Audio
    words : sequence of str
    check : bool
        Whether to find out if the words were said at all; of a long clip, if most of them were.
    """
    from harness.prosody.stretches import LONG, stretches  # which needs this module

    if audio.seconds <= LONG:
        return _align_clip(audio, words, check)
    found, said = Aligned([], []), 0
    for part in stretches(audio, words):
        with part.located():
            one = _align_clip(part.sound, part.words, check)
        found.words.extend(part.in_recording(one.words))
        found.phones.extend(
            [PhoneTime(phone, start + part.start, end + part.start) for phone, start, end in word]
            for word in one.phones
        )
        said += one.said * len(part.words)
    return found._replace(said=2 * said > len(words))


def _align_clip(audio: Audio, words: Sequence[str], check: bool) -> Aligned:
    """Align in one piece, with memory that grows with the square of the length."""
    pronunciations = pronounce_all(words)
    samples, offset = prepare(audio)
    check_length(samples, pronunciations)
    names = {f"w{index}": index for index, ways in enumerate(pronunciations) if ways}
    decoder = new_decoder()
    for name, index in names.items():
        add_pronunciations(decoder, name, pronunciations[index])
    with explained(len(words), audio.seconds):
        decoder.set_align_text(" ".join(names))
        decode(decoder, samples)
        times = second_pass(decoder, samples, offset, audio.seconds, words, names)
        phones: list[list[PhoneTime]] = [[] for _ in words]
        for entry in decoder.get_alignment():
            if (name := entry.name.partition("(")[0]) in names:
                phones[names[name]] = [
                    PhoneTime(phone.name, *(_seconds(frame, offset, audio.seconds)
                                            for frame in (phone.start, phone.start + phone.duration)))
                    for phone in entry
                ]  # fmt: skip
        said = not check or is_said(decoder, samples, [pronunciations[index] for index in names.values()])
        return Aligned(times, phones, said)


def check_length(samples: NDArray[np.int16], pronunciations: Sequence[Sequence[Pronunciation]]) -> None:
    """Raise an error if the clip is too short for the words.

    Raises
    ------
    AlignmentError
        If no word is speakable, or the phones do not fit into the samples.
    """
    if not any(pronunciations):
        raise AlignmentError("none of the words is speakable", remedy="give a text with at least one word")
    phones = sum(min(map(len, ways)) for ways in pronunciations if ways)
    if len(samples) / RATE * FRAME_RATE < phones * MIN_FRAMES_PER_PHONE:
        raise MisfitError(
            f"{len(samples) / RATE:.2f} s of sound is too short for {len(pronunciations)} words ({phones} phones)",
            remedy="check that text and clip belong together",
        )


def second_pass(
    decoder: Any, samples: NDArray[np.int16], offset: float, seconds: float, words: Sequence[str], names: dict[str, int]
) -> list[WordTime]:
    """Align phones to the path that the decoder has just found, and return the times of the words.

    Parameters
    ----------
    decoder : pocketsphinx.Decoder
        Decoder after its first pass over `samples`.
    samples, offset
        Results of `prepare`.
    seconds : float
        Length of the clip.
    words : sequence of str
    names : dict
        Index of the word for each name of a word in the decoder; other names on the path are ignored.

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
        raise MisfitError(f"only {len(found)} of {len(names)} words were found in the audio")
    spans = {index: tuple(_seconds(frame, offset, seconds) for frame in span) for index, span in found.items()}
    return list(_with_unspoken(words, spans))


def prepare(audio: Audio) -> tuple[NDArray[np.int16], float]:
    """Prepare a clip for the decoder.

    Returns
    -------
    samples : array of int16, shape (m,)
        Samples at `RATE`, without offset, normalised, cut to the part with sound (plus `MARGIN`), faintly dithered.
    offset : float
        Seconds that were cut off at the start.

    Raises
    ------
    AlignmentError
        If the clip is silent, very short, or holds NaN.
    """
    from scipy.signal import resample_poly

    check_rate(audio)
    samples = np.asarray(audio.samples, dtype=np.float64)
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


def check_rate(audio: Audio) -> None:
    """Raise an `AlignmentError` unless the clip has one channel at a rate within `MODEL_RATES`."""
    shape = np.shape(audio.samples)
    if len(shape) != 1 or not MODEL_RATES[0] <= audio.sample_rate <= MODEL_RATES[1]:
        raise AlignmentError(f"not a mono clip: samples of shape {shape} at {audio.sample_rate} Hz")


def _sounding(samples: NDArray[np.float64]) -> tuple[int, int]:
    """Return the first and last sample of the part with sound, including its margin."""
    hop = RATE // FRAME_RATE
    whole = samples[: len(samples) // hop * hop].reshape(-1, hop)
    level = 10 * np.log10((whole**2).mean(axis=1) + 1e-12)
    loud = np.flatnonzero(level > np.percentile(level, 95) - SPEECH_DROP_DB)
    margin = int(MARGIN * RATE)
    return max(0, int(loud[0]) * hop - margin), min(len(samples), (int(loud[-1]) + 1) * hop + margin)


def new_decoder(**options: Any) -> Any:
    """Return a pocketsphinx decoder with the en-us acoustic model and an empty dictionary; `options` are pocketsphinx' own."""
    folder = model_folder()
    from pocketsphinx import Decoder

    settings = {"bestpath": False, "beam": BEAM, "wbeam": BEAM, "pbeam": BEAM, "silprob": SILENCE_PRIOR, "cmn": "batch"}
    return Decoder(hmm=str(folder / "en-us"), dict=None, lm=None, loglevel="FATAL", **{**settings, **options})


def add_pronunciations(decoder: Any, name: str, pronunciations: Sequence[Pronunciation]) -> None:
    """Add a word with all its pronunciations to a decoder's dictionary."""
    for number, phones in enumerate(pronunciations, start=1):
        decoder.add_word(name if number == 1 else f"{name}({number})", " ".join(phones), number == len(pronunciations))


def is_said(decoder: Any, samples: NDArray[np.int16], path: Sequence[Sequence[Pronunciation]]) -> bool:
    """Return whether the words on the path of a decoder were said in the clip.

    Parameters
    ----------
    decoder : pocketsphinx.Decoder
        Decoder after `second_pass`. Its words are named "w…" or "t…".
    samples : array of int16, shape (m,)
        Result of `prepare`.
    path : sequence
        The pronunciations of each word on the path.
    """
    spans, lengths = list[tuple[int, int]](), list[int]()
    for word in decoder.get_alignment():  # an entry is only valid inside the loop
        if word.name[0] in "wt":
            spans.append((word.start, word.start + word.duration))
            lengths += [phone.duration for phone in word]
    if np.mean(np.array(lengths) <= MIN_FRAMES_PER_PHONE) <= UNHURRIED and np.std(np.log(lengths)) <= EVEN:
        return True
    first = last = len(spans) // 2
    while spans[last][1] - spans[first][0] < MIDDLE and last - first < len(spans) - 1:
        first, last = max(0, first - 1), min(len(spans) - 1, last + 1)
    hop = RATE // FRAME_RATE
    part = samples[spans[first][0] * hop : spans[last][1] * hop]
    return _likeness(part, path[first : last + 1]) >= LIKELY or _likeness(samples, path) >= LEAST_LIKELY


def _likeness(samples: NDArray[np.int16], path: Sequence[Sequence[Pronunciation]]) -> float:
    """Return the mean log likelihood of words in nats per frame, relative to the likeliest sound of each frame."""
    decoder = new_decoder(
        compallsen=True
    )  # all sounds are scored in each frame, and scores are relative to the likeliest
    names = [f"w{place}" for place in range(len(path))]
    for name, ways in zip(names, path, strict=True):
        add_pronunciations(decoder, name, ways)
    try:
        decoder.set_align_text(" ".join(names))
        decode(decoder, samples)
        if decoder.hyp() is None:
            return -math.inf
        spoken = [segment for segment in decoder.seg() or () if segment.word.startswith("w")]
    except RuntimeError:  # no path
        return -math.inf
    frames = sum(segment.end_frame - segment.start_frame + 1 for segment in spoken)
    return sum(map(score_of, spoken)) / frames if frames else -math.inf


def score_of(segment: Any) -> float:
    """Return the acoustic log likelihood of a segment of a path in nats; `ascore` is 1.0001 ** score."""
    return SCORE_STEP * math.log(max(segment.ascore, 1e-300))


def decode(decoder: Any, samples: NDArray[np.int16]) -> None:
    """Run the decoder's active search over a whole clip."""
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()


@contextmanager
def explained(n_words: int, seconds: float) -> Iterator[None]:
    """Turn the errors that pocketsphinx raises into a `MisfitError`."""
    try:
        yield
    except (RuntimeError, ValueError, TypeError) as error:  # TypeError: get_alignment() returned None
        raise MisfitError(f"no path through {seconds:.2f} s of audio fits the {n_words} words ({error})",
                          remedy="check that text and clip belong together") from error  # fmt: skip


def _seconds(frame: int, offset: float, end: float) -> float:
    """Return the start time of a frame, limited to the clip."""
    return round(min(max(0.0, offset + frame / FRAME_RATE + (FRAME_OFFSET if frame else 0)), end), 6)


def _with_unspoken(words: Sequence[str], spans: dict[int, tuple[float, ...]]) -> Iterator[WordTime]:
    """Yield the words in order; a word without a span has no length, at the end of the word before (or the start of the first)."""
    here = spans[min(spans)][0]
    for index, word in enumerate(words):
        start, end = spans.get(index, (here, here))
        yield WordTime(word=word, start=start, end=end)
        here = end
