"""Judgements to rates: how often the word of a tag rises most, and what obeying costs in quality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.prosody.null import MIN_DIFFERENCES, NOT_APPLICABLE, NULL, NULL_PERCENTILE, TOO_FEW, half
from harness.prosody.rates import named, share_of
from harness.records import Arm, Judgement, NullSample, Outcome, Verdict
from harness.stats import ClusterBootstrap, Interval, number, ratio
from harness.tagged import TAGS


def listener_rates(
    outcomes: Iterable[Outcome],
    nulls: Iterable[NullSample],
    names: Sequence[str],
    groups: Mapping[str, str],
) -> dict[str, dict[str, Any]]:
    """Return what each listener judged: one engine, one tagger.

    Parameters
    ----------
    outcomes : iterable of Outcome
    nulls : iterable of NullSample
        Differences between plain clips; their cue is the name of the listener.
    names : sequence of str
        Names of the listeners that were asked.
    groups : mapping of str to str
        Name of the sentence of each outcome's ``sentence``.

    Returns
    -------
    dict
        A listener of words has ``unit``, ``null`` and ``per_tag``. Each tag has ``n`` judged words, ``unmeasurable`` ones, and
        ``unpaired`` ones without plain clips; ``rose_most``, the share of words that rose most, and its ``chance``; ``rise``, the mean
        rise; ``above``, the share of rises above the ``threshold`` in ``null``; and the same at placebos (``placebo_...``). The
        threshold is the 99th percentile of the engine's own rises, cross-fitted over halves of the sentences; without a null there is
        none. A listener of clips has rows ``all`` and ``per_tag`` with ``n``, ``unmeasurable`` and ``paired`` clips, the mean scores
        ``tagged`` and ``plain``, and the paired ``change``. Figures have 95 % intervals by sentence, ``NAME_low`` and ``NAME_high``.
    """
    rows, samples = list(outcomes), list(nulls)
    rows = [row for row in rows if row.verdict is not Verdict.NOT_EXPRESSIBLE]
    found = {}
    for name in names:
        units = {row.listeners[name].unit for row in rows if name in row.listeners}
        if units == {"clip"}:
            per_tag = {tag.value: _quality(part, name, groups) for tag in TAGS if (part := _of(rows, tag))}
            found[name] = {"unit": "clip", "all": _quality(rows, name, groups), "per_tag": per_tag}
            continue
        limits, null = _null([sample for sample in samples if sample.cue == name and sample.values])
        per_tag = {tag.value: _prominence(part, name, groups, limits) for tag in TAGS if (part := _of(rows, tag))}
        found[name] = {"unit": "word", "null": null, "per_tag": per_tag}
    return found


def _of(rows: Sequence[Outcome], tag: Any) -> list[Outcome]:
    return [row for row in rows if row.tag is tag]


def _scored(row: Outcome, name: str) -> bool:
    return name in row.listeners and row.listeners[name].score is not None


def _judged(rows: Iterable[Outcome], name: str) -> list[tuple[Outcome, Judgement]]:
    return [(row, said) for row in rows if (said := row.listeners.get(name)) is not None and said.rise is not None]


def mean_of(values: Sequence[float], clusters: Sequence[str], *, rate: bool = False) -> Interval:
    """Return the mean of values (of a `rate`, if they are shares), with a 95 % interval by cluster; NaN without values."""
    counts = np.array([[value, 1] for value in values], dtype=float).reshape(-1, 2)
    return ClusterBootstrap(clusters, counts).interval(lambda total: ratio(total[..., 0], total[..., 1]), rate=rate)


def _prominence(
    rows: Sequence[Outcome], name: str, groups: Mapping[str, str], limits: Sequence[float]
) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for arm, prefix in ((Arm.TAGGED, ""), (Arm.PLACEBO, "placebo_")):
        asked = [row for row in rows if row.arm is arm]
        judged = _judged(asked, name)
        clusters = [groups[row.sentence] for row, _ in judged]
        unpaired = sum(_scored(row, name) and not row.paired for row in asked)
        table |= {f"{prefix}n": len(judged), f"{prefix}unmeasurable": len(asked) - len(judged) - unpaired,
                  f"{prefix}unpaired": unpaired}  # fmt: skip
        table |= named(
            f"{prefix}rose_most", mean_of([said.rose_most or 0.0 for _, said in judged], clusters, rate=True)
        )
        chances = [1 / said.words for _, said in judged if said.words]
        table[f"{prefix}chance"] = number(float(np.mean(chances))) if chances else None
        table |= named(f"{prefix}rise", mean_of([said.rise or 0.0 for _, said in judged], clusters))
        above = [(said.rise or 0.0) >= limits[half(groups[row.sentence])] for row, said in judged] if limits else []
        table |= named(f"{prefix}above", share_of(above, clusters if limits else []))
    return table


def _null(samples: Sequence[NullSample]) -> tuple[list[float], dict[str, Any]]:
    """Return the threshold of each half of the sentences, and a table with how often plain clips exceed it."""
    pools = [[value for s in samples if half(s.sentence) == part for value in s.values] for part in (0, 1)]
    n = sum(map(len, pools))
    if n < MIN_DIFFERENCES or not all(pools):
        return [], {"threshold": None, "threshold_from": TOO_FEW if n else NOT_APPLICABLE, "n": n,
                    **named("above", share_of([], []))}  # fmt: skip
    limits = [float(np.percentile(pools[1 - part], NULL_PERCENTILE)) for part in (0, 1)]
    flags = [(value >= limits[half(s.sentence)], s.sentence) for s in samples for value in s.values]
    above = share_of([flag for flag, _ in flags], [sentence for _, sentence in flags])
    return limits, {"threshold": round(float(np.mean(limits)), 4), "threshold_from": NULL, "n": n,
                    **named("above", above)}  # fmt: skip


def _quality(rows: Iterable[Outcome], name: str, groups: Mapping[str, str]) -> dict[str, Any]:
    clips = {
        (row.tagger, row.sentence): row for row in rows if row.arm is Arm.TAGGED
    }  # a clip with two tags counts once
    scored = [row for row in clips.values() if _scored(row, name)]
    tagged = mean_of([row.listeners[name].score or 0.0 for row in scored], [groups[row.sentence] for row in scored])
    paired = _judged(scored, name)
    clusters = [groups[row.sentence] for row, _ in paired]
    plain = mean_of([(said.score or 0.0) - (said.rise or 0.0) for _, said in paired], clusters)
    change = mean_of([said.rise or 0.0 for _, said in paired], clusters)
    return {"n": len(scored), "unmeasurable": len(clips) - len(scored), "paired": len(paired),
            **named("tagged", tagged), **named("plain", plain), **named("change", change)}  # fmt: skip
