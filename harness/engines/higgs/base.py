"""What both Higgs engines are and have in common."""

from __future__ import annotations

from typing import Any

from harness.engines.higgs.settings import NOISE, TINY, HiggsSettings
from harness.errors import HarnessError

STREAM_TIMEOUT = 60.0  # seconds for one column
BUSY_SECONDS = 600.0  # to wait for an earlier request; more than a request takes
WEIGHTS = "random tiny ones, which speak noise, unless the options checkpoint and codec name real ones (12 GB)"
GPU = "for anything but tiny weights"


class HiggsEngine:
    """An engine with `HiggsSettings`.

    Parameters
    ----------
    stack : str
        The package that speaks, for a file of results.
    options : mapping
        Of `HiggsSettings`.
    """

    def __init__(self, stack: str, options: dict[str, Any]) -> None:
        self.settings = HiggsSettings(**options)
        self.dialect, self.deterministic = self.settings.dialect, self.settings.deterministic
        self.default_voice = self.settings.voice
        self.revision = f"{stack}, {self.settings.weights}"
        self.notice = NOISE if self.settings.checkpoint == TINY else ""

    def voices(self) -> list[str]:
        """The one voice this engine was made with."""
        return [self.default_voice]


def in_words(stack: str, error: Exception) -> HarnessError:
    """What a bare error of a stack means."""
    said = str(error)
    if isinstance(error, IndexError) or "size of tensor" in said or "Kernel size" in said:
        return HarnessError("the model ended its speech before it began", remedy="try another seed or text")
    if "out of memory" in said:
        return HarnessError("the GPU's memory is full", remedy="give the option dtype: bfloat16, or shorter texts")
    return HarnessError(f"{stack} failed: {type(error).__name__}: {said[:300]}")
