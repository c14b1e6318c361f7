"""Measurements and labels used by several tests of this folder."""

import re

import numpy as np
from helpers import needs_recordings

from harness.datasets import locate
from harness.prosody.features import ClipFeatures

RECORDINGS = ("LJ050-0276", "7127_75947_000010_000000")
JFK = "And so, my fellow Americans, ask not what your country can do for you, ask what you can do for your country."
real_speech = needs_recordings("jfk.flac", *(f"{name}.{end}" for name in RECORDINGS for end in ("wav", "TextGrid")))


def labelled(name):
    """Return start, end and text of the words in the first tier of a Praat TextGrid."""
    grid = locate(f"real-speech/{name}.TextGrid").read_text()
    tier = grid[grid.index('name = "words"') :].split("item [2]")[0]
    found = re.findall(r'xmin = ([\d.]+)\s+xmax = ([\d.]+)\s+text = "(.*?)"', tier)
    return [(float(start), float(end), text) for start, end, text in found if text]


def features(n, **changed):
    """Return the measurements of `n` words without pauses or differences, except those in `changed`."""
    fields = {
        "pause": np.zeros(n + 1), "log_duration": np.zeros(n), "intensity": np.zeros(n), "f0": np.zeros(n),
        "final_f0": np.zeros(n), "voiced_fraction": np.ones(n), "track_times": np.empty(0), "track_hz": np.empty(0),
    }  # fmt: skip
    return ClipFeatures(**fields | {name: np.array(value, dtype=float) for name, value in changed.items()})
