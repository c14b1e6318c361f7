"""Outcomes to rates: how often each tag was realised, and how often the detector fires on nothing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from harness.records import Arm, Outcome, Verdict
from harness.stats import ClusterBootstrap, Interval, number, ratio
from harness.tagged import TAGS

COUNTED = (Verdict.HIT, Verdict.MISS, Verdict.WRONG_DIRECTION, Verdict.LEAKED, Verdict.UNMEASURABLE)


def per_tag(outcomes: Iterable[Outcome], seed: int = 0) -> dict[str, dict]:
    """Counts and rates of every tag that occurs.

    Returns
    -------
    dict
        For each tag: ``n`` and its five parts, ``not_expressible``, ``hit_rate`` = hit / (n - unmeasurable) with its
        95 % interval ``low`` and ``high`` (cluster bootstrap over sentences), and ``false_positive`` with ``fp_low``
        and ``fp_high``: the same rate at placebo slots, out of ``placebo_n``.
    """
    outcomes = list(outcomes)
    return {tag.value: row for tag in TAGS if (row := _row([o for o in outcomes if o.tag is tag], seed))["asked"]}


def _row(outcomes: list[Outcome], seed: int) -> dict:
    tagged = [o for o in outcomes if o.arm is Arm.TAGGED]
    placebo = [o for o in outcomes if o.arm is Arm.PLACEBO]
    counts = {
        verdict.value: sum(o.verdict is verdict for o in tagged) for verdict in (*COUNTED, Verdict.NOT_EXPRESSIBLE)
    }
    hits, false = hit_rate(tagged, seed), hit_rate(placebo, seed)
    return {
        "asked": len(tagged),
        "n": sum(counts[verdict.value] for verdict in COUNTED),
        **counts,
        "hit_rate": number(hits.value), "low": number(hits.low), "high": number(hits.high),
        "placebo_n": sum(o.verdict in COUNTED and o.verdict is not Verdict.UNMEASURABLE for o in placebo),
        "false_positive": number(false.value), "fp_low": number(false.low), "fp_high": number(false.high),
    }  # fmt: skip


def hit_rate(outcomes: list[Outcome], seed: int = 0) -> Interval:
    """Hits among measurable outcomes; NaN if there are none."""
    measurable = [o for o in outcomes if o.verdict in COUNTED and o.verdict is not Verdict.UNMEASURABLE]
    counts = [[o.verdict is Verdict.HIT, 1] for o in measurable]
    bootstrap = ClusterBootstrap(
        [o.sentence for o in measurable], np.array(counts, dtype=float).reshape(-1, 2), seed=seed
    )
    return bootstrap.interval(lambda total: ratio(total[..., 0], total[..., 1]))


def reasons(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Why tags (not placebos) were unmeasurable, most frequent first."""
    found: dict[str, int] = {}
    for outcome in outcomes:
        if outcome.verdict is Verdict.UNMEASURABLE and outcome.arm is Arm.TAGGED:
            found[outcome.reason] = found.get(outcome.reason, 0) + 1
    return dict(sorted(found.items(), key=lambda item: -item[1]))
