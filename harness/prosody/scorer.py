"""From clips to scores, and from scores to verdicts: is each tag in the audio?

The order is fixed. A clip that does not say the words of its text is not measured at all. A tag that was read aloud has leaked, and
is not measured. Otherwise a detector compares the tagged clip with plain clips of the same sentence. `judge` turns the difference into a
verdict once the thresholds of the engine are known.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from harness.audio import Audio
from harness.errors import reason_of
from harness.prosody.align import MisfitError, align
from harness.prosody.detectors import (
    DETECTORS,
    PAUSE_SHORT_SECONDS,
    Cue,
    affected_words,
    by_cue,
)
from harness.prosody.features import ClipFeatures, measure
from harness.prosody.fit import UNFIT, clip_fit, is_said
from harness.prosody.leak import align_and_listen
from harness.prosody.listeners.base import Listener
from harness.prosody.listeners.scores import hear, judgements
from harness.prosody.null import FLOORS, Thresholds
from harness.prosody.placebo import placebo_slot
from harness.prosody.stretches import LONG
from harness.records import Arm, Judgement, Outcome, Record, Verdict, WordTime, is_none
from harness.tagged import PAUSES, Tag, TaggedText

# Without a plain clip, a word is compared with its own sentence. It must exceed the 95th percentile of the same value over all words
# of 180 plain calibration clips by espeak and Piper, or the paired floor if that is higher; for contours, over the 431 ends of phrases
# of 196 such clips. So one untagged word in twenty is called emphasised, and a fall must be steeper than the fall of most
# sentences. Pauses are the exception, because they are measured absolutely.
UNPAIRED_FLOORS: dict[Tag, float] = {
    Tag.EMPH: 6.6,
    Tag.PAUSE_SHORT: PAUSE_SHORT_SECONDS,
    Tag.PAUSE_LONG: PAUSE_SHORT_SECONDS,
    Tag.PITCH_HIGH: 2.9,
    Tag.PITCH_LOW: 3.1,
    Tag.PITCH_RISING: 1.7,
    Tag.PITCH_FALLING: 5.2,
}


class TagScore(Record):
    """The measurement of one tag (or placebo) of one clip, before a threshold is known.

    `value` is the difference from the plain clips in the detector's unit, or the value of the clip itself if it is not `paired`.
    Without a value, `failure` is the verdict, which needs no threshold, and `reason` says why. Other fields are those of `Outcome`.
    """

    SCHEMA: ClassVar[str] = "harness.score/1"

    schema_: Literal["harness.score/1"] = Field("harness.score/1", alias="schema")
    engine: str = ""
    tagger: str = ""
    sentence: str = ""
    arm: Arm
    slot: int = Field(ge=0)
    tag: Tag
    value: float | None = None
    failure: Literal[Verdict.LEAKED, Verdict.UNMEASURABLE, Verdict.NOT_EXPRESSIBLE] | None = None
    reason: str = ""
    paired: bool = True
    length: float | None = Field(None, exclude_if=is_none)
    at_punctuation: bool | None = Field(None, exclude_if=is_none)
    listeners: dict[str, Judgement] = Field(default_factory=dict, exclude_if=operator.not_)

    @property
    def key(self) -> tuple[str, ...]:
        return (self.engine, self.tagger, self.sentence, self.arm.value, f"{self.slot:04d}", self.tag.value)

    def named(self, engine: str, tagger: str, sentence: str) -> TagScore:
        """Return the score with the names that identify its outcome."""
        return self.model_copy(update={"engine": engine, "tagger": tagger, "sentence": sentence})


def judge(score: TagScore, thresholds: Thresholds = FLOORS, sentence: str = "") -> Outcome:
    """Pass the verdict on a tag.

    Parameters
    ----------
    score : TagScore
    thresholds : Thresholds
        Thresholds of the engine for paired scores; the floors by default.
    sentence : str
        Name of the sentence, which decides to which half it belongs; that of the score by default.
    """
    detector = DETECTORS[score.tag]
    threshold, unit = None, ""
    verdict: Verdict | None = score.failure
    if score.value is not None and verdict is None:
        own = thresholds.of(score.tag, sentence or score.sentence)
        threshold = own if score.paired else UNPAIRED_FLOORS[score.tag]
        verdict, unit = detector.judge(score.value, threshold), detector.unit
    assert verdict is not None, "a score has a value or a failure"
    return Outcome(
        engine=score.engine, tagger=score.tagger, sentence=score.sentence, arm=score.arm, slot=score.slot, tag=score.tag,
        verdict=verdict, value=score.value, unit=unit, threshold=threshold, reason=score.reason, paired=score.paired,
        length=score.length, at_punctuation=score.at_punctuation, listeners=score.listeners,
    )  # fmt: skip


def unjudged(outcome: Outcome) -> TagScore:
    """Return the score behind a verdict: the inverse of `judge`, so that other thresholds can be applied."""
    needs_threshold = outcome.verdict in (Verdict.HIT, Verdict.MISS, Verdict.WRONG_DIRECTION)
    fields = outcome.model_dump(include=TagScore.model_fields.keys() - {"schema_"})
    return TagScore.model_validate({**fields, "failure": None if needs_threshold else outcome.verdict})


def unmeasurable(text: TaggedText, reason: str) -> list[TagScore]:
    """Return the scores of a clip that cannot be used: each tag is unmeasurable for the same reason."""
    return [
        TagScore(slot=slot, tag=tag, arm=Arm.TAGGED, failure=Verdict.UNMEASURABLE, reason=reason)
        for slot, tag in dict.fromkeys(text.tags)
    ]


def analyse(audio: Audio, text: TaggedText, listeners: Sequence[tuple[str, Listener]] = ()) -> ClipFeatures | str:
    """Align and measure a clip, and let listeners judge it; return its features, or the reason why it cannot be measured."""
    try:
        words = align(audio, text.words)
        return _measured(audio, words, clip_fit(audio, words), listeners)
    except MisfitError as error:
        return _unfit(audio, error)
    except Exception as error:  # an error of a library costs this clip, not the run
        return reason_of(error)


def analyse_tagged(
    audio: Audio, text: TaggedText, asked: Sequence[tuple[int, Tag]], listeners: Sequence[tuple[str, Listener]] = ()
) -> tuple[ClipFeatures | str, dict[tuple[int, Tag], Verdict]]:
    """Measure a clip as `analyse` does, and also return the verdicts on tags at whose slots words were said that are not in the text.

    `LEAKED` if the words were the name of the tag, `UNMEASURABLE` if they were others. If the leak check fails, the clip cannot be
    scored.
    """
    try:
        heard = align_and_listen(audio, text.words, asked)
        intruded = {place: Verdict.UNMEASURABLE for place in asked if place[0] in heard.other}
        features = _measured(audio, heard.words, heard.fit, listeners)
        return features, intruded | dict.fromkeys(heard.leaked, Verdict.LEAKED)
    except MisfitError as error:
        return _unfit(audio, error), {}
    except Exception as error:
        return reason_of(error), {}


def _measured(
    audio: Audio, words: Sequence[WordTime], fit: float, listeners: Sequence[tuple[str, Listener]]
) -> ClipFeatures:
    """Measure a clip, unless it says other words: then every tag would be a miss, or leaked, by chance."""
    spoken = sum(word.end > word.start for word in words)
    if not is_said(fit, spoken):
        raise MisfitError(f"only {fit:.0%} of the words fit the sound")
    features = measure(audio, words)
    return replace(features, heard=hear(audio, words, listeners)) if listeners else features


def _unfit(audio: Audio, error: MisfitError) -> str:
    """Return the reason for a clip that says other words; of a long recording, also where the text was lost."""
    return f"{UNFIT}: {error.message}" if audio.seconds > LONG else UNFIT


def score_clip(
    text: TaggedText,
    features: ClipFeatures | str,
    plain: Sequence[ClipFeatures | str],
    *,
    intruded: Mapping[tuple[int, Tag], Verdict] = MappingProxyType({}),
    lost: Collection[tuple[int, Tag]] = (),
    placebo: bool = True,
) -> list[TagScore]:
    """Score all tags of one tagged clip.

    Parameters
    ----------
    text : TaggedText
        Tagged text of the clip.
    features : ClipFeatures or str
        Result of `analyse_tagged` or `analyse` for the tagged clip.
    plain : sequence of ClipFeatures or str
        Results of `analyse` for clips of the same words without tags. If empty, the clip is scored by itself, which is good enough for
        pauses away from punctuation and exploratory for the rest.
    intruded : mapping
        Verdicts of `analyse_tagged` on tags at whose slots other words were said. Such a clip gets no placebos.
    lost : collection of (slot, tag), or a mapping from these to reasons
        Tags that the engine cannot express; they are reported separately.
    placebo : bool
        Whether to score placebos too.

    Returns
    -------
    list of TagScore
        Scores in slot order, each tag followed by its placebo if there is room for one.
    """
    scorer = _ClipScorer(text, features, plain)
    reasons = lost if isinstance(lost, Mapping) else dict.fromkeys(lost, "the dialect has no such tag")
    scores: list[TagScore] = []
    placed: set[tuple[int, Tag]] = set()  # a placebo slot may be the nearest of two tags, but counts once
    for slot, tag in dict.fromkeys(text.tags):
        if (slot, tag) in reasons:
            scores.append(scorer.failed(slot, tag, reasons[slot, tag], Verdict.NOT_EXPRESSIBLE))
            continue
        if verdict := intruded.get((slot, tag)):
            scores.append(scorer.failed(slot, tag, INTRUDED[verdict], verdict))
        else:
            scores.append(scorer.score(slot, tag))
        other = placebo_slot(text, slot, tag) if placebo and plain and not intruded else None
        if other is not None and (other, tag) not in placed:
            placed.add((other, tag))
            scores.append(scorer.score(other, tag, Arm.PLACEBO))
    if isinstance(features, str) or not features.heard:
        return scores
    return [
        score
        if score.failure is Verdict.NOT_EXPRESSIBLE
        else score.model_copy(
            update={
                "listeners": judgements(
                    text, score.slot, score.tag, features, plain, INTRUDED.get(intruded.get((score.slot, score.tag)))
                )
            }
        )
        for score in scores
    ]


@dataclass(frozen=True)
class _ClipScorer:
    """Compares a clip with plain clips of the same sentence."""

    text: TaggedText
    features: ClipFeatures | str
    plain: Sequence[ClipFeatures | str]

    def score(self, slot: int, tag: Tag, arm: Arm = Arm.TAGGED) -> TagScore:
        detector = DETECTORS[tag]
        place = detector.place(self.text, slot)
        if place is None:
            return self.failed(slot, tag, "no word follows the tag", arm=arm)
        if isinstance(self.features, str):
            return self.failed(slot, tag, self.features, arm=arm)
        usable = [item for item in self.plain if not isinstance(item, str)]
        if self.plain and not usable:
            return self.failed(slot, tag, f"no plain clip could be measured: {self.plain[0]}", arm=arm)
        value = difference(detector.cue, self.text, self.features, usable, place)
        if not np.isfinite(value):
            return self.failed(slot, tag, NOT_MEASURED[detector.cue], arm=arm)
        length = round(float(self.features.pause[place]), 4) if tag in PAUSES else None
        return TagScore(
            slot=slot, tag=tag, arm=arm, value=round(value, 4), length=length,
            paired=bool(self.plain), at_punctuation=self._at_punctuation(slot, tag),
        )  # fmt: skip

    def _at_punctuation(self, slot: int, tag: Tag) -> bool | None:
        return self.text.at_punctuation(slot) if tag in PAUSES else None

    def failed(
        self, slot: int, tag: Tag, reason: str, verdict: Verdict = Verdict.UNMEASURABLE, arm: Arm = Arm.TAGGED
    ) -> TagScore:
        return TagScore(
            slot=slot, tag=tag, arm=arm, failure=verdict, reason=reason,
            paired=bool(self.plain), at_punctuation=self._at_punctuation(slot, tag),
        )  # fmt: skip


INTRUDED: dict[Verdict | None, str] = {
    Verdict.LEAKED: "the tag was read aloud",
    Verdict.UNMEASURABLE: "something else was said here",
}
NOT_MEASURED = {
    Cue.PAUSE: "no gap to measure",
    Cue.LEVEL: "too little voicing to measure pitch",
    Cue.END: "too little voicing at the end of the word to measure pitch",
    Cue.EMPHASIS: "too few words to compare with",
}


def difference(cue: Cue, text: TaggedText, tagged: ClipFeatures, plain: Sequence[ClipFeatures], place: int) -> float:
    """Return the value of a cue at a place in the tagged clip, minus its mean over the plain clips if there are any.

    The value is NaN if it cannot be measured. Words that a tag acts on are never used as reference.
    """
    detector = by_cue()[cue]
    excluded = affected_words(text)
    value = detector.value(tagged, place, excluded)
    if not plain:
        return value
    levels = np.array([detector.value(clip, place, excluded) for clip in plain])
    levels = levels[np.isfinite(levels)]
    return float(value - levels.mean()) if len(levels) else float("nan")


def cross_talk(
    text: TaggedText, slot: int, tagged: ClipFeatures | str, plain: Sequence[ClipFeatures | str]
) -> dict[str, float | None]:
    """Measure every cue, not only that of the tag, at the place of one tag.

    Returns
    -------
    dict
        Tagged minus plain for each cue, in its unit; None if it could not be measured.
    """
    usable = [item for item in plain if not isinstance(item, str)]
    found: dict[str, float | None] = {}
    for cue, detector in by_cue().items():
        place = detector.place(text, slot)
        value = float("nan")
        if not isinstance(tagged, str) and usable and place is not None:
            value = difference(cue, text, tagged, usable, place)
        found[cue.value] = round(value, 4) if np.isfinite(value) else None
    return found
