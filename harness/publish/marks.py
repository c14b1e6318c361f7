"""Marks that many figures share: a value with its interval, and names that stand beside marks instead of in a legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.publish.looks import Look, ink, look
from harness.publish.style import SMALL

_MIDDLE = 0.5


def dot(
    axis: Any, rate: Sequence[float | None], y: float, drawn: str | Look, size: float = 7, label: str | None = None
) -> None:
    """A value at height `y`, with a bar from the low to the high end of its interval; nothing if there is no value.

    `label` is its name in a legend.
    """
    value, low, high = rate
    if value is None:
        return
    drawn = look(drawn) if isinstance(drawn, str) else drawn
    if low is not None and high is not None:
        axis.plot([low, high], [y, y], color=drawn.colour, linewidth=3, alpha=0.55, solid_capstyle="butt")
    axis.plot(value, y, drawn.marker, color=drawn.colour, markersize=size, markeredgecolor="white", markeredgewidth=0.6,
              label=label)  # fmt: skip


def beside(axis: Any, rate: Sequence[float | None], y: float, text: str, drawn: str | Look) -> None:
    """Write what a mark is beside its interval, on the side where there is more room on a scale from 0 to 1."""
    value, low, high = rate
    if value is None:
        return
    left = value > _MIDDLE
    edge = (low if left else high) if low is not None and high is not None else value
    drawn = look(drawn) if isinstance(drawn, str) else drawn
    axis.annotate(text, (edge, y), xytext=(-7 if left else 7, 0), textcoords="offset points", va="center",
                  ha="right" if left else "left", fontsize=SMALL, color=ink(drawn.colour))  # fmt: skip


def dot_rows(
    axis: Any,
    rows: Mapping[str, Mapping[str, Sequence[float | None]]],
    series: Mapping[str, tuple[str, str | Look]],
    spread: float = 0.6,
) -> None:
    """Rows of rates on a scale from 0 to 1, one dot a series, the first row on top; its dots say what they are.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
    rows : mapping
        Name of the row -> series -> (value, low, high).
    series : mapping
        Series -> (what is written beside its first dot, how it is drawn).
    spread : float
        Share of a row's height over which its dots are spread.
    """
    step = spread / max(len(series), 1)
    told: set[str] = set()
    for place, name in enumerate(reversed(list(rows))):
        for number, (key, (_, drawn)) in enumerate(series.items()):
            dot(axis, rows[name].get(key, (None, None, None)), place + spread / 2 - step * (number + 0.5), drawn)
    for row, name in enumerate(rows):
        place = len(rows) - 1 - row
        for number, (key, (words, drawn)) in enumerate(series.items()):
            rate = rows[name].get(key, (None, None, None))
            if key not in told and rate[0] is not None:
                told.add(key)
                beside(axis, rate, place + spread / 2 - step * (number + 0.5), words, drawn)
    axis.set_yticks(range(len(rows)), list(reversed(list(rows))))
    axis.set(xlim=(-0.03, 1.03), ylim=(-0.6, len(rows) - 0.4))
