"""What the small neural voices, Piper and hibari, have in common.

In the dialect "controls" they obey tags: `harness.engines.control` says how. Otherwise they get the words alone, or read the tags aloud.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ClassVar

from harness.audio import Audio
from harness.engines.base import Speech, SpeechRequest, check_request
from harness.engines.control.plan import Doses
from harness.engines.control.voice import ObeyingVoice
from harness.engines.dialects import DIALECTS
from harness.engines.marks import spoken
from harness.engines.options import check_text
from harness.errors import HarnessError, NotAvailable
from harness.records import digest
from harness.registry import Requirements
from harness.tagged import Tag, TaggedText

NEURAL_DIALECTS = ("controls", "ignore", "prompted")


class NeuralVoice(ABC):
    """One neural voice, which runs offline. Subclasses define `name`, `package`, `requirements`, `_read` and `_controls`."""

    name: str
    package: ClassVar[str]  # name on PyPI
    requirements: ClassVar[Requirements]
    deterministic = False

    def __init__(self, voice: str, dialect: str, doses: Doses) -> None:
        if not isinstance(voice, Path):
            check_text("voice", voice)
        if dialect not in NEURAL_DIALECTS:
            raise HarnessError(f"{self.name} does not speak the dialect {dialect!r}",
                               remedy=f"choose one of: {', '.join(NEURAL_DIALECTS)}")  # fmt: skip
        self.default_voice, self.dialect = voice, dialect
        try:
            self.revision = f"{self.package} {version(self.package)}"
        except PackageNotFoundError as error:
            remedy = f"pip install {self.package}"
            raise NotAvailable(f"{self.name} needs the package {self.package}", remedy=remedy) from error
        if dialect == "controls":  # other doses are another engine: its clips must not be taken for those of this one
            self.revision += f", controls {digest(repr(doses))[:8]}"

    def voices(self) -> list[str]:
        """Return the only voice of this engine."""
        return [self.default_voice]

    def speak(self, request: SpeechRequest) -> Speech:
        """Render one request; equal requests give equal samples, in any order and process.

        Raises
        ------
        HarnessError
            If the text has no words or makes no sound, or if the voice is another one.
        """
        check_request(request, self)
        if self.dialect == "controls":
            speech = self._controls.speak(request.text, request.seed, request.targets)
        else:
            text, _ = spoken(request.text)
            speech = Speech(self._read(DIALECTS[self.dialect].render(text), request.seed))
        if not speech.audio.samples.any():
            raise HarnessError(
                f"{self.name} makes no sound for {request.text.plain!r}", remedy="give letters or digits"
            )
        return speech

    def lost(self, text: TaggedText) -> dict[tuple[int, Tag], str]:
        """Return the tags that this voice is told but cannot obey, and why."""
        return self._controls.lost(text) if self.dialect == "controls" else {}

    @abstractmethod
    def _read(self, text: str, seed: int) -> Audio:
        """Read a text aloud; equal seeds give equal samples."""

    @property
    @abstractmethod
    def _controls(self) -> ObeyingVoice:
        """The voice that obeys tags."""
