"""F1 of several taggers, in all and for each tag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.publish.style import SMALL, WIDTH, Figure, dot, on, use_style
from harness.publish.tables import NOT_RANKED, f1_of, interval, rate_of
from harness.tagged import TAGS

_ROOM = 1.4  # how far a scale from 0 to 1 is drawn where figures stand behind the intervals


def f1_intervals(reports: Mapping[str, Mapping[str, Any]], title: str) -> Figure:
    """Micro-F1 of each tagger with its 95 % interval, best on top."""
    import matplotlib.pyplot as plt

    use_style()
    ranked = sorted(reports.items(), key=lambda item: item[1]["micro"]["f1"] or 0)
    figure, axis = plt.subplots(figsize=(WIDTH, 0.42 * len(ranked) + 1.2))
    for place, (name, report) in enumerate(ranked):
        score = report["micro"]
        dot(axis, rate_of(score, "f1"), place, name, size=8)
        axis.annotate(f1_of(score), (score["f1_high"], place), xytext=(8, 0), textcoords="offset points", va="center",
                      fontsize=SMALL)  # fmt: skip
    axis.set_yticks(range(len(ranked)), [name for name, _ in ranked])
    axis.set(title=title, xlabel="micro F1, 95 % interval by scenario", xlim=(-0.02, _ROOM))
    axis.set_ylim(-0.6, len(ranked) - 0.4)
    axis.set_xticks(np.linspace(0, 1, 6))
    alt = "Micro F1 of each tagger with its interval: " + "; ".join(
        f"{n} {f1_of(r['micro'])}" for n, r in reversed(ranked)
    )
    compared = [item for item in ranked if item[0] not in NOT_RANKED] or ranked
    top, first = compared[-1]
    caption = f"Of the taggers `{top}` is highest, {f1_of(first['micro'])}."
    if len(compared) > 1:
        after, second = compared[-2]
        meet = (second["micro"]["f1_high"] or 0) >= (first["micro"]["f1_low"] or 0)
        caption += (
            f" The interval of `{after}`, {f1_of(second['micro'])}, {'overlaps it' if meet else 'does not reach it'}."
        )
    return Figure(figure, alt, caption)


def f1_by_tag(reports: Mapping[str, Mapping[str, Any]]) -> Figure:
    """F1 of each tag for each tagger, as a heat map with the intervals in its cells."""
    import matplotlib.pyplot as plt
    import seaborn as sns
    from matplotlib.colors import to_hex

    use_style()
    colours = plt.get_cmap("cividis")
    cells = [[reports[name]["per_tag"][tag.value] for tag in TAGS] for name in reports]
    grid = np.array([[cell["f1"] or 0.0 for cell in row] for row in cells])
    figure, axis = plt.subplots(figsize=(WIDTH, 0.55 * len(reports) + 1.5))
    labels = [f"{tag.bare.replace('_', chr(10))}\nn = {cell['support']}" for tag, cell in zip(TAGS, cells[0], strict=True)]  # fmt: skip
    sns.heatmap(grid, cmap=colours, vmin=0, vmax=1, xticklabels=labels, yticklabels=list(reports), cbar=False,
                linewidths=1, ax=axis)  # fmt: skip
    for (row, column), value in np.ndenumerate(grid):
        cell, shade = cells[row][column], on(to_hex(colours(value)))
        axis.text(column + 0.5, row + 0.34, f"{value:.2f}", ha="center", va="center", color=shade, fontsize=10.5,
                  fontweight="bold")  # fmt: skip
        axis.text(column + 0.5, row + 0.72, _range(cell.get("f1_low"), cell.get("f1_high")), ha="center", va="center",
                  color=shade, fontsize=SMALL)  # fmt: skip
    axis.tick_params(axis="x", rotation=0, labelsize=SMALL)
    axis.tick_params(axis="y", rotation=0)
    axis.set_title("F1 of each tag, 95 % interval below it")
    axis.set_xlabel("n: tags in the reference", fontsize=SMALL)
    rows = [f"{name}: " + ", ".join(f"{tag.bare} {value:.2f}" for tag, value in zip(TAGS, row, strict=True))
            for name, row in zip(reports, grid, strict=True)]  # fmt: skip
    places = [k for k, name in enumerate(reports) if name not in NOT_RANKED] or list(range(len(grid)))
    at, column = divmod(int(grid[places].argmax()), len(TAGS))
    row = places[at]
    best = cells[row][column]
    rare = min(zip(TAGS, cells[0], strict=True), key=lambda item: item[1]["support"])
    caption = (
        f"The highest cell of a tagger is `{TAGS[column].bare}` by `{list(reports)[row]}`, "
        f"{interval(best['f1'], best.get('f1_low'), best.get('f1_high'))}. "
        f"`{rare[0].bare}` stands only {rare[1]['support']} times in the reference, so its intervals are wide."
    )
    return Figure(figure, "Heat map of F1 by tagger and tag. " + "; ".join(rows), caption)


def _range(low: float | None, high: float | None) -> str:
    """An interval in few characters, for a cell of a heat map."""
    if low is None or high is None:
        return ""
    return f"{low:.2f}–{high:.2f}".replace("0.", ".")
