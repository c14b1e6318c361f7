"""Figures of chapter 10: the audio score and its controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.audio import Audio
from harness.prosody.align import align
from harness.prosody.detectors import DETECTORS, Cue, by_cue
from harness.prosody.features import measure
from harness.publish.style import GREY, INK, Figure, dot_rows, look, looks, subplots
from harness.publish.tables import Rate, interval, rate_of
from harness.records import NullSample
from harness.tagged import TaggedText

_DOSE_COLUMNS = 3
_CUES = {"pause": "pause (s)", "pitch_level": "pitch level (st)", "pitch_end": "pitch at the end (st)",
         "emphasis": "emphasis (JND)"}  # fmt: skip


def f0_repetition_lines(text: TaggedText, clips: Sequence[Audio], title: str) -> Figure:
    """Draw the F0 of several readings of one sentence by word: how much a voice varies by itself."""
    figure, axis = subplots(height=3.6)
    levels = []
    for number, clip in enumerate(clips):
        words = align(clip, text.words)
        features = measure(clip, words)
        axis.plot(
            range(len(words)), features.f0, "o-", color=look("plain").colour, alpha=0.35 + 0.12 * number, markersize=5
        )
        levels.append(features.f0)
    spread = np.nanmax(levels, axis=0) - np.nanmin(levels, axis=0)
    axis.set_xticks(range(len(text.words)), text.words, rotation=30, ha="right")
    axis.set(title=title, ylabel="median F0 (st re 100 Hz)")
    worst = int(np.nanargmax(spread))
    alt = (
        f"Median F0 of each word in {len(clips)} readings. They differ by {np.nanmedian(spread):.1f} semitones at the median word, "
        f"and by {spread[worst]:.1f} at {text.words[worst]!r}."
    )
    return Figure(
        figure,
        alt,
        f"Each line is one reading of the same text without tags. At the median word the {len(clips)} readings span "
        f"{np.nanmedian(spread):.1f} semitones, at `{text.words[worst]}` {spread[worst]:.1f}: a tag must change more than that.",
    )


def null_histograms(samples: Sequence[NullSample], null: Mapping[str, Mapping[str, Any]], engine: str) -> Figure:
    """Draw the differences between plain clips by cue, with floor and threshold."""
    figure, axes = subplots(2, len(_CUES) // 2, height=4.6)
    parts, compared = [], 0
    for axis, (cue, label) in zip(axes.flat, _CUES.items(), strict=True):
        values = np.array([value for sample in samples if sample.cue == cue for value in sample.values])
        compared += len(values)
        limit = max(np.percentile(np.abs(values), 99.5) if len(values) else 1.0, 1.2 * by_cue()[Cue(cue)].floor)
        axis.hist(np.clip(values, -limit, limit), bins=41, color=look("plain").colour, alpha=0.7)
        for tag, detector in DETECTORS.items():
            if detector.cue.value == cue:
                threshold = null[tag.value]["threshold"]
                axis.axvline(detector.sign * detector.floor, color=INK, linestyle=":", linewidth=1.4)
                axis.axvline(detector.sign * threshold, color=look("tagged").colour, linestyle="--", linewidth=1.5)
                parts.append(f"{tag.bare} threshold {threshold:.2f}")
        axis.set_title(f"{label}, n = {len(values):,}", fontsize=11)
        axis.set(yticks=[])
    figure.suptitle(f"{engine}: one plain clip minus the mean of the others", x=0.01, ha="left", weight="bold")
    above = [tag for tag, row in null.items() if row["threshold"] > row["floor"]]
    return Figure(
        figure,
        f"Histograms of differences between plain clips of {engine}. " + "; ".join(parts),
        f"Dotted: the floor; dashed: the threshold. {compared:,} differences between plain clips; they lift the "
        f"threshold above the floor for {len(above)} of {len(null)} tags{': ' if above else ''}{', '.join(f'`{tag}`' for tag in above)}.",
    )


def control_rate_dots(controls: Mapping[str, Mapping[str, Any]], title: str) -> Figure:
    """Draw the hits and false positives of every tag, with intervals."""
    series = {"hit": ("told the tag", "tagged"), "placebo": ("placebo", "placebo"), "null": ("plain against plain", "null"),
              "stripped": ("tag stripped", "stripped")}  # fmt: skip
    figure, axis = subplots(height=0.78 * len(controls) + 1.3)
    dot_rows(
        axis, {tag: {name: rate_of(row, name) for name in series} for tag, row in controls.items()}, series, spread=0.8
    )
    axis.set(title=title, xlabel="share of clips on which the detector fires, 95 % interval")
    alt = "Share of clips on which each detector fires. " + "; ".join(
        f"{tag} told {interval(*rate_of(row, 'hit'))}, null {interval(*rate_of(row, 'null'))}, "
        f"placebo {interval(*rate_of(row, 'placebo'))}" for tag, row in controls.items()
    )  # fmt: skip
    least = min(controls, key=lambda tag: controls[tag]["hit"] or 0)
    untold = {(tag, name): controls[tag][name] or 0.0 for tag in controls for name in series if name != "hit"}
    tag, name = max(untold, key=lambda key: untold[key])
    return Figure(
        figure,
        alt,
        f"Lowest where the engine got the tag: `{least}`, {interval(*rate_of(controls[least], 'hit'))}. Highest where it did not: `{tag}`, "
        f"{series[name][0]}, {interval(*rate_of(controls[tag], name), digits=3)}.",
    )


def dose_response_curves(dose: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Figure:
    """Draw the hit rate by the size of a known edit, with a panel per edit and a line per voice."""
    edits = list(dict.fromkeys(edit for table in dose.values() for edit in table))
    rows = -(-max(len(edits), 1) // _DOSE_COLUMNS)
    figure, axes = subplots(rows, _DOSE_COLUMNS, height=2.5 * rows + 0.6, sharey=True, squeeze=False)
    for axis in axes.flat[len(edits) :]:
        axis.set_visible(False)
    drawn = looks(dose)
    parts, halves = [], []
    for axis, edit in zip(axes.flat, edits, strict=False):
        for voice, curves in dose.items():
            if edit not in curves:
                continue
            row, (shade, sign, line) = curves[edit], drawn[voice]
            axis.fill_between(row["dose"], row["low"], row["high"], color=shade, alpha=0.18, linewidth=0)
            axis.plot(row["dose"], row["hit"], line, marker=sign, color=shade, markersize=5, label=voice)
            crossed = next((d for d, hit in zip(row["dose"], row["hit"], strict=True) if hit >= 0.5), None)
            halves.append((edit, voice, crossed, row["unit"]))
            parts.append(f"{edit}, {voice}: from {row['hit'][0]:.2f} to {row['hit'][-1]:.2f}, half at {crossed}")
            axis.set(xlabel=f"dose ({row['unit']})", ylim=(-0.03, 1.03))
            axis.set_title(f"{edit}: {row['tag'].strip('<>')}", fontsize=11)
    for axis in axes[:, 0]:
        axis.set_ylabel("share heard")
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    told = "; ".join(f"{edit} of {crossed:g} {unit} by {voice}" if crossed is not None else f"no {edit} by {voice}"
                     for edit, voice, crossed, unit in halves if edit.startswith("pitch"))  # fmt: skip
    counts = sorted({row["n"] for curves in dose.values() for row in curves.values()})
    return Figure(
        figure,
        "Hit rate by dose. " + "; ".join(parts),
        f"Bands are 95 % intervals, {'-'.join(map(str, counts))} clips per dose. The smallest dose that is heard in half of the clips"
        f"{': ' + told if told else ' is where a curve crosses 0.5'}.",
    )


def detector_confusion_map(confusion: Mapping[str, Mapping[str, float | None]], title: str) -> Figure:
    """Draw which detectors fire on which tag."""
    import seaborn as sns

    grid = np.array([[np.nan if v is None else v for v in row.values()] for row in confusion.values()], dtype=float)
    figure, axis = subplots(height=5)
    names = [tag.strip("<>") for tag in confusion]
    sns.heatmap(grid, annot=True, fmt=".2f", vmin=0, vmax=1, cmap="cividis", cbar=False, xticklabels=names, yticklabels=names,
                linewidths=0.5, annot_kws={"fontsize": 10.5}, ax=axis)  # fmt: skip
    axis.set(title=title, xlabel="detector that fires at the tag's place", ylabel="tag that was spoken")
    axis.set_xticklabels(names, rotation=35, ha="right", rotation_mode="anchor")
    axis.tick_params(axis="y", rotation=0)
    off = [(value, f"{names[i]} heard as {names[j]}") for (i, j), value in np.ndenumerate(grid) if i != j]
    worst = sorted((pair for pair in off if np.isfinite(pair[0])), reverse=True)[:3]
    alt = "Share of clips on which each detector fires, by tag spoken. Largest off the diagonal: " + "; ".join(
        f"{name} {value:.2f}" for value, name in worst
    )
    diagonal = [value for value in np.diag(grid) if np.isfinite(value)]
    caption = f"On the diagonal a detector hears its own tag: {min(diagonal):.2f} or more. " if diagonal else ""
    caption += f"Largest cross-talk: {'; '.join(f'{name} in {value:.2f}' for value, name in worst)}." if worst else ""
    return Figure(figure, alt, caption)


def contrast_accuracy_dots(
    positive: Mapping[str, Mapping[str, Any]], negative: Mapping[str, Mapping[str, Any]]
) -> Figure:
    """Draw the accuracy of naming the tagged word, with tags told and stripped, compared with chance."""
    figure, axis = subplots(height=0.55 * len(positive) + 1.3)
    tables = {"tagged": positive, "stripped": negative}
    rates = {tag: {name: _accuracy(table.get(tag)) for name, table in tables.items()} for tag in positive}
    dot_rows(axis, rates, {"tagged": ("told the tags", "tagged"), "stripped": ("tags stripped", "stripped")})
    chance = next(iter(positive.values()))["chance"] if positive else 1 / 3
    axis.axvline(chance, color=GREY, linestyle="--", linewidth=1)
    axis.set(title="Which of three words was tagged?", xlabel="accuracy, 95 % interval; dashed: chance")
    alt = "Accuracy of naming the tagged word. " + "; ".join(
        f"{tag} {interval(*_accuracy(row))}" for tag, row in positive.items()
    )
    measured = [both["stripped"] for both in rates.values() if both["stripped"][0] is not None]
    near = [low for _, low, high in measured if (low or 0) <= chance <= (1 if high is None else high)]
    least = min(positive, key=lambda tag: positive[tag]["accuracy"] or 0)
    return Figure(
        figure,
        alt,
        f"Dashed: guessing, {chance:.2f}. With the tags, the lowest is `{least}`, {interval(*rates[least]['tagged'])}. With the tags "
        f"stripped the interval holds {chance:.2f} for {len(near)} of {len(measured)} tags.",
    )


def _accuracy(row: Mapping[str, Any] | None) -> Rate:
    return Rate(row["accuracy"], row["low"], row["high"]) if row else Rate(None)
