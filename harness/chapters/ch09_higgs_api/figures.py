"""Figures of chapter 09."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.publish.style import BLUE, SMALL, VERMILLION, Figure, subplots

_LOOKS = {"streamed": (BLUE, "o", "-"), "whole": (VERMILLION, "s", "--")}


def first_sound_curves(rows: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """Draw the time to the first and the last byte against the length of the text, with median and range.

    Parameters
    ----------
    rows : sequence of mapping
        Rows from `harness.chapters.ch09_higgs_api.timing.first_sounds`.
    """
    from matplotlib.ticker import NullLocator, StrMethodFormatter

    figure, axes = subplots(1, 2, height=3.7, sharey=True)
    said, medians = [], {}
    for axis, end in zip(axes, ("first", "last"), strict=True):
        for way, (colour, marker, line) in _LOOKS.items():
            chosen = sorted((row for row in rows if row["way"] == way), key=lambda row: row["words"])
            words = [row["words"] for row in chosen]
            times = np.array([row[end] for row in chosen]) * 1000
            middle = np.median(times, axis=1)
            medians[end, way] = middle[-1]
            axis.fill_between(words, times.min(axis=1), times.max(axis=1), color=colour, alpha=0.2, linewidth=0)
            axis.plot(words, middle, color=colour, marker=marker, linestyle=line, label=way)
            said.append(
                f"{end} byte, {way}: "
                + ", ".join(f"{m:.0f} ms at {w} words" for w, m in zip(words, middle, strict=True))
            )
        axis.set(title=f"Until the {end} byte", xlabel="words of text", xscale="log", yscale="log")
        axis.set_xticks(words, [str(count) for count in words])
        axis.xaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes[0].set_ylabel("milliseconds; band: range")
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, handlelength=3, fontsize=SMALL + 1
    )
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    longest, repeats = max(row["words"] for row in rows), len(rows[0]["first"])
    return Figure(
        figure,
        f"{title}, median. " + "; ".join(said),
        f"Both scales are logarithmic. With {longest} words the first byte comes after {medians['first', 'streamed']:.0f} ms if the "
        f"answer is streamed, and after {medians['first', 'whole']:.0f} ms if it is sent whole (medians of {repeats}).",
    )
