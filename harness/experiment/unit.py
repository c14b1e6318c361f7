"""Speak and measure one sentence with one engine: the work of a worker process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.audio import Audio, read_audio, write_wav
from harness.engines import SpeechEngine, SpeechRequest, make_engine
from harness.engines.apart import EngineApart
from harness.engines.base import in_full, lost_tags
from harness.errors import DataError, HarnessError, reason_of
from harness.experiment.doses import measure_doses
from harness.experiment.sentences import Item
from harness.experiment.spec import NEGATIVE, EngineSpec, Experiment
from harness.prosody.contrast import measure_contrast
from harness.prosody.features import ClipFeatures
from harness.prosody.leak import names_heard
from harness.prosody.listeners import listeners_of
from harness.prosody.listeners.scores import null_rises
from harness.prosody.null import null_differences
from harness.prosody.scorer import TagScore, analyse, analyse_tagged, cross_talk, score_clip, unmeasurable
from harness.records import Arm, Clip, Contrast, CrossTalk, NullSample, Record, digest
from harness.tagged import PAUSES, Tag, TaggedText

# Tagged clips never share a seed with plain clips: a voice that ignores tags would produce identical audio.
TAGGED_SEEDS = 1000


@dataclass(frozen=True)
class Unit:
    """A unit of work: one sentence spoken by one engine, with all its tagged texts.

    `texts` are the tuples (tagger, item, the tagger's text) of one group.
    """

    engine: EngineSpec
    sentence: str
    texts: tuple[tuple[str, Item, TaggedText], ...]
    experiment: Experiment
    clips: Path
    doses: bool = False


@dataclass
class UnitResult:
    """The records of a unit; each list has the name of its file."""

    unit: Unit
    clips: list[Clip] = field(default_factory=list)
    scores: list[TagScore] = field(default_factory=list)
    nulls: list[Record] = field(default_factory=list)
    contrasts: list[Record] = field(default_factory=list)
    crosstalk: list[Record] = field(default_factory=list)
    doses: list[Record] = field(default_factory=list)
    failed: bool = False
    reason: str = ""


def run_unit(unit: Unit) -> UnitResult:
    """Speak and measure one sentence. A failure is recorded and does not stop the run."""
    result = UnitResult(unit)
    try:
        _Work(unit, result).all()
    except OSError:  # a full disk, which every other sentence would meet too
        raise
    except Exception as error:
        _fail(result, reason_of(error))
    return result


def lost_unit(unit: Unit) -> UnitResult:
    """Return the result of a unit that kills its worker processes."""
    result = UnitResult(unit)
    _fail(result, "its worker process died, even when nothing else ran (out of memory?)")
    return result


def _fail(result: UnitResult, reason: str) -> None:
    unit, known = result.unit, {(score.tagger, score.sentence) for score in result.scores}
    result.scores += [
        score.named(unit.engine.title, tagger, item.id)
        for tagger, item, text in unit.texts
        if (tagger, item.id) not in known
        for score in unmeasurable(text, f"engine failed: {reason}")
    ]
    result.failed, result.reason = True, reason


@cache
def engine_of(spec: str, timeout: float | None) -> SpeechEngine:
    """Return the engine of this process, or, with a time limit, of a child. `spec` is JSON, because lists are not hashable."""
    parsed = EngineSpec.model_validate_json(spec)
    if timeout is None:
        return make_engine(parsed.name, **parsed.options)
    return EngineApart(parsed.name, parsed.options, timeout=timeout)


class _Work:
    """The steps of one unit."""

    def __init__(self, unit: Unit, result: UnitResult) -> None:
        self.unit, self.result, self.experiment = unit, result, unit.experiment
        self.engine = engine_of(unit.engine.model_dump_json(), unit.experiment.timeout)
        self.title = unit.engine.title
        self.text = unit.texts[0][1].text.stripped()
        self.listeners = listeners_of(tuple(unit.experiment.listening))
        self.word_listeners = tuple((name, one) for name, one in self.listeners if one.unit == "word")
        self.measured: dict[tuple[str, int, Any], ClipFeatures | str] = {}
        self.named: dict[tuple[str, int], bool] = {}

    def all(self) -> None:
        """Measure the plain clips and their spread, then every tagged text, then the doses."""
        seeds = range(1 if self.engine.deterministic else self.experiment.plain_repeats + 1)
        plain = [self.analyse("", self.unit.sentence, self.text, Arm.PLAIN, seed) for seed in seeds]
        if not self.engine.deterministic:
            self.result.nulls += [
                NullSample(engine=self.title, sentence=self.unit.sentence, cue=cue.value, values=values)
                for cue, values in null_differences(self.text, plain).items()
            ]
            self.result.nulls += [
                NullSample(engine=self.title, sentence=self.unit.sentence, cue=name, values=values)
                for name, values in null_rises(plain).items()
            ]
        plain = plain[: self.experiment.plain_repeats]
        for tagger, item, text in self.unit.texts:
            if text.tags:
                self.score(tagger, item, text, plain)
        if self.unit.doses:
            self.dose(plain)

    def score(self, tagger: str, item: Item, text: TaggedText, plain: Sequence[ClipFeatures | str]) -> None:
        """Speak one tagged text and measure its tags, and its cross-talk and contrast if the experiment asks for them."""
        lost, asked = self.lost_and_asked(text)
        seed = TAGGED_SEEDS + item.place
        audio = self.speak(tagger, item.id, text, Arm.TAGGED, seed)
        if self.experiment.check_leaks and asked and self.may_have_names(audio, text, item.place):
            features, intruded = analyse_tagged(audio, text, asked, self.listeners)
        else:
            features, intruded = self.measure(audio, text, Arm.TAGGED, seed), {}
        scores = score_clip(text, features, plain, placebo=self.experiment.placebo, lost=lost, intruded=intruded)
        self.result.scores += [score.named(self.title, tagger, item.id) for score in scores]
        if len(asked) == 1 and self.experiment.contrast and not intruded:
            [(slot, tag)] = asked
            values = cross_talk(text, slot, features, plain)
            self.result.crosstalk.append(CrossTalk(engine=self.title, sentence=item.id, tag=tag, values=values))
        if item.slots and asked:
            self.contrast(tagger, item, text.tags[0][1], features)

    def lost_and_asked(self, text: TaggedText) -> tuple[dict[tuple[int, Tag], str], list[tuple[int, Tag]]]:
        """Return the tags that the engine cannot express, with reasons, and the others."""
        lost = {} if self.unit.engine.role == NEGATIVE else lost_tags(self.engine, text)
        return lost, [place for place in dict.fromkeys(text.tags) if place not in lost]

    def may_have_names(self, audio: Audio, text: TaggedText, place: int) -> bool:
        """Return whether a clip has to be searched for the names of this text's own tags.

        A voice that does not get the tags says the same for several texts of the unit. That clip is searched once for the tags of
        all of them, and measured once if no name is found.
        """
        key = in_full(self.engine, text), place
        if key not in self.named:
            alike = {t for _, item, t in self.unit.texts if t.tags and (in_full(self.engine, t), item.place) == key}
            asked = [one for t in alike for one in self.lost_and_asked(t)[1]]
            self.named[key] = len(alike) == 1 or names_heard(audio, text.words, asked)
        return self.named[key]

    def contrast(self, tagger: str, item: Item, tag: Tag, own: ClipFeatures | str) -> None:
        """Speak and measure the tag on each of the item's places in turn."""
        renderings = []
        for place, slot in enumerate(item.slots):
            if place == item.place:
                renderings.append(own)
                continue
            moved = TaggedText(self.text.words, [(slot, tag)])
            renderings.append(self.analyse(tagger, item.id, moved, Arm.CONTRAST, TAGGED_SEEDS + place))
        self.result.contrasts += [
            Contrast(
                engine=self.title, sentence=item.id, group=item.group, tag=tag, slots=list(item.slots),
                values=measure_contrast(tag, self.text, item.slots, renderings, name), listener=name,
            )
            for name in ("", *(name for name, _ in self.word_listeners))
        ]  # fmt: skip

    def dose(self, plain: Sequence[ClipFeatures | str]) -> None:
        """Measure known edits of a plain clip. Unless the engine repeats itself, the clip is not among those it is compared with."""
        seed = 0 if self.engine.deterministic else TAGGED_SEEDS
        audio = self.speak("", self.unit.sentence, self.text, Arm.PLAIN, seed)
        items = [item for _, item, text in self.unit.texts if text.tags and text.tags[0][1] in PAUSES]
        slot = items[0].text.tags[0][0] if items else 1
        self.result.doses += measure_doses(audio, self.text, slot, plain, self.title, self.unit.sentence)

    def analyse(self, tagger: str, sentence: str, text: TaggedText, arm: Arm, seed: int) -> ClipFeatures | str:
        """Speak and measure a clip; one that serves in several arms is measured once."""
        audio = self.speak(tagger, sentence, text, arm, seed)
        return self.measure(audio, text, arm, seed)

    def measure(self, audio: Audio, text: TaggedText, arm: Arm, seed: int) -> ClipFeatures | str:
        """Return the features of a clip that is searched for no names. Only listeners of words judge a clip of the contrast."""
        listeners = self.word_listeners if arm is Arm.CONTRAST else self.listeners
        key = in_full(self.engine, text), seed, listeners
        if key not in self.measured:
            self.measured[key] = analyse(audio, text, listeners)
        return self.measured[key]

    def speak(self, tagger: str, sentence: str, text: TaggedText, arm: Arm, seed: int) -> Audio:
        """Render a clip, or read it from the folder if it is already there. The scored audio is always that of the written file."""
        unit, engine = self.unit, self.engine
        seed += self.experiment.seed
        voice = unit.engine.voice or engine.default_voice
        rendered = in_full(engine, text)
        clip_id = digest(
            engine.name, engine.revision, sorted(unit.engine.options.items()), voice, engine.dialect, seed, rendered
        )
        path = unit.clips / f"{clip_id}.wav"
        audio = _stored(path) or self._rendered(path, SpeechRequest(text, voice, seed, word_times=False))
        self.result.clips.append(
            Clip(id=clip_id, engine=self.title, tagger=tagger, sentence=sentence, arm=arm, text=text.format(),
                 dialect=engine.dialect, voice=voice, seed=seed, audio=f"clips/{path.name}", sample_rate=audio.sample_rate,
                 seconds=round(audio.seconds, 4))
        )  # fmt: skip
        return audio

    def _rendered(self, path: Path, request: SpeechRequest) -> Audio:
        speech = self.engine.speak(request)
        samples = speech.audio.samples
        if not np.isfinite(samples).all():
            raise HarnessError("the engine returned NaN or infinite samples")
        partial = path.with_suffix(f".{os.getpid()}.part")
        write_wav(partial, speech.audio)
        partial.replace(path)
        return read_audio(path)


def _stored(path: Path) -> Audio | None:
    try:
        return read_audio(path)
    except DataError:  # not there yet, or damaged
        path.unlink(missing_ok=True)
        return None
