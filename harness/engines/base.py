"""What every speech engine is: tagged text in, audio out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from harness.audio import Audio
from harness.errors import HarnessError
from harness.records import WordTime
from harness.registry import Registry, Requirements
from harness.tagged import TaggedText


@dataclass(frozen=True)
class SpeechRequest:
    """What to say and how.

    Parameters
    ----------
    text : TaggedText
        Tags the dialect cannot express are left out; `Dialect.lost` says which.
    voice : str, optional
        One of the engine's voices; its default otherwise.
    seed : int
        For engines that draw random numbers.
    """

    text: TaggedText
    voice: str | None = None
    seed: int = 0


@dataclass(frozen=True)
class Speech:
    """What an engine returned: the audio, and where its words lie if the engine knows."""

    audio: Audio
    words: tuple[WordTime, ...] | None = None


class SpeechEngine(Protocol):
    """Speaks tagged text. Implementations register with ``@register_engine("name")``."""

    name: str
    dialect: str
    deterministic: bool
    revision: str
    default_voice: str
    requirements: ClassVar[Requirements]

    def voices(self) -> list[str]:
        """Names of the voices that can be asked for."""
        ...

    def speak(self, request: SpeechRequest) -> Speech:
        """Render one request.

        Raises
        ------
        HarnessError
            If the voice is unknown or the engine fails; the message says what to do.
        """
        ...


def check_request(request: SpeechRequest, engine: SpeechEngine) -> None:
    """Refuse a request that an engine with one voice cannot speak.

    Raises
    ------
    HarnessError
        If the text has no words, the seed has more than 64 bits, or the voice is not the engine's.
    """
    if not request.text.words:
        raise HarnessError("there is nothing to say: the text has no words", remedy="give at least one word")
    if not -(2**63) <= request.seed < 2**63:
        raise HarnessError(f"no engine here takes the seed {request.seed}", remedy="give a number of at most 18 digits")
    if request.voice not in (None, engine.default_voice):
        raise HarnessError(f"this {engine.name} speaks with {engine.default_voice!r}, not {request.voice!r}",
                           remedy=f"make another engine: options {{voice: {request.voice}}}")  # fmt: skip


ENGINES: Registry[SpeechEngine] = Registry(
    kind="engine",
    entry_points="harness.engines",
    builtin={
        "espeak": "harness.engines.espeak:EspeakEngine",
        "hibari": "harness.engines.hibari:HibariEngine",
        "higgs_boson": "harness.engines.higgs_audio:HiggsBosonEngine",
        "higgs_native": "harness.engines.higgs_audio:HiggsNativeEngine",
        "openai_speech": "harness.engines.openai_speech:OpenAISpeechEngine",
        "piper": "harness.engines.piper:PiperEngine",
    },
)
register_engine = ENGINES.register
make_engine = ENGINES.make
