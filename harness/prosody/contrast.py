"""The contrastive score: which word was tagged? It needs no threshold.

A sentence is spoken K times with the same tag, each time on another word. In every rendering, the word is chosen whose
measured value rises most above its mean in the other renderings. Guessing is right once in K times, and an engine that obeys
the tag is right every time. There is nothing to tune.

In an engine that repeats itself exactly, an inaudible difference is enough to identify the word. So the share of right answers
whose difference is above the audible floor is reported with the accuracy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from harness.prosody.detectors import DETECTORS
from harness.prosody.features import ClipFeatures
from harness.records import Contrast
from harness.stats import ClusterBootstrap, number, ratio
from harness.tagged import TAGS, Tag, TaggedText

MIN_CANDIDATES = 3
TIE = 1e-9  # values closer than this are equal


def measure_contrast(
    tag: Tag, text: TaggedText, slots: Sequence[int], renderings: Sequence[ClipFeatures | str], listener: str = ""
) -> list[list[float | None]]:
    """Measure a tag's cue at every candidate place in every rendering.

    Parameters
    ----------
    tag : Tag
    text : TaggedText
        Words of the sentence, without tags.
    slots : sequence of int, length K
        Slot of the tag in each rendering.
    renderings : sequence of ClipFeatures or str, length K
        Measured clips; a string is the reason why a clip could not be measured.
    listener : str
        Name of a listener of words, whose scores are then the values, whatever the tag; by default, the tag's detector measures.

    Returns
    -------
    list of K lists of K floats
        Row k, column j: the value at place j in the rendering with the tag at place k, in the unit of the cue, and positive in the
        direction that the tag asks for. None if it could not be measured. Candidates are never used as reference.
    """
    detector = DETECTORS[tag]
    places = [detector.place(text, slot) for slot in slots]
    known = {place for place in places if place is not None}

    def value(clip: ClipFeatures | str, place: int | None) -> float:
        if isinstance(clip, str) or place is None:
            return float("nan")
        if not listener:
            return detector.sign * detector.value(clip, place, known)
        scores = clip.heard[listener].scores if listener in clip.heard else None
        return float("nan") if scores is None else float(scores[min(place, len(scores) - 1)])

    rows: list[list[float | None]] = []
    for clip in renderings:
        values = [value(clip, place) for place in places]
        rows.append([round(value, 4) if np.isfinite(value) else None for value in values])
    return rows


def identify(values: Sequence[Sequence[float | None]]) -> list[tuple[float, float]]:
    """Return for each rendering 1 if the tagged place rose most (1/m if m places tie), else 0, and by how much it rose.

    If any value is missing, there are fewer than K candidates. The result is then empty, instead of counting as wrong.

    >>> identify([[3.0, 0, 0], [0, 2.0, 0], [0, 0.5, 0]])[:2]
    [(1.0, 3.0), (1.0, 1.75)]
    """
    matrix = np.array([[np.nan if v is None else v for v in row] for row in values], dtype=float)
    if not np.isfinite(matrix).all():
        return []
    size = len(matrix)
    rise = matrix - (matrix.sum(axis=0) - matrix) / (size - 1)
    results = []
    for tagged, row in enumerate(rise):
        best = np.flatnonzero(row >= row.max() - TIE)
        results.append((1 / len(best) if tagged in best else 0.0, float(row[tagged])))
    return results


def contrastive(records: Iterable[Contrast], listener: str = "") -> dict[str, dict[str, Any]]:
    """Return the identification accuracy of every tag, with its 95 % interval by sentence.

    Parameters
    ----------
    records : iterable of Contrast
    listener : str
        Name of the listener whose scores are used; by default, those of the detectors.

    Returns
    -------
    dict
        For each tag: ``accuracy`` with ``low`` and ``high``, ``chance`` (1/K), ``n`` renderings, ``unmeasurable`` renderings, and
        ``audible``: the share of renderings that were identified and rose by at least the audible floor (None for a listener).
    """
    records = [record for record in records if record.listener == listener]
    table: dict[str, dict[str, Any]] = {}
    for tag in TAGS:
        counts, names, lost = [], [], 0
        for record in (record for record in records if record.tag is tag):
            found = identify(record.values)
            lost += len(record.values) - len(found)
            counts += [[right, right * (rise >= DETECTORS[tag].floor), 1, 1 / len(found)] for right, rise in found]
            names += [record.group] * len(found)
        if not counts and not lost:
            continue
        bootstrap = ClusterBootstrap(names, np.array(counts, dtype=float).reshape(-1, 4))
        accuracy = bootstrap.interval(lambda total: ratio(total[..., 0], total[..., 2]))
        total = bootstrap.total
        table[tag.value] = {
            "accuracy": number(accuracy.value), "low": number(accuracy.low), "high": number(accuracy.high),
            "chance": number(float(ratio(total[3], total[2]))), "audible": None if listener else number(float(ratio(total[1], total[2]))),
            "n": int(total[2]), "unmeasurable": lost,
        }  # fmt: skip
    return table
