"""What the small neural voices, Piper and hibari, have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ClassVar

from harness.audio import Audio
from harness.engines.base import Speech, SpeechRequest, check_request
from harness.engines.dialects import DIALECTS
from harness.engines.marks import spoken
from harness.engines.options import check_text
from harness.errors import HarnessError, NotAvailable
from harness.registry import Requirements


class NeuralVoice(ABC):
    """One neural voice, which runs offline and ignores tags. Subclasses define `name`, `package`, `requirements` and `_read`."""

    name: str
    package: ClassVar[str]  # name on PyPI
    requirements: ClassVar[Requirements]
    deterministic = False

    def __init__(self, voice: str, dialect: str) -> None:
        if not isinstance(voice, Path):
            check_text("voice", voice)
        if dialect not in ("ignore", "prompted"):
            raise HarnessError(
                f"{self.name} does not speak the dialect {dialect!r}", remedy="choose ignore or prompted"
            )
        self.default_voice, self.dialect = voice, dialect
        try:
            self.revision = f"{self.package} {version(self.package)}"
        except PackageNotFoundError as error:
            remedy = f"pip install {self.package}"
            raise NotAvailable(f"{self.name} needs the package {self.package}", remedy=remedy) from error

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
        text, _ = spoken(request.text)
        audio = self._read(DIALECTS[self.dialect].render(text), request.seed)
        if not audio.samples.any():
            raise HarnessError(
                f"{self.name} makes no sound for {request.text.plain!r}", remedy="give letters or digits"
            )
        return Speech(audio)

    @abstractmethod
    def _read(self, text: str, seed: int) -> Audio:
        """Read a text aloud; equal seeds give equal samples."""
