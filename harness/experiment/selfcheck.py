"""A first look at an engine or tagger, in seconds: does each tag arrive? A run on a sentence set answers how often.

The engine speaks one sentence, plain and then with each tag alone. The steps are those of a run (`harness.experiment.unit`), so a
plug-in that passes here works there. The thresholds are the floors, because one sentence gives no null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from harness.engines.base import SpeechEngine, SpeechRequest, check_engine, speak
from harness.errors import HarnessError
from harness.experiment.sentences import Item, SetSentence, spread
from harness.experiment.spec import GOLD, validate
from harness.experiment.unit import Unit, engine_of, run_unit
from harness.prosody.detectors import DETECTORS, PAUSE_LONG_SECONDS
from harness.prosody.scorer import judge
from harness.records import Arm, Verdict
from harness.tagged import PAUSES, Tag, TaggedText
from harness.taggers.base import make_tagger, tag_all

# In no reported set. The places of the tags are away from punctuation, on words that are mostly voiced.
SENTENCE = SetSentence(
    id="s000", text="Every morning my neighbour walks along the river, and she remembers a melody from home.",
    targets=[3, 5, 12], classes=["noun", "function", "noun"],
)  # fmt: skip
TEXTS = (
    "We guarantee 30% savings, and that is final.",
    "“Well,” said Dr. Smith: “who asked for it?”",
    "No punctuation at all in this one",
)


@dataclass(frozen=True)
class TagTrial:
    """One tag spoken once: `value` is the change in `unit`, `needed` what makes a hit, `expressible` whether the engine was told."""

    tag: str
    text: str
    seconds: float | None
    expressible: bool
    value: float | None
    unit: str
    needed: str
    verdict: str


@dataclass(frozen=True)
class EngineTrial:
    """What an engine made of the sentence: a trial for each tag, seconds of the plain clip, and what is wrong with it."""

    engine: str
    dialect: str
    plain_seconds: float
    tags: list[TagTrial]
    problems: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return plain figures."""
        return asdict(self)


@dataclass(frozen=True)
class TaggerTrial:
    """A text, what a tagger made of it, and whether the words are unchanged."""

    text: str
    tagged: str
    unchanged: bool


def try_engine(name: str, options: Mapping[str, Any] | None = None, voice: str | None = None) -> EngineTrial:
    """Speak one sentence with each tag, and measure it.

    Parameters
    ----------
    name : str
        Registered name of an engine, or "package.module:Class".
    options : mapping, optional
        Options of the engine.
    voice : str, optional
        Voice; the default voice of the engine if None.

    Raises
    ------
    HarnessError
        If there is no such engine, it lacks something, or its first clip is no usable audio.
    """
    experiment = validate(
        {"name": "check", "engines": [{"name": name, "voice": voice, "options": dict(options or {})}], "placebo": False,
         "timeout": None}
    )  # fmt: skip
    [spec] = experiment.engines
    engine = engine_of(spec.model_dump_json(), None)
    check_engine(engine, name)
    items = spread([SENTENCE])
    plain = items[0].text.stripped()
    first = speak(engine, SpeechRequest(plain, voice), name).audio
    problems = _repeats(engine, first.samples, SpeechRequest(plain, voice, seed=1), name)
    with TemporaryDirectory() as folder:
        texts = tuple((GOLD, item, item.text) for item in items)
        results = [run_unit(Unit(spec, SENTENCE.id, texts, experiment, Path(folder)))]
        if results[0].failed:  # a failure is that of a whole unit, so each tag gets its own
            results = [run_unit(Unit(spec, SENTENCE.id, (text,), experiment, Path(folder))) for text in texts]
    problems += dict.fromkeys(result.reason for result in results if result.failed)
    seconds = {clip.sentence: clip.seconds for result in results for clip in result.clips if clip.arm is Arm.TAGGED}
    outcomes = {score.sentence: judge(score) for result in results for score in result.scores}
    return EngineTrial(name, engine.dialect, round(first.seconds, 2),
                       [_trial(item, outcomes[item.id], seconds.get(item.id)) for item in items], problems)  # fmt: skip


def _repeats(engine: SpeechEngine, first: np.ndarray, again: SpeechRequest, name: str) -> list[str]:
    """Return a problem if an engine that calls itself deterministic gives other samples for another seed."""
    if not engine.deterministic or np.array_equal(speak(engine, again, name).audio.samples, first):
        return []
    return ["it says deterministic = True, but seeds 0 and 1 give different samples: set it to False"]


def _trial(item: Item, outcome: Any, seconds: float | None) -> TagTrial:
    [(_, tag)] = item.text.tags
    said = outcome.verdict.value.replace("_", " ")
    if outcome.verdict is Verdict.WRONG_DIRECTION and tag in PAUSES:
        said = "too long" if tag is Tag.PAUSE_SHORT else "too short"
    told = outcome.verdict is not Verdict.NOT_EXPRESSIBLE
    if told and outcome.reason:
        said += f": {outcome.reason}"
    return TagTrial(
        tag.value, item.text.format(), seconds, told, outcome.value, DETECTORS[tag].unit, _needed(tag), said
    )


def _needed(tag: Tag) -> str:
    """Return which change is a hit."""
    detector = DETECTORS[tag]
    if tag is Tag.PAUSE_SHORT:
        return f"{detector.floor:+.2f} to {PAUSE_LONG_SECONDS:+.2f}"
    floor = PAUSE_LONG_SECONDS if tag is Tag.PAUSE_LONG else detector.floor
    return f"{detector.sign * floor:+.2f} or {'more' if detector.sign > 0 else 'less'}"


def try_tagger(name: str, options: Mapping[str, Any] | None = None) -> list[TaggerTrial]:
    """Tag `TEXTS`, and compare the words.

    Raises
    ------
    HarnessError
        If there is no such tagger, it fails, or it has no method ``tag``.
    """
    tagger = make_tagger(name, **(options or {}))
    if not callable(getattr(tagger, "tag", None)):
        raise HarnessError(
            f"the tagger {name!r} has no method `tag`", remedy="an engine has `speak`, and a tagger has `tag`"
        )
    texts = [TaggedText.from_plain(text) for text in TEXTS]
    return [
        TaggerTrial(text.plain, tagged.format(), tagged.words == text.words)
        for text, tagged in zip(texts, tag_all(tagger, texts, name), strict=True)
    ]
