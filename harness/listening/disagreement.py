"""How much a detector and a listener disagree about a tag: people's time is best spent there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from harness.prosody.detectors import DETECTORS
from harness.records import Outcome
from harness.tagged import WORD_TAGS, Tag

Place = tuple[str, str, str, int, Tag]


def place_of(outcome: Outcome) -> Place:
    """Return what identifies the tag of an outcome in its arm."""
    return outcome.engine, outcome.tagger, outcome.sentence, outcome.slot, outcome.tag


def disagreements(outcomes: Iterable[Outcome], listener: str) -> dict[Place, float]:
    """Return how much the detector of each tag and a listener of words disagree.

    Both are ranked among all clips of the same engine and tag, because a listener has no threshold and another scale. Only tags that
    ask for a word to stand out can be compared with its prominence: emphasis and high pitch.

    Parameters
    ----------
    outcomes : iterable of Outcome
        Outcomes of the tagged arm.
    listener : str
        Its name.

    Returns
    -------
    dict
        Distance of the two ranks, from 0 to 1, of each tag that both have measured.
    """
    from scipy.stats import rankdata

    groups: dict[tuple[str, Tag], list[tuple[Place, float, float]]] = defaultdict(list)
    for outcome in outcomes:
        said = outcome.listeners.get(listener)
        if said is None or said.unit != "word" or said.rise is None or outcome.value is None:
            continue
        if outcome.tag in WORD_TAGS and DETECTORS[outcome.tag].sign > 0:
            groups[outcome.engine, outcome.tag].append((place_of(outcome), outcome.value, said.rise))
    found: dict[Place, float] = {}
    for rows in groups.values():
        ranks = [rankdata([row[column] for row in rows]) for column in (1, 2)]
        distance = np.abs(ranks[0] - ranks[1]) / max(1, len(rows) - 1)
        found |= {row[0]: round(float(far), 4) for row, far in zip(rows, distance, strict=True)}
    return found
