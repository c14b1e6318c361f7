"""Figures of chapter 05: contents of the examples, agreement of two annotation passes, and the effect of leakage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.publish.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    SMALL,
    VERMILLION,
    Figure,
    Look,
    dot,
    dot_rows,
    ink,
    look,
    note,
    subplots,
)
from harness.publish.tables import Rate, interval
from harness.stats import Interval

_SETS = (Look(BLUE, "o"), Look(VERMILLION, "s"), Look(GREEN, "D"))
_FOLDS = {"random": Look(VERMILLION, "o"), "grouped": Look(BLUE, "s")}


def tag_rate_dots(sets: Mapping[str, Mapping[str, Interval]]) -> Figure:
    """Draw the rate of each tag per 100 words, for each set of examples."""
    tags = list(next(iter(sets.values())))
    figure, axis = subplots(height=4.6)
    series = {name: (name, drawn) for name, drawn in zip(sets, _SETS, strict=False)}
    rows = {tag.strip("<>"): {name: _rate(rates[tag]) for name, rates in sets.items()} for tag in tags}
    dot_rows(axis, rows, series, spread=0.66, legend=True)
    axis.autoscale(axis="x")
    axis.set(xlim=(0, None), xlabel="tags per 100 words, 95 % interval over groups")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper left", ncols=3, fontsize=SMALL + 0.5)
    first = next(iter(sets))
    most = max(sets[first].items(), key=lambda item: item[1].value)
    listed = "; ".join(
        f"{name}: " + ", ".join(f"{tag} {_shown(found, 1)}" for tag, found in rates.items()) for name, rates in sets.items()
    )  # fmt: skip
    return Figure(
        figure,
        f"Tags per 100 words for each tag and set. {listed}.",
        f"How often each tag is used. `{most[0]}` is the most frequent in {first}: {_shown(most[1], 1)} per 100 words.",
    )


def tag_position_strips(positions: Mapping[str, Sequence[float]], title: str) -> Figure:
    """Draw the relative position of every tag in its sentence, one row per tag type."""
    figure, axis = subplots(height=3.8)
    generator = np.random.default_rng(0)  # only spreads overlapping marks
    for place, values in enumerate(list(positions.values())[::-1]):
        axis.plot(
            values, place + generator.uniform(-0.25, 0.25, len(values)), "o", color=BLUE, alpha=0.45, markersize=5
        )
        if values:
            axis.plot([np.median(values)] * 2, [place - 0.38, place + 0.38], color=INK, linewidth=2)
    names = [f"{tag.strip('<>')} (n = {len(values)})" for tag, values in list(positions.items())[::-1]]
    axis.set_yticks(range(len(positions)), names)
    axis.set(xlim=(-0.02, 1.02), xlabel="slot / words: 0 is the start, 1 the end; line: median")
    axis.set_title(title)
    medians = {tag: float(np.median(values)) for tag, values in positions.items() if values}
    early, late = min(medians, key=lambda tag: medians[tag]), max(medians, key=lambda tag: medians[tag])
    listed = ", ".join(f"{tag} {median:.2f}" for tag, median in medians.items())
    return Figure(
        figure,
        f"{title}: a mark for every tag, at its position in the sentence. Medians: {listed}.",
        f"{title}. By median `{early}` is earliest ({medians[early]:.2f}) and `{late}` latest ({medians[late]:.2f}), so the position "
        "alone carries information about the tag.",
    )


def kappa_dots(kappas: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw Cohen's kappa of the two annotation passes for each tag."""
    figure, axis = subplots(height=3.8)
    for place, row in enumerate(list(kappas.values())[::-1]):
        found = row["kappa"]
        if np.isfinite(found.value):
            dot(axis, _rate(found), place, look("second pass"), size=8)
            note(axis, f"{found.value:.2f}", (found.value, place), (0, 8), ha="center", va="baseline")
    axis.axvline(0, color=GREY, linewidth=1)
    axis.set_yticks(range(len(kappas)), [tag.strip("<>") for tag in list(kappas)[::-1]])
    axis.set(
        xlim=(-0.05, 1.05), ylim=(-0.5, len(kappas) - 0.2), xlabel="Cohen's kappa; 0 is chance, 1 is full agreement"
    )
    known = {tag: row["kappa"] for tag, row in kappas.items() if np.isfinite(row["kappa"].value)}
    lowest = min(known.items(), key=lambda item: item[1].value)
    listed = ", ".join(f"{tag} {_shown(found)}" for tag, found in known.items())
    return Figure(
        figure,
        f"Cohen's kappa of the two annotation passes for each tag: {listed}.",
        f"Agreement of the two passes beyond chance, 95 % intervals over scenarios. Lowest for `{lowest[0]}`: {_shown(lowest[1])}.",
    )


def leak_curves(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw F1 with random and with grouped folds against the overlap of the windows, one panel per tagger.

    Parameters
    ----------
    rows : sequence of dict
        From `harness.chapters.ch05_data.leakage.leak`, each with ``shared``: the share of a window that the next one repeats.
    """
    taggers = list(dict.fromkeys(row["tagger"] for row in rows))
    figure, axes = subplots(1, len(taggers), height=3.4, sharey=True, squeeze=False)
    for axis, tagger in zip(axes[0], taggers, strict=True):
        mine = sorted((row for row in rows if row["tagger"] == tagger), key=lambda row: row["shared"])
        for kind, (shade, sign, line) in _FOLDS.items():
            values, lows, highs = zip(*(row[kind] for row in mine), strict=True)
            shares = [row["shared"] for row in mine]
            axis.fill_between(shares, lows, highs, color=shade, alpha=0.2, linewidth=0)
            axis.plot(shares, values, line, marker=sign, color=shade)
            note(axis, kind, (shares[-1], values[-1]), (0, 7), ha="right", va="baseline", color=ink(shade))
        axis.set(title=tagger, ylim=(0, 1))
        axis.xaxis.set_major_formatter("{x:.0%}")
    figure.supxlabel("words of a window that the next one repeats", fontsize=11)
    axes[0][0].set_ylabel("micro F1")
    worst = max(rows, key=lambda row: row["difference"][0])
    listed = "; ".join(
        f"{row['tagger']} at {row['shared']:.0%}: random {interval(*row['random'])}, grouped {interval(*row['grouped'])}" for row in rows
    )  # fmt: skip
    return Figure(
        figure,
        f"Micro F1 by overlap of the windows, one panel per tagger. {listed}.",
        f"The same texts, the same taggers. At {worst['shared']:.0%} overlap random folds give {worst['tagger']} "
        f"{interval(*worst['random'])}, grouped folds {interval(*worst['grouped'])}. Without overlap there is little to gain.",
    )


def _rate(found: Interval) -> Rate:
    return Rate(found.value, found.low, found.high)


def _shown(found: Interval, digits: int = 2) -> str:
    return interval(*_rate(found), digits)
