"""A listener that takes the longest word for the most prominent."""

import numpy as np

from harness.registry import Requirements


class LongWordListener:
    """Share of the clip that each word takes."""

    requirements = Requirements()
    name, unit, revision = "long_word", "word", "long_word 1"

    def judge(self, audio, words):
        """Return a score for each word, NaN where it is not spoken."""
        lengths = np.array([word.end - word.start for word in words])
        return np.where(lengths > 0, lengths / audio.seconds, np.nan)
