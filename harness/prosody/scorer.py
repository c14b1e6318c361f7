"""Clips to outcomes: is each tag in the audio?

The order is fixed: was the tag read aloud (then nothing else counts), can the words be found, and only then does a
detector compare the tagged clip with plain clips of the same sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.audio import Audio
from harness.errors import HarnessError
from harness.prosody.align import align
from harness.prosody.detectors import DETECTORS, Detector, affected_words
from harness.prosody.features import ClipFeatures, measure
from harness.prosody.leak import spoken_tags
from harness.prosody.placebo import placebo_slot
from harness.records import Arm, Verdict
from harness.tagged import Tag, TaggedText


@dataclass(frozen=True)
class TagScore:
    """Verdict on one tag, or on its placebo, with the measurement behind it.

    `value` is the difference to the plain clips in `unit`; `slot` is where it was measured.
    """

    slot: int
    tag: Tag
    arm: Arm
    verdict: Verdict
    value: float | None = None
    unit: str = ""
    threshold: float | None = None
    reason: str = ""


def analyse(audio: Audio, text: TaggedText) -> ClipFeatures | str:
    """Align and measure a clip; a string says why it cannot be measured."""
    try:
        return measure(audio, align(audio, text.words))
    except HarnessError as error:
        return error.message


def score_clip(
    text: TaggedText,
    clip: Audio,
    plain: Sequence[ClipFeatures | str],
    *,
    check_leaks: bool = True,
    placebo: bool = True,
    lost: Sequence[tuple[int, Tag]] = (),
) -> list[TagScore]:
    """Score all tags of one tagged clip.

    Parameters
    ----------
    text : TaggedText
        What was asked for.
    clip : Audio
        The tagged clip.
    plain : sequence of ClipFeatures or str
        `analyse` of clips of the same words without tags. Empty: pauses are scored by the silence itself, the rest is
        unmeasurable.
    check_leaks : bool
        Whether to listen for tags that were read aloud.
    placebo : bool
        Whether to score placebos too.
    lost : sequence of (slot, tag)
        Tags that the engine's dialect could not express; they are reported apart.

    Returns
    -------
    list of TagScore
        In slot order, each tag followed by its placebo if there is room for one.
    """
    tags = list(dict.fromkeys(text.tags))
    asked = [item for item in tags if item not in set(lost)]
    features = analyse(clip, text)
    leaked: set[tuple[int, Tag]] = set()
    if check_leaks and asked:
        try:
            leaked = spoken_tags(clip, text.words, asked)
        except HarnessError as error:  # a clip that cannot be listened to cannot be scored either
            features = error.message
    scores: list[TagScore] = []
    placed: set[tuple[int, Tag]] = set()  # two tags may be nearest to one placebo slot; it counts once
    for slot, tag in tags:
        if (slot, tag) not in asked:
            scores.append(
                TagScore(slot, tag, Arm.TAGGED, Verdict.NOT_EXPRESSIBLE, reason="the dialect has no such tag")
            )
            continue
        if (slot, tag) in leaked:
            scores.append(TagScore(slot, tag, Arm.TAGGED, Verdict.LEAKED, reason="the tag was read aloud"))
        else:
            scores.append(_score(text, features, plain, slot, tag, Arm.TAGGED))
        other = placebo_slot(text, slot, tag) if placebo and plain and not leaked else None
        if other is not None and (other, tag) not in placed:
            placed.add((other, tag))
            scores.append(_score(text, features, plain, other, tag, Arm.PLACEBO))
    return scores


def _score(text, features, plain, slot: int, tag: Tag, arm: Arm) -> TagScore:
    detector = DETECTORS.get(tag)
    if detector is None:
        return _unmeasurable(slot, tag, arm, f"there is no detector for {tag.bare} yet")
    if reason := detector.applies(text, slot):
        return _unmeasurable(slot, tag, arm, reason)
    if isinstance(features, str):
        return _unmeasurable(slot, tag, arm, features)
    if not plain and not detector.works_unpaired:
        return _unmeasurable(slot, tag, arm, "no plain clip to compare with")
    excluded = affected_words(text)
    value = detector.value(features, slot, excluded)
    if plain:
        usable = [item for item in plain if not isinstance(item, str)]
        if not usable:
            return _unmeasurable(slot, tag, arm, f"no plain clip could be measured: {plain[0]}")
        levels = [detector.value(item, slot, excluded) for item in usable]
        value -= float(np.mean(levels))
    if not np.isfinite(value):
        return _unmeasurable(slot, tag, arm, "too little voicing to measure pitch")
    threshold = threshold_of(detector)
    value = round(value, 4)
    return TagScore(slot, tag, arm, detector.judge(value, threshold), value, detector.unit, threshold)


def threshold_of(detector: Detector) -> float:
    """The difference from which a tag counts as realised: the floor of its detector.

    An engine that repeats itself exactly has no null distribution, so the floor is the threshold.
    """
    return detector.floor


def _unmeasurable(slot: int, tag: Tag, arm: Arm, reason: str) -> TagScore:
    return TagScore(slot, tag, arm, Verdict.UNMEASURABLE, reason=reason)
