"""What counts as a tag that can be heard: one small class a rule, with its unit, floor and source.

A detector turns the features of a clip into one number for one slot. The scorer takes that number from a tagged clip and
from plain clips of the same sentence, and the detector judges the difference. Detectors exist for pauses and pitch level;
tags without one are `unmeasurable`, and say so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.prosody.features import ClipFeatures
from harness.records import Verdict
from harness.tagged import CONTOURS, PAUSES, WORD_TAGS, Tag, TaggedText

# A pause of 0.15 s is shorter than the 0.2 to 0.25 s from which listeners report pauses (Goldman-Eisler 1968 counts from
# 0.25 s), so the definition of the tag, not hearing, sets the floor. 0.7 s is where "short" ends.
PAUSE_SHORT_SECONDS = 0.15
PAUSE_LONG_SECONDS = 0.7
# Differences of less than 1.5 to 2 semitones between pitch movements go unnoticed ('t Hart 1981, JASA 69:811).
PITCH_FLOOR_SEMITONES = 1.5
# Fewer reference words than this, and one odd word moves the sentence's level.
MIN_REFERENCE_WORDS = 2


@dataclass(frozen=True)
class PauseDetector:
    """Silence added in the gap of the slot, in seconds."""

    tag: Tag
    unit: ClassVar[str] = "s"
    floor: ClassVar[float] = PAUSE_SHORT_SECONDS
    works_unpaired: ClassVar[bool] = True

    def applies(self, text: TaggedText, slot: int) -> str:
        """Empty if the tag can be measured on this slot, else why not."""
        return ""

    def value(self, features: ClipFeatures, slot: int, excluded: Collection[int]) -> float:
        """Silence in the gap, in seconds."""
        return float(features.pause[slot])

    def judge(self, difference: float, threshold: float) -> Verdict:
        """Verdict on silence added relative to the plain clips."""
        long_asked = self.tag is Tag.PAUSE_LONG
        if difference < threshold:
            return Verdict.MISS
        return Verdict.HIT if (difference >= PAUSE_LONG_SECONDS) == long_asked else Verdict.WRONG_DIRECTION


@dataclass(frozen=True)
class PitchLevelDetector:
    """Median F0 of the word relative to the untagged rest of the sentence, in semitones."""

    tag: Tag
    unit: ClassVar[str] = "st"
    floor: ClassVar[float] = PITCH_FLOOR_SEMITONES
    works_unpaired: ClassVar[bool] = False

    def applies(self, text: TaggedText, slot: int) -> str:
        """Empty if the tag can be measured on this slot, else why not."""
        return "no word follows the tag" if slot >= len(text.words) else ""

    def value(self, features: ClipFeatures, slot: int, excluded: Collection[int]) -> float:
        """F0 of the word minus the mean F0 of reference words; NaN if either was not voiced enough."""
        reference = [at for at in range(len(features.f0)) if at != slot and at not in excluded]
        levels = features.f0[reference]
        levels = levels[np.isfinite(levels)]
        if len(levels) < MIN_REFERENCE_WORDS:
            return float("nan")
        return float(features.f0[slot] - levels.mean())

    def judge(self, difference: float, threshold: float) -> Verdict:
        """Verdict on the change of level relative to the plain clips."""
        towards = difference if self.tag is Tag.PITCH_HIGH else -difference
        if towards >= threshold:
            return Verdict.HIT
        return Verdict.WRONG_DIRECTION if towards <= -threshold else Verdict.MISS


Detector = PauseDetector | PitchLevelDetector
DETECTORS: dict[Tag, Detector] = {
    **{tag: PauseDetector(tag) for tag in sorted(PAUSES)},
    **{tag: PitchLevelDetector(tag) for tag in (Tag.PITCH_HIGH, Tag.PITCH_LOW)},
}


def affected_words(text: TaggedText) -> set[int]:
    """Words that a tag of `text` acts on: they cannot serve as reference."""
    affected = {slot for slot, tag in text.tags if tag in WORD_TAGS}
    affected |= {text.phrase_end(slot) for slot, tag in text.tags if tag in CONTOURS}
    return affected
