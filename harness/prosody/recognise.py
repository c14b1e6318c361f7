"""What words does a recogniser hear in a clip? For word error rates, which say whether speech can be understood.

pocketsphinx hears much less well than people or newer recognisers do. So its rates are for comparing two versions of one voice.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from harness.audio import Audio
from harness.prosody.align import AlignmentError, add_pronunciations, decode, new_decoder, prepare
from harness.prosody.pronounce import model_folder, pronounce

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_LOOP = "loop"
# pocketsphinx' own beams for large vocabularies; those of the aligner would take minutes here
_BEAMS = {"beam": 1e-48, "wbeam": 7e-29, "pbeam": 1e-48}


def transcript(text: str) -> list[str]:
    """Return the words of a plain text as a recogniser writes them: in lower case, without punctuation."""
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


def recognise(audio: Audio, vocabulary: Collection[str] = ()) -> list[str]:
    """Return the words that pocketsphinx hears in a clip; none in silence.

    Parameters
    ----------
    audio : Audio
    vocabulary : collection of str, optional
        The only words that can be heard, each as likely as any other. By default, English with pocketsphinx' language model.
    """
    decoder = _loop(tuple(sorted(vocabulary))) if vocabulary else _english()
    try:
        samples, _ = prepare(audio)
    except AlignmentError:
        return []
    decode(decoder, samples)
    heard = decoder.hyp()
    return heard.hypstr.split() if heard else []


def word_errors(expected: Sequence[str], heard: Sequence[str]) -> int:
    """Return the least number of words to insert, leave out or replace (Levenshtein 1966).

    The word error rate is this number divided by that of the expected words.

    >>> word_errors("we guarantee thirty percent".split(), "we can guarantee dirty".split())
    3
    """
    row = np.arange(len(heard) + 1)
    steps = np.arange(len(heard) + 1)
    for place, word in enumerate(expected, start=1):
        best = np.minimum(row[1:] + 1, row[:-1] + [word != other for other in heard])
        best = np.concatenate([[place], best])
        row = np.minimum.accumulate(best - steps) + steps  # words too many
    return int(row[-1])


@lru_cache(maxsize=1)
def _english() -> Any:
    folder = model_folder()
    from pocketsphinx import Decoder

    return Decoder(hmm=str(folder / "en-us"), lm=str(folder / "en-us.lm.bin"), dict=str(folder / "cmudict-en-us.dict"),
                   cmn="batch", loglevel="FATAL")  # fmt: skip


@lru_cache(maxsize=4)
def _loop(vocabulary: tuple[str, ...]) -> Any:
    decoder = new_decoder(**_BEAMS)
    for word in vocabulary:
        add_pronunciations(decoder, word, pronounce(word))
    decoder.add_jsgf_string(_LOOP, f"#JSGF V1.0; grammar {_LOOP}; public <{_LOOP}> = ( {' | '.join(vocabulary)} )+ ;")
    decoder.activate_search(_LOOP)
    return decoder
