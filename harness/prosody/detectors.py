"""The rules for an audible tag: one small class for each rule, with its unit, floor and source.

A detector turns the features of a clip into one number for one place: a gap, a word, or the end of a phrase. The scorer compares
this number in a tagged clip with plain clips of the same sentence. The detector knows in which direction the tag should move
it, and judges the difference by a threshold.

Rules and floors were fixed on sentences that are in no reported table: the training sentences of the tagger, spoken by espeak (en-us,
en-gb) with tags and by one neural voice (Piper) without. The reported tables include Piper too, on other sentences, because no
second voice that varies was available.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.prosody.features import ClipFeatures
from harness.records import Verdict
from harness.tagged import CONTOURS, TAGS, WORD_TAGS, Tag, TaggedText

# Listeners report pauses from 0.2 to 0.25 s on (Goldman-Eisler 1968 counts from 0.25 s). The floor of 0.15 s comes from the
# definition of the tag, not from hearing. "Short" ends at 0.7 s.
PAUSE_SHORT_SECONDS = 0.15
PAUSE_LONG_SECONDS = 0.7
# 't Hart (1981, JASA 69:811): the most sensitive listeners noticed differences of 1.5 to 2 semitones between pitch movements, and many
# needed 4 or more. He concluded that only differences of more than 3 play a part in communication. The floor is the lowest of these:
# a change beyond it can be measured, and some listeners would notice it. Results also give the share beyond 3 semitones.
PITCH_FLOOR_SEMITONES = 1.5
PITCH_CLEAR_SEMITONES = 3.0
_PITCH_SOURCE = "'t Hart 1981: noticed by the most sensitive listeners; 3 st play a part in communication"
# Just noticeable differences of a segment's level, about 1 dB (Flanagan 1957, JASA 29:533), and of its duration, about 20 %
# (Klatt 1976, JASA 59:1208). One unit of the emphasis score is one of either.
LEVEL_JND_DB = 1.0
DURATION_JND_LOG = math.log(1.2)
# 0.7 % of the untagged words of the calibration voice differ by this much between renderings (4,236 differences), and 97 % of
# the words that espeak was told to emphasise (360 words). It was fixed there, before any reported clip was made.
EMPHASIS_FLOOR_JND = 3.0
# With fewer reference words, a single unusual word would move the level of the sentence.
MIN_REFERENCE_WORDS = 2


class Cue(str, Enum):
    """A measured quantity. Two tags that ask for opposite changes share a cue."""

    PAUSE = "pause"
    LEVEL = "pitch_level"
    END = "pitch_end"
    EMPHASIS = "emphasis"


@dataclass(frozen=True)
class PauseDetector:
    """Silence in the gap of the slot, in seconds."""

    tag: Tag
    cue: ClassVar[Cue] = Cue.PAUSE
    unit: ClassVar[str] = "s"
    floor: ClassVar[float] = PAUSE_SHORT_SECONDS
    sign: ClassVar[int] = 1
    what: ClassVar[str] = "silence added in the gap"
    source: ClassVar[str] = "definition of the tag: 0.15 to 0.7 s, and longer"

    def place(self, text: TaggedText, slot: int) -> int | None:
        """Return the gap to measure."""
        return slot

    def value(self, features: ClipFeatures, place: int, excluded: Collection[int] = ()) -> float:
        """Return the silence in the gap, in seconds."""
        return float(features.pause[place])

    def judge(self, difference: float, threshold: float) -> Verdict:
        """Judge the silence added relative to the plain clips; a long pause is not a short one."""
        if difference < threshold:
            return Verdict.MISS
        is_long, asked_long = difference >= PAUSE_LONG_SECONDS, self.tag is Tag.PAUSE_LONG
        return Verdict.HIT if is_long == asked_long else Verdict.WRONG_DIRECTION


@dataclass(frozen=True)
class _Directed:
    """A rule about a change in one direction."""

    tag: Tag

    @property
    def sign(self) -> int:
        """Return 1 if the tag asks for a rise of the value, -1 for a fall."""
        return -1 if self.tag in (Tag.PITCH_LOW, Tag.PITCH_FALLING) else 1

    def place(self, text: TaggedText, slot: int) -> int | None:
        """Return the word to measure; None if no word follows the tag."""
        return slot if slot < len(text.words) else None

    def judge(self, difference: float, threshold: float) -> Verdict:
        """Judge the change relative to the plain clips."""
        towards = self.sign * difference
        if towards >= threshold:
            return Verdict.HIT
        return Verdict.WRONG_DIRECTION if towards <= -threshold else Verdict.MISS


class PitchLevelDetector(_Directed):
    """Median F0 of the word relative to the rest of the sentence, in semitones."""

    cue: ClassVar[Cue] = Cue.LEVEL
    unit: ClassVar[str] = "st"
    floor: ClassVar[float] = PITCH_FLOOR_SEMITONES
    what: ClassVar[str] = "F0 of the word, relative to the rest"
    source: ClassVar[str] = _PITCH_SOURCE

    def value(self, features: ClipFeatures, place: int, excluded: Collection[int] = ()) -> float:
        """Return the F0 of the word minus the mean F0 of reference words; NaN if either is not voiced enough."""
        return float(features.f0[place]) - _reference(features.f0, {place, *excluded})


class PitchEndDetector(_Directed):
    """Final movement of the phrase: F0 where its last word ends, above the lower third of the last 1.5 s of voicing, in semitones."""

    cue: ClassVar[Cue] = Cue.END
    unit: ClassVar[str] = "st"
    floor: ClassVar[float] = PITCH_FLOOR_SEMITONES
    what: ClassVar[str] = "F0 at the end of the phrase, above the lower third of its last 1.5 s of voicing"
    source: ClassVar[str] = _PITCH_SOURCE

    def place(self, text: TaggedText, slot: int) -> int | None:
        """Return the last word of the phrase that contains the slot; None in a text without words."""
        return text.phrase_end(slot) if text.words else None

    def value(self, features: ClipFeatures, place: int, excluded: Collection[int] = ()) -> float:
        """Return the final movement; NaN if the end of the word is not voiced enough.

        It needs no other words, so `excluded` has no effect. A single raised word in the stretch hardly moves its lower third.
        """
        return float(features.final_movement[place])


class EmphasisDetector(_Directed):
    """Level and length of the word relative to the rest of the sentence, in just noticeable differences.

    F0 is left out. With it, the rule also detects raised words (74 % of them at a weight of one unit for 2 semitones), and the
    engine with a known emphasis *lowers* its pitch. The rule misses a voice that stresses by pitch alone.
    """

    cue: ClassVar[Cue] = Cue.EMPHASIS
    unit: ClassVar[str] = "JND"
    floor: ClassVar[float] = EMPHASIS_FLOOR_JND
    what: ClassVar[str] = "level (1 dB = 1) plus length (20 % = 1) of the word, relative to the rest"
    source: ClassVar[str] = "Flanagan 1957, Klatt 1976; three units by calibration"

    def value(self, features: ClipFeatures, place: int, excluded: Collection[int] = ()) -> float:
        """Return the sum of both cues; NaN for a token that is not spoken."""
        left_out = {place, *excluded}
        level = float(features.intensity[place]) - _reference(features.intensity, left_out)
        length = float(features.log_duration[place]) - _reference(features.log_duration, left_out)
        return level / LEVEL_JND_DB + length / DURATION_JND_LOG


def _reference(values: NDArray[np.float64], left_out: Collection[int]) -> float:
    """Return the mean over the reference words; NaN if there are too few."""
    kept = np.array([value for at, value in enumerate(values) if at not in left_out and np.isfinite(value)])
    return float(kept.mean()) if len(kept) >= MIN_REFERENCE_WORDS else float("nan")


Detector = PauseDetector | PitchLevelDetector | PitchEndDetector | EmphasisDetector
_CLASSES: dict[Tag, type[Detector]] = {
    Tag.EMPH: EmphasisDetector,
    Tag.PAUSE_SHORT: PauseDetector,
    Tag.PAUSE_LONG: PauseDetector,
    Tag.PITCH_HIGH: PitchLevelDetector,
    Tag.PITCH_LOW: PitchLevelDetector,
    Tag.PITCH_RISING: PitchEndDetector,
    Tag.PITCH_FALLING: PitchEndDetector,
}
DETECTORS: dict[Tag, Detector] = {tag: _CLASSES[tag](tag) for tag in TAGS}


def affected_words(text: TaggedText) -> set[int]:
    """Return the words that a tag of `text` acts on, which cannot serve as reference."""
    affected = {slot for slot, tag in text.tags if tag in WORD_TAGS}
    affected |= {text.phrase_end(slot) for slot, tag in text.tags if tag in CONTOURS}
    return affected


def places(cue: Cue, text: TaggedText) -> list[int]:
    """Return all places in a plain sentence where a cue could be measured: inner gaps, words, or ends of phrases."""
    words = range(len(text.words))
    if cue is Cue.PAUSE:
        return list(words[1:])
    return sorted({text.phrase_end(slot) for slot in words}) if cue is Cue.END else list(words)


def by_cue() -> dict[Cue, Detector]:
    """Return one detector of each cue, for measuring; its direction does not matter."""
    return {detector.cue: detector for detector in reversed(DETECTORS.values())}
