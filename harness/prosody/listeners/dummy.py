"""A listener without a model, for tests and examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio
from harness.records import WordTime
from harness.registry import Requirements


class DummyListener:
    """Takes the loudest word for the most prominent: the score is the root mean square of a word's samples."""

    requirements: ClassVar[Requirements] = Requirements()
    name = "dummy"
    unit: Literal["word", "clip"] = "word"
    revision = "dummy 1"

    def judge(self, audio: Audio, words: Sequence[WordTime]) -> NDArray[np.float64]:
        """Return the level of each word, full scale is 1, shape (n,); NaN for a word without a length."""
        scores = np.full(len(words), np.nan)
        for index, word in enumerate(words):
            inside = audio.samples[round(word.start * audio.sample_rate) : round(word.end * audio.sample_rate)]
            if len(inside):
                scores[index] = np.sqrt(np.mean(inside.astype(np.float64) ** 2))
        return scores
