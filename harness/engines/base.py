"""What every speech engine is: tagged text in, audio out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from harness.audio import Audio
from harness.engines.dialects import DIALECTS
from harness.errors import HarnessError
from harness.records import WordTime
from harness.registry import Registry, Requirements, explained
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
        "higgs_boson": "harness.engines.higgs:HiggsBosonEngine",
        "higgs_native": "harness.engines.higgs:HiggsNativeEngine",
        "openai_speech": "harness.engines.openai_speech:OpenAISpeechEngine",
        "piper": "harness.engines.piper:PiperEngine",
    },
)
register_engine = ENGINES.register
make_engine = ENGINES.make
ENGINE_HAS = ("name", "dialect", "deterministic", "revision", "default_voice", "voices", "speak")
MAX_PEAK = 1.5  # of full scale; beyond it the samples were never divided by 32768


def check_engine(engine: object, name: str) -> None:
    """Look whether an engine has what `SpeechEngine` asks for, before anything is spoken.

    Raises
    ------
    HarnessError
        Naming what is missing, or the dialects there are.
    """
    if missing := [attribute for attribute in ENGINE_HAS if not hasattr(engine, attribute)]:
        raise HarnessError(
            f"the engine {name!r} lacks {', '.join(missing)}", remedy=f"an engine has: {', '.join(ENGINE_HAS)}"
        )
    dialect = getattr(engine, "dialect", None)
    if dialect not in DIALECTS:
        raise HarnessError(
            f"the engine {name!r} has the dialect {dialect!r}", remedy=f"choose one of: {', '.join(DIALECTS)}"
        )


def speak(engine: SpeechEngine, request: SpeechRequest, name: str) -> Speech:
    """Ask an engine, and look at what it gives.

    Raises
    ------
    HarnessError
        If it fails, or gives no speech, or audio that cannot be written; see `check_audio`.
    """
    with explained(f"the engine {name!r}"):
        speech = engine.speak(request)
    if not isinstance(speech, Speech):
        raise HarnessError(
            f"the engine {name!r} gave a {type(speech).__name__}",
            remedy="speak() gives Speech(Audio(samples, rate), words)",
        )
    check_audio(speech.audio, name)
    return speech


def check_audio(audio: object, name: str) -> Audio:
    """Look whether an engine gave audio that can be written and scored.

    Raises
    ------
    HarnessError
        If it is none, is empty, or holds what no sound card plays.
    """
    what = f"the engine {name!r}"
    if not isinstance(audio, Audio):
        raise HarnessError(
            f"{what} gave a {type(audio).__name__}, not an Audio",
            remedy="speak() gives Speech(Audio(samples, rate), words)",
        )
    samples = np.asarray(audio.samples)
    if samples.ndim != 1:
        raise HarnessError(f"{what} gave samples of shape {samples.shape}", remedy="give one channel: shape (samples,)")
    if not samples.size:
        raise HarnessError(f"{what} gave no samples")
    if not np.isfinite(samples).all():
        raise HarnessError(f"{what} gave NaN or infinite samples")
    peak = float(np.abs(samples).max())
    if peak > MAX_PEAK:
        raise HarnessError(
            f"{what} gave samples up to {peak:.0f}",
            remedy="samples are floats from -1 to 1; divide 16-bit ones by 32768",
        )
    return audio
