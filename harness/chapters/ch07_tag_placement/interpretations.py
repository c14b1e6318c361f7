"""All reasonable interpretations of "85 % placement", computed from the same output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.experiment.joint import PLACEMENT, READINGS, count
from harness.placement import score_placement
from harness.tagged import TaggedText


def placement_readings(gold: Sequence[TaggedText], predicted: Sequence[TaggedText]) -> list[tuple[str, float]]:
    """Return all readings of a placement percentage, highest first: those of `harness.experiment.joint` and three more.

    Returns
    -------
    list of (reading, share)
        Shares in [0, 1].
    """
    total = count(gold, predicted, [()] * len(gold), ()).sum(axis=0)
    readings = {one.words: float(one.of(total)) for one in READINGS.values() if one.family == PLACEMENT}
    report = score_placement(gold, predicted, n_resamples=0)
    readings |= {
        "micro F1, one slot off allowed": report.tolerant.f1.value,
        "macro F1": report.macro.f1.value,
        "words unchanged": report.text_preserved,
    }
    shares = {name: 0.0 if np.isnan(share) else share for name, share in readings.items()}
    return sorted(shares.items(), key=lambda item: -item[1])
