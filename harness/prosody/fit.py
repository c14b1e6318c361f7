"""How well does a text fit a clip? The path through its words is compared with the best path through any phones at all.

This is the usual confidence of keyword spotting and pronunciation scoring: the log likelihood of the words, minus that of a loop of
all phones over the same frames (Witt and Young 2000, "goodness of pronunciation", Speech Communication 30:95). The words of a text
that was said are about as likely as the loop; other words are far less likely.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio
from harness.prosody.align import AlignmentError, MisfitError, add_pronunciations, decode, new_decoder, prepare
from harness.prosody.pronounce import PHONES, Pronunciation, pronounce_all
from harness.records import WordTime

# Chosen on sentences of `train`, spoken by espeak and Piper, 50 clips: of the right text at least 83 % of the words fit, of a text
# whose second half is another sentence's at most 73 %, of another sentence at most 42 %. (31 of 50 wrong texts have no path at all.)
WORD_MISFIT = 3.0  # nats per frame below the loop
# Halfway between right and wrong texts. Checked on 25 clips of `train` sentences (espeak, Piper and hibari: plain, tagged, and with the
# tags read aloud) and 13 recordings of people. Of the right text, at least 83 % of the words fit. None of 38 wrong texts of about the same
# length is accepted: 28 have no path, and of each of the others at most half of the words fit.
LEAST_FIT = 0.6  # share of fitting words below which a clip is not measured
UNFIT = "the words do not fit the audio"
DOUBTFUL = 0.75  # share of fitting words below which the text is probably not what was said
EXAMINED = 60.0  # seconds of a long recording
PASSAGE = 10.0  # seconds
FRAMES = 100  # of the acoustic model, a second
_LOOP = "loop"
# The loop needs no exact path: these are pocketsphinx' beams for large vocabularies, far narrower than the aligner's.
_LOOP_BEAMS = {"beam": 1e-30, "wbeam": 1e-20, "pbeam": 1e-20}
_PHONE_PRIOR = 0.1  # probability of each next phone in the loop
# pocketsphinx counts acoustic scores in steps of 1024 (SENSCR_SHIFT in hmm.h) to the base 1.0001 (logbase).
_SCALE = 1024
_NATS = _SCALE * math.log(1.0001)


def clip_fit(audio: Audio, words: Sequence[WordTime]) -> float:
    """Return the share of the words of a clip that fit its sound: about 1 for the text that was said.

    Of a long recording, passages at regular intervals are examined, `EXAMINED` seconds in all.

    Parameters
    ----------
    audio : Audio
    words : sequence of WordTime
        Result of `harness.prosody.align.align`.
    """
    spoken = [word for word in words if word.end > word.start]
    passages = list(_passages(spoken))
    step = max(1.0, (spoken[-1].end - spoken[0].start) / EXAMINED)
    fitting, examined = 0, 0
    for place in sorted({int(at * step) for at in range(math.ceil(len(passages) / step))}):
        passage = passages[place]
        first, last = (round(time * audio.sample_rate) for time in (passage[0].start, passage[-1].end))
        examined += len(passage)
        with suppress(AlignmentError):  # nothing of this passage fits
            samples, _ = prepare(Audio(audio.samples[first:last], audio.sample_rate))
            fitting += int(fitting_words(samples, pronounce_all([word.word for word in passage])).sum())
    return fitting / examined


def is_said(fit: float, words: int) -> bool:
    """Return whether a text was said in a clip, given the share of its words that fit and their number.

    One word may always misfit, because in a short text a single word ("hmm" can sound in many ways) has too much weight.

    >>> is_said(0.5, 2), is_said(0.5, 12), is_said(0.75, 12)
    (True, False, True)
    """
    return (1 - fit) * words <= max(1.5, (1 - LEAST_FIT) * words)


def _passages(words: Sequence[WordTime]) -> Iterator[Sequence[WordTime]]:
    """Yield the words in runs of `PASSAGE` seconds or a little more."""
    first = 0
    for last, word in enumerate(words):
        if word.end - words[first].start >= PASSAGE or last == len(words) - 1:
            yield words[first : last + 1]
            first = last + 1


def fitting_words(samples: NDArray[np.int16], words: Sequence[Sequence[Pronunciation]]) -> NDArray[np.bool_]:
    """Return for each word of a path whether it fits the audio: whether `WORD_MISFIT` is not exceeded.

    This is the first column of `word_fits` in two passes instead of three, because the phones are not needed.

    Parameters
    ----------
    samples : array of int16, shape (m,)
        Result of `harness.prosody.align.prepare`.
    words : sequence
        The pronunciations of each word, in order; silence between them is optional.

    Returns
    -------
    array of bool, shape (n,)

    Raises
    ------
    AlignmentError
        If no path through the words is found.
    """
    decoder = _on_path(samples, words)
    free = _sums(_free(samples))
    fitting = []
    for word in decoder.seg() or ():
        if word.word.startswith("w"):
            first, last = word.start_frame, word.end_frame + 1
            ratio = (_score(word) - free[min(last, len(free) - 1)] + free[first]) / (last - first)
            fitting.append(ratio >= -WORD_MISFIT)
    if len(fitting) != len(words):
        raise MisfitError(f"only {len(fitting)} of {len(words)} words were found in the audio")
    return np.array(fitting)


def word_fits(samples: NDArray[np.int16], words: Sequence[Sequence[Pronunciation]]) -> NDArray[np.float64]:
    """Return how well each word of a path fits the audio.

    Parameters
    ----------
    samples : array of int16, shape (m,)
        Result of `harness.prosody.align.prepare`.
    words : sequence
        The pronunciations of each word, in order; silence between them is optional.

    Returns
    -------
    array, shape (n, 4)
        For each word: its log likelihood ratio in nats per frame (about 0 if it fits, and negative if it does not), the lowest ratio
        among its phones, and its first frame and the frame after its last (`FRAMES` a second).

    Raises
    ------
    AlignmentError
        If no path through the words is found.
    """
    decoder = _on_path(samples, words)
    try:
        decoder.set_alignment()
    except RuntimeError as error:
        raise MisfitError("no path through the words fits the audio") from error
    decode(decoder, samples)
    free = _sums(_free(samples))
    rows = []
    for word in decoder.get_alignment() or ():
        if word.name.startswith("w"):
            ends = [(phone.start, phone.start + phone.duration, phone.score * _NATS) for phone in word]
            ratios = [(score - free[end] + free[start]) / (end - start) for start, end, score in ends]
            frames = [end - start for start, end, _ in ends]
            rows.append((np.average(ratios, weights=frames), min(ratios), ends[0][0], ends[-1][1]))
    if len(rows) != len(words):
        raise MisfitError(f"only {len(rows)} of {len(words)} words were found in the audio")
    return np.array(rows)


def _on_path(samples: NDArray[np.int16], words: Sequence[Sequence[Pronunciation]]) -> Any:
    """Return a decoder that has decoded the samples with the words "w0", "w1", …, in this order."""
    decoder = new_decoder(compallsen=True)
    names = [f"w{place}" for place in range(len(words))]
    for name, ways in zip(names, words, strict=True):
        add_pronunciations(decoder, name, ways)
    decoder.set_align_text(" ".join(names))
    decode(decoder, samples)
    return decoder


def _sums(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums of the values before each frame, and of all, shape (n + 1,)."""
    return np.concatenate([[0.0], np.cumsum(frames)])


def _score(segment: Any) -> float:
    """Return the acoustic log likelihood of a segment of a path in nats; `ascore` is 1.0001 ** score."""
    return _SCALE * math.log(max(segment.ascore, 1e-300))


def _free(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the log likelihood of each frame on the best path through a loop of all phones, in nats."""
    decoder = new_decoder(compallsen=True, **_LOOP_BEAMS)
    for phone in PHONES:
        decoder.add_word(phone, phone, phone == PHONES[-1])
    arcs = [(0, 0, _PHONE_PRIOR, phone) for phone in PHONES]
    decoder.add_fsg(_LOOP, decoder.create_fsg(_LOOP, 0, 0, arcs))
    decoder.activate_search(_LOOP)
    decode(decoder, samples)
    frames: list[float] = []
    for segment in decoder.seg() or ():
        length = segment.end_frame - segment.start_frame + 1
        frames += [_score(segment) / length] * length
    return np.array(frames)
