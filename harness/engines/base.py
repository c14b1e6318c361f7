"""The protocol of speech engines, tagged text in and audio out, and the checks of what an engine is and gives."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from harness.audio import Audio
from harness.engines.control.targets import Targets
from harness.engines.dialects import DIALECTS
from harness.errors import HarnessError
from harness.records import WordTime
from harness.registry import Registry, Requirements, explained
from harness.tagged import WORD_TAGS, Tag, TaggedText


@dataclass(frozen=True)
class SpeechRequest:
    """A text to speak, and how.

    Parameters
    ----------
    text : TaggedText
        Text and tags. The engine leaves out tags that its dialect cannot express; see `Dialect.lost`.
    voice : str, optional
        Voice of the engine; its default voice if None.
    seed : int
        Random seed, for engines that sample.
    word_times: bool
        Whether the caller needs the times of the words. If not, an engine may leave them out.
    targets : Targets, optional
        What markup with sizes of its own, such as SSML, asks for. Only engines of the dialects in `TAKE_TARGETS` can do it.
    """

    text: TaggedText
    voice: str | None = None
    seed: int = 0
    word_times: bool = True
    targets: Targets | None = None


@dataclass(frozen=True)
class Speech:
    """What an engine returned: the audio, and the times of the words if the engine knows them and the request needs them."""

    audio: Audio
    words: tuple[WordTime, ...] | None = None


class SpeechEngine(Protocol):
    """An engine that speaks tagged text. Implementations register with ``@register_engine("name")``."""

    name: str
    dialect: str
    deterministic: bool
    revision: str
    default_voice: str
    requirements: ClassVar[Requirements]

    def voices(self) -> list[str]:
        """Return the names of its voices."""
        ...

    def speak(self, request: SpeechRequest) -> Speech:
        """Render one request.

        Raises
        ------
        HarnessError
            If the voice is unknown or the engine fails.
        """
        ...


def check_request(request: SpeechRequest, engine: SpeechEngine) -> None:
    """Check that an engine with a single voice can speak a request.

    Raises
    ------
    HarnessError
        If the text has no words, the seed needs more than 64 bits, or the voice is another one.
    """
    if not request.text.words:
        raise HarnessError("there is nothing to say: the text has no words", remedy="give at least one word")
    if not -(2**63) <= request.seed < 2**63:
        raise HarnessError(
            f"the seed must fit into 64 bits, got {request.seed}", remedy="give a number of at most 18 digits"
        )
    if request.voice not in (None, engine.default_voice):
        raise HarnessError(f"this {engine.name} speaks with {engine.default_voice!r}, not {request.voice!r}",
                           remedy=f"make another engine: options {{voice: {request.voice}}}")  # fmt: skip


def own_tags(engine: object) -> frozenset[Tag]:
    """Return the tags that an engine realises whatever its dialect says: its attribute ``expressible``, empty by default."""
    return frozenset(Tag(tag) for tag in getattr(engine, "expressible", ()))


def lost_tags(engine: SpeechEngine, text: TaggedText) -> dict[tuple[int, Tag], str]:
    """Return the tags of a text that an engine cannot express, and why.

    An engine that realises tags itself, such as pauses that it cuts into the sound, names them in its attribute ``expressible``.
    One that knows more than its dialect does, such as which words its voice says, has a method ``lost`` from text to these.
    """
    lost = lost_in(engine.dialect, own_tags(engine), text)
    own = getattr(engine, "lost", None)
    return lost | {place: why for place, why in own(text).items() if place not in lost} if own else lost


def lost_in(dialect: str, own: Collection[Tag], text: TaggedText) -> dict[tuple[int, Tag], str]:
    """Return the tags of a text that a dialect cannot express, and why; without those that the engine realises itself."""
    written, last = DIALECTS[dialect], len(text.words)
    return {
        (slot, tag): "no word follows the tag"
        if slot == last and written.by_word and tag in {*own, *written.expressible}
        else "the dialect has no such tag"
        for slot, tag in written.lost(text)
        if tag not in own or (slot == last and tag in WORD_TAGS)
    }


def in_full(engine: SpeechEngine, text: TaggedText) -> str:
    """Return all that a clip depends on: the string that the engine reads, and the tags if it realises any itself."""
    rendered = DIALECTS[engine.dialect].render(text)
    own = own_tags(engine) - DIALECTS[engine.dialect].expressible
    return f"{rendered}\n{text.format()}" if own and text.tags else rendered


TAKE_TARGETS = frozenset({"controls", "edit"})  # dialects
ENGINES: Registry[SpeechEngine] = Registry(
    kind="engine",
    entry_points="harness.engines",
    builtin={
        "espeak": "harness.engines.espeak:EspeakEngine",
        "hibari": "harness.engines.hibari:HibariEngine",
        "higgs_boson": "harness.engines.higgs:HiggsBosonEngine",
        "higgs_native": "harness.engines.higgs:HiggsNativeEngine",
        "obey": "harness.engines.obey:ObeyEngine",
        "openai_speech": "harness.engines.openai_speech:OpenAISpeechEngine",
        "piper": "harness.engines.piper:PiperEngine",
    },
    wrappers=("obey",),
)
register_engine = ENGINES.register
make_engine = ENGINES.make
ENGINE_HAS = ("name", "dialect", "deterministic", "revision", "default_voice", "voices", "speak")
MAX_PEAK = 1.5  # of full scale; louder samples are 16-bit integers that were not divided by 32768


def check_engine(engine: object, name: str) -> None:
    """Check that an engine has the attributes of `SpeechEngine`, and a known dialect.

    Raises
    ------
    HarnessError
        If not; it names what is missing, or the known dialects and tags.
    """
    if missing := [attribute for attribute in ENGINE_HAS if not hasattr(engine, attribute)]:
        raise HarnessError(f"the engine {name!r} lacks {', '.join(missing)}",
                           remedy=f"an engine has: {', '.join(ENGINE_HAS)}")  # fmt: skip
    dialect = getattr(engine, "dialect", None)
    if dialect not in DIALECTS:
        raise HarnessError(f"the engine {name!r} has the dialect {dialect!r}",
                           remedy=f"choose one of: {', '.join(DIALECTS)}")  # fmt: skip
    try:
        own_tags(engine)
    except (TypeError, ValueError) as error:
        raise HarnessError(f"the engine {name!r} has a wrong `expressible`: {error}",
                           remedy="name its tags: expressible = {Tag.PAUSE_SHORT, Tag.PAUSE_LONG}") from None  # fmt: skip


def speak(engine: SpeechEngine, request: SpeechRequest, name: str) -> Speech:
    """Let an engine speak, and check what it returns.

    Raises
    ------
    HarnessError
        If the engine cannot do the targets of the request, raises anything, returns no `Speech`, or returns audio that is empty,
        is not mono, or has samples that are not finite or too large.
    """
    what = f"the engine {name!r}"
    if request.targets is not None and engine.dialect not in TAKE_TARGETS:
        raise HarnessError(f"{what} takes tags only, in its dialect {engine.dialect!r}: it cannot be told sizes",
                           remedy="choose hibari, or piper with dialect=controls, or edit its sound with --obey")  # fmt: skip
    with explained(what):
        speech = engine.speak(request)
    remedy = "speak() gives Speech(Audio(samples, sample_rate), words)"
    if not isinstance(speech, Speech):
        raise HarnessError(f"{what} gave a {type(speech).__name__}", remedy=remedy)
    if not isinstance(speech.audio, Audio):
        raise HarnessError(f"{what} gave a {type(speech.audio).__name__}, not an Audio", remedy=remedy)
    samples = np.asarray(speech.audio.samples)
    if samples.ndim != 1:
        raise HarnessError(f"{what} gave samples of shape {samples.shape}", remedy="give one channel: shape (samples,)")
    if not samples.size:
        raise HarnessError(f"{what} gave no samples")
    if not np.isfinite(samples).all():
        raise HarnessError(f"{what} gave NaN or infinite samples")
    if (peak := float(np.abs(samples).max())) > MAX_PEAK:
        raise HarnessError(f"{what} gave samples up to {peak:.0f}",
                           remedy="samples are floats from -1 to 1; divide 16-bit ones by 32768")  # fmt: skip
    return speech
