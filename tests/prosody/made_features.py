"""Measurements and labels used by several tests of this folder."""

import numpy as np
from helpers import needs_recordings

from harness.datasets import locate
from harness.prosody.features import ClipFeatures
from harness.prosody.textgrid import read_textgrid

RECORDINGS = ("LJ050-0276", "7127_75947_000010_000000")
JFK = "And so, my fellow Americans, ask not what your country can do for you, ask what you can do for your country."
real_speech = needs_recordings("jfk.flac", *(f"{name}.{end}" for name in RECORDINGS for end in ("wav", "TextGrid")))


def labelled(name):
    """Return start, end and text of the words in a Praat TextGrid."""
    return [(word.start, word.end, word.word) for word in read_textgrid(locate(f"real-speech/{name}.TextGrid"))]


def features(n, **changed):
    """Return the measurements of `n` words without pauses or differences, except those in `changed`."""
    fields = {
        "pause": np.zeros(n + 1), "log_duration": np.zeros(n), "intensity": np.zeros(n), "f0": np.zeros(n),
        "final_movement": np.zeros(n), "voiced_fraction": np.ones(n), "track_times": np.empty(0), "track_hz": np.empty(0),
    }  # fmt: skip
    return ClipFeatures(**fields | {name: np.array(value, dtype=float) for name, value in changed.items()})
