"""What the two Higgs engines have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.engines.higgs.settings import HiggsSettings
from harness.errors import HarnessError

STREAM_TIMEOUT = 60.0  # seconds to wait for one column
BUSY_SECONDS = 600.0  # to wait for an earlier request: longer than any request takes
WEIGHTS = (
    "a small model that knows a few dozen words, unless the options checkpoint and codec name real weights (12 GB)"
)
GPU = "for anything but tiny weights"


class HiggsEngine:
    """An engine with `HiggsSettings`.

    Parameters
    ----------
    stack : str
        Name of the package that runs the model, for `revision`.
    options : mapping
        Fields of `HiggsSettings`.
    """

    Options: ClassVar[type[HiggsSettings]] = HiggsSettings  # for `harness.registry`

    def __init__(self, stack: str, options: dict[str, Any]) -> None:
        self.settings = HiggsSettings(**options)
        self.dialect, self.deterministic = self.settings.dialect, self.settings.deterministic
        self.default_voice = self.settings.voice
        self.revision = f"{stack}, {self.settings.weights}"
        self.notice = self.settings.notice

    def voices(self) -> list[str]:
        """Return the only voice of this engine."""
        return [self.default_voice]


def readable_error(stack: str, error: Exception) -> HarnessError:
    """Return a readable error for an exception that a stack raised."""
    said = str(error)
    if isinstance(error, IndexError) or "size of tensor" in said or "Kernel size" in said:
        return HarnessError("the model ended its speech before it began", remedy="try another seed or text")
    if "out of memory" in said:
        return HarnessError("the GPU's memory is full", remedy="give the option dtype: bfloat16, or shorter texts")
    return HarnessError(f"{stack} failed: {type(error).__name__}: {said[:300]}")
