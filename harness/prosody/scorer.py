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
from harness.prosody.detectors import (
    DETECTORS,
    PAUSE_SHORT_SECONDS,
    PITCH_FLOOR_SEMITONES,
    Cue,
    affected_words,
    by_cue,
)
from harness.prosody.features import ClipFeatures, measure
from harness.prosody.leak import align_and_listen
from harness.prosody.null import FLOORS, Thresholds
from harness.prosody.placebo import placebo_slot
from harness.records import Arm, Verdict
from harness.tagged import Tag, TaggedText

# Without a plain twin a word is judged against its own sentence. What it must exceed is the 95th percentile of the same value over
# all words (ends of phrases) of 180 plain calibration clips by espeak and Piper, or the paired floor if that is higher. So one
# untagged word in twenty is called emphasised, and a fall must be steeper than most sentences' own. Pauses are the exception:
# silence is silence.
UNPAIRED_FLOORS: dict[Tag, float] = {
    Tag.EMPH: 6.6,
    Tag.PAUSE_SHORT: PAUSE_SHORT_SECONDS,
    Tag.PAUSE_LONG: PAUSE_SHORT_SECONDS,
    Tag.PITCH_HIGH: 2.9,
    Tag.PITCH_LOW: 3.1,
    Tag.PITCH_RISING: PITCH_FLOOR_SEMITONES,
    Tag.PITCH_FALLING: 6.3,
}


@dataclass(frozen=True)
class TagScore:
    """Verdict on one tag, or on its placebo, with the measurement behind it.

    `value` is the difference to the plain clips in `unit`, or the clip's own value if it is not `paired`; `slot` is where the tag
    (or placebo) stands.
    """

    slot: int
    tag: Tag
    arm: Arm
    verdict: Verdict
    value: float | None = None
    unit: str = ""
    threshold: float | None = None
    reason: str = ""
    paired: bool = True


def analyse(audio: Audio, text: TaggedText) -> ClipFeatures | str:
    """Align and measure a clip; a string says why it cannot be measured."""
    try:
        return measure(audio, align(audio, text.words))
    except HarnessError as error:
        return error.message


def analyse_tagged(
    audio: Audio, text: TaggedText, asked: Sequence[tuple[int, Tag]]
) -> tuple[ClipFeatures | str, set[tuple[int, Tag]]]:
    """As `analyse`, and which of the tags were read aloud.

    A clip that cannot be listened to cannot be scored either.
    """
    try:
        words, leaked = align_and_listen(audio, text.words, asked)
        return measure(audio, words), leaked
    except HarnessError as error:
        return error.message, set()


def score_clip(
    text: TaggedText,
    clip: Audio | ClipFeatures | str,
    plain: Sequence[ClipFeatures | str],
    *,
    check_leaks: bool = True,
    placebo: bool = True,
    lost: Sequence[tuple[int, Tag]] = (),
    thresholds: Thresholds = FLOORS,
    sentence: str = "",
    leaked: set[tuple[int, Tag]] | None = None,
) -> list[TagScore]:
    """Score all tags of one tagged clip.

    Parameters
    ----------
    text : TaggedText
        What was asked for.
    clip : Audio, ClipFeatures or str
        The tagged clip, or what `analyse_tagged` made of it.
    plain : sequence of ClipFeatures or str
        `analyse` of clips of the same words without tags. Empty: the clip is scored by itself, which serves for pauses away
        from punctuation and is exploratory for the rest.
    check_leaks : bool
        Whether to listen for tags that were read aloud.
    placebo : bool
        Whether to score placebos too.
    lost : sequence of (slot, tag)
        Tags that the engine's dialect could not express; they are reported apart.
    thresholds : Thresholds
        Of the engine; the floors otherwise.
    sentence : str
        Name of the sentence, which decides the half that the threshold is for.
    leaked : set of (slot, tag), optional
        What `analyse_tagged` heard, if `clip` is features.

    Returns
    -------
    list of TagScore
        In slot order, each tag followed by its placebo if there is room for one.
    """
    tags = list(dict.fromkeys(text.tags))
    asked = [item for item in tags if item not in set(lost)]
    if isinstance(clip, Audio):
        features, leaked = analyse_tagged(clip, text, asked) if check_leaks else (analyse(clip, text), set())
    else:
        features, leaked = clip, leaked or set()
    scorer = _ClipScorer(text, features, plain, thresholds, sentence)
    paired = bool(plain)
    scores: list[TagScore] = []
    placed: set[tuple[int, Tag]] = set()  # two tags may be nearest to one placebo slot; it counts once
    for slot, tag in tags:
        if (slot, tag) not in asked:
            scores.append(
                TagScore(
                    slot, tag, Arm.TAGGED, Verdict.NOT_EXPRESSIBLE, reason="the dialect has no such tag", paired=paired
                )
            )
            continue
        if (slot, tag) in leaked:
            scores.append(
                TagScore(slot, tag, Arm.TAGGED, Verdict.LEAKED, reason="the tag was read aloud", paired=paired)
            )
        else:
            scores.append(scorer.score(slot, tag, Arm.TAGGED))
        other = placebo_slot(text, slot, tag) if placebo and plain and not leaked else None
        if other is not None and (other, tag) not in placed:
            placed.add((other, tag))
            scores.append(scorer.score(other, tag, Arm.PLACEBO))
    return scores


@dataclass(frozen=True)
class _ClipScorer:
    """One clip against its plain twins."""

    text: TaggedText
    features: ClipFeatures | str
    plain: Sequence[ClipFeatures | str]
    thresholds: Thresholds
    sentence: str

    def score(self, slot: int, tag: Tag, arm: Arm) -> TagScore:
        detector = DETECTORS[tag]
        place = detector.place(self.text, slot)
        if place is None:
            return self.unmeasurable(slot, tag, arm, "no word follows the tag")
        if isinstance(self.features, str):
            return self.unmeasurable(slot, tag, arm, self.features)
        usable = [item for item in self.plain if not isinstance(item, str)]
        if self.plain and not usable:
            return self.unmeasurable(slot, tag, arm, f"no plain clip could be measured: {self.plain[0]}")
        paired = bool(usable)
        value = difference(detector.cue, self.text, self.features, usable, place)
        if not np.isfinite(value):
            return self.unmeasurable(slot, tag, arm, NOT_MEASURED[detector.cue])
        threshold = self.thresholds.of(tag, self.sentence) if paired else UNPAIRED_FLOORS[tag]
        value = round(value, 4)
        return TagScore(slot, tag, arm, detector.judge(value, threshold), value, detector.unit, threshold, "", paired)

    def unmeasurable(self, slot: int, tag: Tag, arm: Arm, reason: str) -> TagScore:
        return TagScore(slot, tag, arm, Verdict.UNMEASURABLE, reason=reason, paired=bool(self.plain))


NOT_MEASURED = {
    Cue.PAUSE: "no gap to measure",
    Cue.LEVEL: "too little voicing to measure pitch",
    Cue.END: "too little voicing to measure pitch",
    Cue.EMPHASIS: "too few words to compare with",
}


def difference(cue: Cue, text: TaggedText, tagged: ClipFeatures, plain: Sequence[ClipFeatures], place: int) -> float:
    """Value of a cue at a place in the tagged clip, minus its mean over the plain clips (if any); NaN if not measurable.

    Words that a tag acts on serve as nobody's reference.
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
    """What every cue did at one tag's place: the tag's own cue and all others.

    Returns
    -------
    dict
        Tagged minus plain for each cue, in its unit; None where it could not be measured.
    """
    usable = [item for item in plain if not isinstance(item, str)]
    found: dict[str, float | None] = {}
    for cue, detector in by_cue().items():
        place = detector.place(text, slot)
        if isinstance(tagged, str) or not usable or place is None:
            found[cue.value] = None
            continue
        value = difference(cue, text, tagged, usable, place)
        found[cue.value] = round(value, 4) if np.isfinite(value) else None
    return found
