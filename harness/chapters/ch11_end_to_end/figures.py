"""Figures of chapter 11: tagger and engine together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.chapters.ch11_end_to_end.tables import rate, shown
from harness.chapters.ch11_end_to_end.verdict import within
from harness.experiment.joint import READINGS
from harness.publish.style import (
    BLUE,
    GREEN,
    INK,
    SMALL,
    VERMILLION,
    Figure,
    Look,
    dot_rows,
    folded,
    looks,
    subplots,
)

Readings = Mapping[str, Sequence[float | None]]
_LISTED = 4  # readings that a caption names
_FATES = (("placed and heard", GREEN), ("placed, not heard", "#E69F00"), ("not placed", "#BBBBBB"))


def tag_fate_bars(end_to_end: Mapping[str, Mapping[str, Any]], engine: str) -> Figure:
    """Draw what became of the reference's tags with each source of tags: heard, placed but not heard, not placed."""
    ranked = sorted(end_to_end.items(), key=lambda item: item[1]["readings"]["joint recall, strict"][0] or 0)
    figure, axis = subplots(height=0.55 * len(ranked) + 1.4)
    words = []
    for place, (name, row) in enumerate(ranked):
        heard, low, high = row["readings"]["joint recall, strict"]
        placed = row["readings"]["recall"][0] or 0.0
        left = 0.0
        for (fate, shade), share in zip(_FATES, (heard, placed - heard, 1 - placed), strict=True):
            axis.barh(place, share, left=left, color=shade, height=0.62, label=fate if place == 0 else None)
            left += share
        if row["spoken"]:  # else 0 by definition, without an interval
            axis.plot([low, high], [place, place], color=INK, linewidth=1.5)
            axis.plot([heard], [place], "|", color=INK, markersize=10)
        words.append(f"{name} {rate(row, 'joint recall, strict')}, placed {placed:.2f}")
    axis.set_yticks(range(len(ranked)), [name for name, _ in ranked])
    axis.set(xlim=(0, 1), xlabel="share of the reference's tags; line: 95 % interval of the green part")
    axis.grid(visible=False, axis="y")
    figure.legend(loc="outside upper left", ncols=3, fontsize=SMALL + 0.5)
    best = max((r["readings"]["joint recall, strict"][0] or 0, n) for n, r in end_to_end.items() if n != "gold")
    return Figure(
        figure,
        f"Stacked bars: the fate of the reference's tags by source of tags, spoken by {engine}. Joint recall: "
        f"{'; '.join(reversed(words))}.",
        f"What happens to the reference's tags, spoken by {engine}. Apart from the reference itself, `{best[1]}` has the highest joint "
        f"recall, {best[0]:.0%}, with {end_to_end[best[1]]['spoken']} tags. A source that places more tags hits more of them. The paired "
        "differences below settle which source is ahead.",
    )


def reading_dots(columns: Mapping[str, Readings], family: str, claimed: tuple[float, float], title: str) -> Figure:
    """Draw every reading of one percentage as a row, every system as a dot with its interval, and the note's claim as a band.

    Parameters
    ----------
    columns : mapping
        System -> readings; see `harness.chapters.ch11_end_to_end.tables.readings_table`.
    family : str
        ``placement``, ``realisation`` or ``overall``: whose readings are shown.
    claimed : (float, float)
        The range that the note names.
    title : str
    """
    rows = [(key, reading.words) for key, reading in READINGS.items() if reading.family == family]
    rows.sort(key=lambda row: -(next(iter(columns.values()))[row[0]][0] or 0))
    figure, axis = subplots(height=(0.2 + 0.2 * len(columns)) * len(rows) + 1.5)
    low, high = claimed
    axis.axvspan(low - 0.004, high + 0.004, color="#F0E442", alpha=0.55, zorder=0)
    rates = {folded(words, 34): {name: readings[key] for name, readings in columns.items()} for key, words in rows}
    series = {name: (name, drawn) for name, drawn in looks(columns).items()}
    dot_rows(axis, rates, series, spread=0.7, legend=True)
    axis.tick_params(axis="y", labelsize=SMALL + 0.5)
    found = {name: within(readings, family, claimed) for name, readings in columns.items()}
    lie, touch = ([f"{words} ({name})" for name, both in found.items() for words in both[k]] for k in (0, 1))
    span = f"{low:.0%}" if low == high else f"{low:.0%} to {high:.0%}"
    axis.set_xlabel(f"share; band: claimed, {span}")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    ncols = min(len(columns), 3)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower left", ncols=ncols, fontsize=SMALL + 0.5)
    listed = "; ".join(
        f"{words}: " + ", ".join(f"{name} {shown(readings[key])}" for name, readings in columns.items()) for key, words in rows
    )  # fmt: skip
    return Figure(
        figure,
        f"{title}. Dots with intervals, one row per reading. {listed}.",
        f"{title}: {len(rows)} readings of the same output. "
        f"Values inside the claimed {span}: {len(lie) or 'none'} of {len(rows) * len(columns)}"
        f"{' (' + '; '.join(lie) + ')' if 0 < len(lie) <= _LISTED else ''}. "
        f"Values outside whose interval overlaps it: {len(touch) or 'none'}.",
    )


def rate_per_tag_dots(per_tag: Mapping[str, Mapping[str, Any]], title: str) -> Figure:
    """Draw recall, hit rate and joint recall of each tag, with intervals."""
    series = {"placement": ("recall", Look(BLUE, "o")), "realisation": ("hit rate", Look(VERMILLION, "s")),
              "both": ("joint recall", Look(GREEN, "D"))}  # fmt: skip
    figure, axis = subplots(height=0.75 * len(per_tag) + 1.5)
    rows = {f"{tag.strip('<>')}\n(n = {row['n']})": row for tag, row in per_tag.items()}
    dot_rows(axis, rows, series, spread=0.66, legend=True)
    axis.tick_params(axis="y", labelsize=SMALL + 0.5)
    axis.set_xlabel("share, 95 % interval by scenario")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower left", ncols=3, fontsize=SMALL + 0.5)
    words = "; ".join(
        f"{tag} recall {shown(row['placement'])}, hit rate {shown(row['realisation'])}, joint recall {shown(row['both'])}"
        for tag, row in per_tag.items()
    )
    rare = min(per_tag.items(), key=lambda item: item[1]["n"])
    return Figure(
        figure,
        f"{title}, tag by tag: {words}.",
        f"{title}. Rare tags have wide intervals: `{rare[0]}` occurs {rare[1]['n']} times in the reference.",
    )
