"""Tags that occur together in an example, compared with chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness.publish.style import INK, SMALL, Figure, subplots
from harness.publish.tables import interval
from harness.records import Example
from harness.stats import ClusterBootstrap, Interval, Statistic, ratio
from harness.tagged import TAGS


@dataclass(frozen=True)
class Pair:
    """The number of examples with two tags, and the number expected if the tags were independent.

    `lift` is `both` / `expected`, NaN where one of the tags is never used.
    """

    first: str
    second: str
    both: int
    expected: float
    lift: Interval


def pairs(examples: Sequence[Example], n_resamples: int = 2000) -> list[Pair]:
    """Return all pairs of tags with the number of examples that have both, and 95 % intervals over groups."""
    held = [{tag for _, tag in example.tagged.tags} for example in examples]
    couples = list(combinations(range(len(TAGS)), 2))
    counts = [[1, *(tag in tags for tag in TAGS), *({TAGS[a], TAGS[b]} <= tags for a, b in couples)] for tags in held]
    bootstrap = ClusterBootstrap([example.group for example in examples], counts, n_resamples)
    total, table = bootstrap.total, []
    for k, (a, b) in enumerate(couples, start=1 + len(TAGS)):
        lift = bootstrap.interval(_lift(1 + a, 1 + b, k), rate=False)
        expected = float(total[1 + a] * total[1 + b] / total[0])
        table.append(Pair(TAGS[a].value, TAGS[b].value, int(total[k]), expected, lift))
    return table


def _lift(first: int, second: int, both: int) -> Statistic:
    return lambda total: ratio(total[..., both] * total[..., 0], total[..., first] * total[..., second])


def tag_pair_map(pairs: Sequence[Pair], examples: int) -> Figure:
    """Draw how many examples have each pair of tags, with the number expected by chance below."""
    tags = list(dict.fromkeys(tag for pair in pairs for tag in (pair.first, pair.second)))
    above = np.full((len(tags), len(tags)), np.nan)
    figure, axis = subplots(height=4.6)
    for pair in pairs:
        x, y = tags.index(pair.first), tags.index(pair.second)
        above[y, x] = _beyond_chance(pair)
        axis.text(x, y, f"{pair.both}\n({pair.expected:.1f})", ha="center", va="center", fontsize=SMALL, color=INK)
    axis.imshow(above, cmap="PuOr_r", vmin=-6, vmax=6, aspect="auto")  # pale enough for black numbers
    names = [tag.strip("<>") for tag in tags]
    axis.set_xticks(range(len(tags) - 1), names[:-1], rotation=30, ha="right")
    axis.set_yticks(range(1, len(tags)), names[1:])
    axis.set(xlim=(-0.5, len(tags) - 1.5), ylim=(len(tags) - 0.5, 0.5))
    axis.grid(False)
    most, least = max(pairs, key=_beyond_chance), min(pairs, key=_beyond_chance)
    listed = "; ".join(f"{pair.first} with {pair.second} {pair.both} ({pair.expected:.1f})" for pair in pairs)
    return Figure(
        figure,
        f"Examples that have two tags, and in brackets the number expected by chance: {listed}.",
        f"Examples that have both tags, of {examples}; in brackets the number expected if tags were independent. Furthest "
        f"above: `{most.first}` with `{most.second}`, {_together(most)}. Furthest below: `{least.first}` with `{least.second}`, "
        f"{_together(least)}. The two were selected from {len(pairs)} pairs after the fact, so their intervals are too narrow.",
    )


def _beyond_chance(pair: Pair) -> float:
    """Return the Pearson residual of a count, so that rare pairs are not exaggerated."""
    return (pair.both - pair.expected) / np.sqrt(pair.expected) if pair.expected else 0.0


def _together(pair: Pair) -> str:
    counts = f"{pair.both} where chance gives {pair.expected:.1f}"
    lift = interval(pair.lift.value, pair.lift.low, pair.lift.high)
    return f"{counts}, {lift} times as many" if pair.both else counts
