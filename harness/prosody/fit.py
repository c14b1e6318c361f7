"""How well does a text fit a clip? The path through its words is compared with the best path through any phones at all.

This is the usual confidence of keyword spotting and pronunciation scoring: the log likelihood of the words, minus that of a loop of
all phones over the same frames (Witt and Young 2000, "goodness of pronunciation", Speech Communication 30:95). The words of a text
that was said are about as likely as the loop; other words are far less likely.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.prosody.align import AlignmentError, add_pronunciations, decode, new_decoder
from harness.prosody.pronounce import PHONES, Pronunciation

_LOOP = "loop"
# The loop needs no exact path: these are pocketsphinx' beams for large vocabularies, far narrower than the aligner's.
_LOOP_BEAMS = {"beam": 1e-30, "wbeam": 1e-20, "pbeam": 1e-20}
_PHONE_PRIOR = 0.1  # probability of each next phone in the loop
# pocketsphinx counts acoustic scores in steps of 1024 (SENSCR_SHIFT in hmm.h) to the base 1.0001 (logbase).
_SCALE = 1024
_NATS = _SCALE * math.log(1.0001)


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
    array, shape (n, 3)
        For each word: its log likelihood ratio in nats per frame (about 0 if it fits, and negative if it does not), the lowest ratio
        among its phones, and its number of frames.

    Raises
    ------
    AlignmentError
        If no path through the words is found.
    """
    decoder = new_decoder(compallsen=True)
    names = [f"w{place}" for place in range(len(words))]
    for name, ways in zip(names, words, strict=True):
        add_pronunciations(decoder, name, ways)
    decoder.set_align_text(" ".join(names))
    decode(decoder, samples)
    decoder.set_alignment()
    decode(decoder, samples)
    free = np.concatenate([[0.0], np.cumsum(_free(samples))])
    rows = []
    for word in decoder.get_alignment() or ():
        if word.name.startswith("w"):
            ends = [(phone.start, phone.start + phone.duration, phone.score * _NATS) for phone in word]
            ratios = [(score - free[end] + free[start]) / (end - start) for start, end, score in ends]
            frames = [end - start for start, end, _ in ends]
            rows.append((np.average(ratios, weights=frames), min(ratios), sum(frames)))
    if len(rows) != len(words):
        raise AlignmentError(f"only {len(rows)} of {len(words)} words were found in the audio")
    return np.array(rows)


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
        frames += [_SCALE * math.log(max(segment.ascore, 1e-300)) / length] * length  # `ascore` is 1.0001 ** score
    return np.array(frames)
