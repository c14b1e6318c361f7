"""Every way in which "85 % placement" can reasonably be read, computed from one and the same output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.placement import score_placement
from harness.tagged import TaggedText


def placement_readings(gold: Sequence[TaggedText], predicted: Sequence[TaggedText]) -> list[tuple[str, float]]:
    """Readings of a placement percentage, highest first.

    Returns
    -------
    list of (reading, share)
        Shares in [0, 1].
    """
    report = score_placement(gold, predicted, n_resamples=0)
    pairs = list(zip(gold, predicted, strict=True))
    slots = sum(len(text.words) + 1 for text in gold)
    agree = sum(
        set(reference.by_slot().get(slot, ())) == set(guess.by_slot().get(slot, ()))
        for reference, guess in pairs
        for slot in range(len(reference.words) + 1)
    )
    somewhere = [({slot for slot, _ in reference.tags}, {slot for slot, _ in guess.tags}) for reference, guess in pairs]
    any_tag = sum(len(wanted & placed) for wanted, placed in somewhere)
    readings: dict[str, float] = {
        "the output holds at least one tag": float(np.mean([bool(guess.tags) for _, guess in pairs])),
        "the output holds at least one right tag": float(np.mean([bool(set(r.tags) & set(g.tags)) for r, g in pairs])),
        "slots on which output and reference agree, empty ones included": agree / slots,
        "reference slots that got some tag, whichever": any_tag / max(sum(len(wanted) for wanted, _ in somewhere), 1),
        "placed tags that are right (precision)": report.micro.precision,
        "reference tags that were found (recall)": report.micro.recall,
        "micro F1": report.micro.f1.value,
        "micro F1, one slot off allowed": report.tolerant.f1.value,
        "macro F1": report.macro.f1.value,
        "whole sentences right": report.exact_match.value,
        "words unchanged": report.text_preserved,
    }
    shares = {name: 0.0 if np.isnan(share) else share for name, share in readings.items()}
    return sorted(shares.items(), key=lambda item: -item[1])
