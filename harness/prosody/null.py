"""How much an engine differs from itself: the null distribution, and the thresholds that come from it.

A sufficiently sensitive detector would call every voice obedient that never says a sentence the same way twice. So plain clips
are compared with plain clips, exactly as tagged clips are: a held-out clip minus the mean of K others. A tag must exceed the 99th
percentile of such differences, or the perceptual floor of the detector if that is higher.

The percentile is learned on one half of the sentences and applied to the other (cross-fitting), so that the false-positive rate is
not measured on the sentences that it was tuned on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.prosody.detectors import DETECTORS, Cue, by_cue, places
from harness.prosody.features import ClipFeatures
from harness.records import NullSample, Verdict, digest
from harness.stats import ClusterBootstrap, Interval, ratio
from harness.tagged import TAGS, Tag, TaggedText

NULL_PERCENTILE = 99.0
MIN_DIFFERENCES = 1000  # of one cue; with fewer, only a handful exceed the 99th percentile of one half
_CUES = frozenset(cue.value for cue in Cue)
FLOOR, NULL, NOT_APPLICABLE, TOO_FEW = "floor", "null", "not applicable", "too few"


def null_differences(text: TaggedText, plain: Sequence[ClipFeatures | str]) -> dict[Cue, list[float]]:
    """Return the differences between plain clips of one sentence, at every place where a cue could be measured.

    Parameters
    ----------
    text : TaggedText
    plain : sequence of ClipFeatures or str
        K + 1 clips with different seeds; those that could not be measured (str) are left out.

    Returns
    -------
    dict
        For each cue, the value of every clip minus the mean of the others at each place, in the unit of the cue. The lists are
        empty if fewer than three clips are usable.
    """
    usable = [clip for clip in plain if not isinstance(clip, str)]
    found: dict[Cue, list[float]] = {cue: [] for cue in by_cue()}
    if len(usable) < 3:
        return found
    for cue, detector in by_cue().items():
        for place in places(cue, text):
            values = np.array([detector.value(clip, place) for clip in usable])
            values = values[np.isfinite(values)]  # as in the score, the mean is over the measurable values
            if len(values) > 1:
                others = (values.sum() - values) / (len(values) - 1)
                found[cue] += [round(float(value), 4) for value in values - others]
    return found


def half(sentence: str) -> int:
    """Return the half to which a sentence belongs, 0 or 1; it depends only on the name."""
    return int(digest("half", sentence), 16) % 2


@dataclass(frozen=True)
class Thresholds:
    """The difference from which each tag counts as realised, for each half of the sentences.

    `why` is the source of each: "null" for the engine's own spread, "floor" if the perceptual floor is higher, "not applicable"
    for an engine that repeats itself exactly, "too few" if there are not enough differences.
    """

    values: Mapping[tuple[Tag, int], float] = field(default_factory=dict)
    why: Mapping[Tag, str] = field(default_factory=dict)

    def of(self, tag: Tag, sentence: str) -> float:
        """Return the threshold for a tag in a sentence, in the detector's unit."""
        return self.values.get((tag, half(sentence)), DETECTORS[tag].floor)

    def typical(self, tag: Tag) -> float:
        """Return the mean of the thresholds of both halves, for tables."""
        floor = DETECTORS[tag].floor
        return round(float(np.mean([self.values.get((tag, part), floor) for part in (0, 1)])), 4)

    def reason(self, tag: Tag) -> str:
        """Return the source of the threshold."""
        return self.why.get(tag, NOT_APPLICABLE)


FLOORS = Thresholds()


def fit(samples: Iterable[NullSample]) -> Thresholds:
    """Fit the thresholds of one engine to its own null; each half of the sentences gets the percentile of the other half.

    Parameters
    ----------
    samples : iterable of NullSample
        Samples of one engine. Without any, the floors apply, because the engine repeats itself.
    """
    pools: dict[tuple[Cue, int], list[float]] = {}
    for sample in samples:
        if sample.cue not in _CUES:  # a listener
            continue
        pools.setdefault((Cue(sample.cue), half(sample.sentence)), []).extend(sample.values)
    values: dict[tuple[Tag, int], float] = {}
    why: dict[Tag, str] = {}
    for tag, detector in DETECTORS.items():
        mine = [pools.get((detector.cue, part), []) for part in (0, 1)]
        if not any(mine):
            continue
        if sum(map(len, mine)) < MIN_DIFFERENCES or not all(mine):
            why[tag] = TOO_FEW
            continue
        limits = [float(np.percentile(detector.sign * np.array(mine[1 - part]), NULL_PERCENTILE)) for part in (0, 1)]
        values |= {(tag, part): round(max(detector.floor, limits[part]), 4) for part in (0, 1)}
        why[tag] = NULL if max(limits) > detector.floor else FLOOR
    return Thresholds(values, why)


def false_positives(samples: Iterable[NullSample], thresholds: Thresholds) -> dict[Tag, tuple[Interval, int]]:
    """Return how often each detector fires on an engine's own plain clips: the rate with its interval by sentence, and the count."""
    usable = [sample for sample in samples if sample.values]
    found: dict[Tag, tuple[Interval, int]] = {}
    for tag in TAGS:
        detector = DETECTORS[tag]
        rows = [sample for sample in usable if sample.cue == detector.cue.value]
        if not rows:
            continue
        counts = []
        for row in rows:
            threshold = thresholds.of(tag, row.sentence)
            counts.append([sum(detector.judge(v, threshold) is Verdict.HIT for v in row.values), len(row.values)])
        bootstrap = ClusterBootstrap([row.sentence for row in rows], np.array(counts, dtype=float))
        interval = bootstrap.interval(lambda total: ratio(total[..., 0], total[..., 1]))
        found[tag] = interval, int(bootstrap.total[1])
    return found
