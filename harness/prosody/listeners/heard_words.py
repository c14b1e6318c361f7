"""How many words of a clip a recogniser hears, by pocketsphinx with its English language model.

pocketsphinx hears much less well than people or newer recognisers do, so the score compares versions of one voice and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio
from harness.errors import DataError
from harness.prosody.recognise import recognise, transcript, word_errors
from harness.records import WordTime
from harness.registry import Requirements


class HeardWordsListener:
    """One minus the word error rate of pocketsphinx: 1 if it hears every word, below 0 if it hears more wrong words than there are."""

    requirements: ClassVar[Requirements] = Requirements(packages=("pocketsphinx",))
    name = "heard_words"
    unit: Literal["word", "clip"] = "clip"

    def __init__(self) -> None:
        try:
            self.revision = f"pocketsphinx {version('pocketsphinx')}, en-us.lm"
        except PackageNotFoundError:
            self.revision = "pocketsphinx"

    def judge(self, audio: Audio, words: Sequence[WordTime]) -> NDArray[np.float64]:
        """Return the score of a clip, shape (1,).

        Raises
        ------
        DataError
            If there is no word to hear.
        """
        expected = transcript(" ".join(word.word for word in words))
        if not expected:
            raise DataError("there is no word to hear")
        return np.array([1 - word_errors(expected, recognise(audio)) / len(expected)])
