"""Figures of tagger and engine together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.chapters.ch11_end_to_end.tables import shown
from harness.chapters.ch11_end_to_end.verdict import within
from harness.experiment.joint import READINGS
from harness.publish.style import (
    BLUE,
    GREEN,
    INK,
    SMALL,
    VERMILLION,
    WIDTH,
    Figure,
    Look,
    dot,
    folded,
    looks,
    use_style,
)

Readings = Mapping[str, Sequence[float | None]]
_LISTED = 4  # readings that a caption names
_FATES = (("placed and heard", GREEN), ("placed, not heard", "#E69F00"), ("not placed", "#BBBBBB"))


def tag_fate_bars(end_to_end: Mapping[str, Mapping[str, Any]], engine: str) -> Figure:
    """What became of the reference's tags with each source of tags: heard, placed in silence, never placed."""
    import matplotlib.pyplot as plt

    use_style()
    ranked = sorted(end_to_end.items(), key=lambda item: item[1]["readings"]["joint recall, strict"][0] or 0)
    figure, axis = plt.subplots(figsize=(WIDTH, 0.55 * len(ranked) + 1.4))
    words = []
    for place, (name, row) in enumerate(ranked):
        heard, low, high = row["readings"]["joint recall, strict"]
        placed = row["readings"]["recall"][0] or 0.0
        left = 0.0
        for (fate, shade), share in zip(_FATES, (heard, placed - heard, 1 - placed), strict=True):
            axis.barh(place, share, left=left, color=shade, height=0.62, label=fate if place == 0 else None)
            left += share
        axis.plot([low, high], [place, place], color=INK, linewidth=1.5)
        axis.plot([heard], [place], "|", color=INK, markersize=10)
        words.append(f"{name} {shown((heard, low, high))}, placed {placed:.2f}")
    axis.set_yticks(range(len(ranked)), [name for name, _ in ranked])
    axis.set(xlim=(0, 1), xlabel="share of the reference's tags; line: 95 % interval of the green part")
    axis.grid(visible=False, axis="y")
    figure.legend(loc="outside upper left", ncols=3, fontsize=SMALL + 0.5)
    best = max((r["readings"]["joint recall, strict"][0] or 0, n) for n, r in end_to_end.items() if n != "gold")
    return Figure(
        figure,
        f"Stacked bars: the fate of the reference's tags by source of tags, spoken by {engine}. Placed and heard: "
        f"{'; '.join(reversed(words))}.",
        f"What becomes of the reference's tags, spoken by {engine}. Of all sources but the reference itself `{best[1]}` comes furthest, "
        f"with {best[0]:.0%} in the sound, and with {end_to_end[best[1]]['spoken']} tags: who places more hits more. Whether it is ahead "
        "is for the paired differences to say.",
    )


def reading_dots(columns: Mapping[str, Readings], family: str, claimed: tuple[float, float], title: str) -> Figure:
    """Every reading of one percentage as a row, every system as a dot with its interval; what the note claims as a band.

    Parameters
    ----------
    columns : mapping
        System -> readings; see `harness.chapters.ch11_end_to_end.tables.readings_table`.
    family : str
        Whose readings are shown.
    claimed : (float, float)
        The range that the note names.
    title : str
    """
    import matplotlib.pyplot as plt

    use_style()
    rows = [(key, reading.words) for key, reading in READINGS.items() if reading.family == family]
    rows.sort(key=lambda row: -(next(iter(columns.values()))[row[0]][0] or 0))
    step = 0.7 / max(len(columns), 1)
    figure, axis = plt.subplots(figsize=(WIDTH, (0.2 + 0.2 * len(columns)) * len(rows) + 1.5))
    low, high = claimed
    axis.axvspan(low - 0.004, high + 0.004, color="#F0E442", alpha=0.55, zorder=0)
    drawn = looks(columns)
    for number, (name, readings) in enumerate(columns.items()):
        for place, (key, _) in enumerate(reversed(rows)):
            y = place + 0.35 - step * (number + 0.5)
            dot(axis, readings[key], y, drawn[name], label=name if place == 0 else None)
    axis.set_yticks(range(len(rows)), [folded(words, 34) for _, words in reversed(rows)], fontsize=SMALL + 0.5)
    found = {name: within(readings, family, claimed) for name, readings in columns.items()}
    lie, touch = ([f"{words} ({name})" for name, both in found.items() for words in both[k]] for k in (0, 1))
    span = f"{low:.0%}" if low == high else f"{low:.0%} to {high:.0%}"
    axis.set(xlim=(-0.03, 1.03), ylim=(-0.6, len(rows) - 0.4), xlabel=f"share; band: claimed, {span}")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    names, labels = axis.get_legend_handles_labels()
    figure.legend(names, labels, loc="outside lower left", ncols=min(len(columns), 3), fontsize=SMALL + 0.5)
    listed = "; ".join(
        f"{words}: " + ", ".join(f"{name} {shown(readings[key])}" for name, readings in columns.items()) for key, words in rows
    )  # fmt: skip
    return Figure(
        figure,
        f"{title}. Dots with intervals, one row a reading. {listed}.",
        f"{title}: {len(rows)} readings of the same output. "
        f"Of {len(rows) * len(columns)} figures {len(lie)} {'lies' if len(lie) == 1 else 'lie'} in the claimed {span}"
        f"{': ' + '; '.join(lie) if 0 < len(lie) <= _LISTED else ''}; the intervals of {len(touch)} more touch it.",
    )


def rate_per_tag_dots(per_tag: Mapping[str, Mapping[str, Any]], title: str) -> Figure:
    """Placement, realisation and both, tag by tag, with intervals."""
    import matplotlib.pyplot as plt

    use_style()
    series = (("placement", "placed", Look(BLUE, "o")), ("realisation", "heard, of those spoken", Look(VERMILLION, "s")),
              ("both", "placed and heard", Look(GREEN, "D")))  # fmt: skip
    figure, axis = plt.subplots(figsize=(WIDTH, 0.75 * len(per_tag) + 1.5))
    for place, row in enumerate(list(per_tag.values())[::-1]):
        for offset, (key, label, drawn) in zip((0.22, 0, -0.22), series, strict=True):
            dot(axis, row[key], place + offset, drawn, label=label if place == 0 else None)
    names = [f"{tag.strip('<>')}\n(n = {row['n']})" for tag, row in list(per_tag.items())[::-1]]
    axis.set_yticks(range(len(per_tag)), names, fontsize=SMALL + 0.5)
    axis.set(xlim=(-0.03, 1.03), ylim=(-0.6, len(per_tag) - 0.4), xlabel="share, 95 % interval by scenario")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower left", ncols=3, fontsize=SMALL + 0.5)
    words = "; ".join(
        f"{tag} placed {shown(row['placement'])}, heard {shown(row['realisation'])}, both {shown(row['both'])}"
        for tag, row in per_tag.items()
    )
    rare = min(per_tag.items(), key=lambda item: item[1]["n"])
    return Figure(
        figure,
        f"{title}, tag by tag: {words}.",
        f"{title}. Where a tag is rare the interval is wide: `{rare[0]}` stands {rare[1]['n']} times in the reference.",
    )
