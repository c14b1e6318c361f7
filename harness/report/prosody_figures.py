"""Figures of the audio score and its controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.audio import Audio
from harness.prosody.align import align
from harness.prosody.detectors import DETECTORS
from harness.prosody.features import measure
from harness.records import NullSample
from harness.report.style import Figure, colour, finish, use_style
from harness.report.text import interval
from harness.tagged import TAGS, TaggedText

_CUES = {"pause": "pause (s)", "pitch_level": "pitch level (st)", "pitch_end": "pitch at the end (st)",
         "emphasis": "emphasis (JND)"}  # fmt: skip


def readings_of_one_sentence(text: TaggedText, clips: Sequence[Audio], title: str) -> Figure:
    """F0 of several readings of one sentence, word by word on a common axis: how far a voice is from itself."""
    import matplotlib.pyplot as plt

    use_style()
    figure, axis = plt.subplots(figsize=(9.5, 3.6))
    levels = []
    for number, clip in enumerate(clips):
        words = align(clip, text.words)
        features = measure(clip, words)
        axis.plot(range(len(words)), features.f0, "o-", color=colour("plain"), alpha=0.35 + 0.12 * number, markersize=5)
        levels.append(features.f0)
    spread = np.nanmax(levels, axis=0) - np.nanmin(levels, axis=0)
    axis.set_xticks(range(len(text.words)), text.words, rotation=30, ha="right")
    axis.set(title=title, ylabel="median F0 (st re 100 Hz)")
    worst = int(np.nanargmax(spread))
    alt = (
        f"Median F0 of each word in {len(clips)} readings. They differ by {np.nanmedian(spread):.1f} semitones at the median word, "
        f"and by {spread[worst]:.1f} at {text.words[worst]!r}."
    )
    return finish(figure, alt)


def null_histograms(samples: Sequence[NullSample], null: Mapping[str, Mapping[str, Any]], engine: str) -> Figure:
    """Differences between plain clips, by cue, with floor and threshold."""
    import matplotlib.pyplot as plt

    use_style()
    figure, axes = plt.subplots(1, len(_CUES), figsize=(11, 3.2))
    parts = []
    for axis, (cue, label) in zip(axes, _CUES.items(), strict=True):
        values = np.array([value for sample in samples if sample.cue == cue for value in sample.values])
        limit = max(np.percentile(np.abs(values), 99.5) if len(values) else 1.0, 1.2 * DETECTORS[_tag_of(cue)].floor)
        axis.hist(np.clip(values, -limit, limit), bins=41, color=colour("plain"), alpha=0.7)
        for tag in TAGS:
            detector = DETECTORS[tag]
            if detector.cue.value != cue:
                continue
            axis.axvline(detector.sign * detector.floor, color="#666666", linestyle=":", linewidth=1.2)
            axis.axvline(
                detector.sign * null[tag.value]["threshold"], color=colour("tagged"), linestyle="--", linewidth=1.5
            )
            parts.append(f"{tag.bare} threshold {null[tag.value]['threshold']:.2f}")
        axis.set(title=f"{label}\nn = {len(values)}", yticks=[])
    figure.suptitle(
        f"{engine}: one plain clip minus the mean of the others (dotted: floor, dashed: threshold)", fontsize=10
    )
    return finish(figure, f"Histograms of differences between plain clips of {engine}. " + "; ".join(parts))


def _tag_of(cue: str):
    return next(tag for tag in TAGS if DETECTORS[tag].cue.value == cue)


def control_rates(controls: Mapping[str, Mapping[str, Any]], title: str) -> Figure:
    """Hits beside false positives of every tag, with intervals."""
    import matplotlib.pyplot as plt

    use_style()
    rates = (("hit", "told the tag", colour("tagged")), ("placebo", "placebo", colour("placebo")),
             ("null", "plain against plain", colour("plain")), ("stripped", "tag stripped", "#009E73"))  # fmt: skip
    figure, axis = plt.subplots(figsize=(8.5, 0.75 * len(controls) + 1.4))
    for place, row in enumerate(reversed(list(controls.values()))):
        for number, (name, label, shade) in enumerate(rates):
            if row[name] is None:
                continue
            height = place + 0.27 - 0.18 * number
            axis.plot([row[f"{name}_low"], row[f"{name}_high"]], [height] * 2, color=shade, linewidth=3, alpha=0.6)
            axis.plot(row[name], height, "o", color=shade, markersize=5, label=label if place == 0 else None)
    axis.set_yticks(range(len(controls)), list(reversed(list(controls))))
    axis.set(title=title, xlabel="share of clips on which the detector fires, 95 % interval", xlim=(-0.02, 1.02))
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    alt = "Share of clips on which each detector fires. " + "; ".join(
        f"{tag} told {interval(row['hit'], row['hit_low'], row['hit_high'])}, null {interval(row['null'], None, None)}, "
        f"placebo {interval(row['placebo'], None, None)}" for tag, row in controls.items()
    )  # fmt: skip
    return finish(figure, alt)


def dose_curves(dose: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Figure:
    """Hit rate against the size of a known edit, one panel an edit, one line a voice."""
    import matplotlib.pyplot as plt

    use_style()
    edits = list(dict.fromkeys(edit for table in dose.values() for edit in table))
    figure, axes = plt.subplots(
        1, max(len(edits), 1), figsize=(2.5 * max(len(edits), 1) + 1, 3.2), sharey=True, squeeze=False
    )
    shades = [colour("tagged"), colour("plain"), "#009E73"]
    parts = []
    for axis, edit in zip(axes[0], edits, strict=False):
        for (voice, curves), shade in zip(dose.items(), shades, strict=False):
            if edit not in curves:
                continue
            row = curves[edit]
            axis.fill_between(row["dose"], row["low"], row["high"], color=shade, alpha=0.15, linewidth=0)
            axis.plot(row["dose"], row["hit"], "o-", color=shade, markersize=4, label=voice)
            crossed = next((d for d, hit in zip(row["dose"], row["hit"], strict=True) if hit >= 0.5), None)
            parts.append(f"{edit}, {voice}: from {row['hit'][0]:.2f} to {row['hit'][-1]:.2f}, half at {crossed}")
            axis.set(title=f"{edit}\n{row['tag']}", xlabel=f"dose ({row['unit']})", ylim=(-0.03, 1.03))
    axes[0][0].set_ylabel("share that the detector hears")
    axes[0][-1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return finish(figure, "Hit rate by dose. " + "; ".join(parts))


def confusion_map(confusion: Mapping[str, Mapping[str, float | None]], title: str) -> Figure:
    """Which detectors fire on which tag."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    use_style()
    grid = np.array([[np.nan if v is None else v for v in row.values()] for row in confusion.values()], dtype=float)
    figure, axis = plt.subplots(figsize=(7.6, 5.2))
    names = [tag.strip("<>") for tag in confusion]
    sns.heatmap(grid, annot=True, fmt=".2f", vmin=0, vmax=1, cmap="cividis", cbar=False, xticklabels=names, yticklabels=names,
                ax=axis)  # fmt: skip
    axis.set(title=title, xlabel="detector that fires at the tag's place", ylabel="tag that was spoken")
    axis.tick_params(axis="x", rotation=30)
    off = [
        (value, f"{names[i]} heard as {names[j]}")
        for (i, j), value in np.ndenumerate(grid)
        if i != j and np.isfinite(value)
    ]
    worst = sorted(off, reverse=True)[:3]
    alt = "Share of clips on which each detector fires, by tag spoken. Largest off the diagonal: " + "; ".join(
        f"{name} {value:.2f}" for value, name in worst
    )
    return finish(figure, alt)


def contrast_bars(positive: Mapping[str, Mapping[str, Any]], negative: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Identification accuracy of every tag, told and stripped, against chance."""
    import matplotlib.pyplot as plt

    use_style()
    figure, axis = plt.subplots(figsize=(8.5, 0.6 * len(positive) + 1.4))
    for place, tag in enumerate(reversed(list(positive))):
        for offset, name, table in ((0.13, "tagged", positive), (-0.13, "plain", negative)):
            row = table.get(tag)
            if not row or row["accuracy"] is None:
                continue
            label = ("told the tags" if name == "tagged" else "tags stripped") if place == 0 else None
            axis.plot([row["low"], row["high"]], [place + offset] * 2, color=colour(name), linewidth=3, alpha=0.6)
            axis.plot(row["accuracy"], place + offset, "o", color=colour(name), markersize=6, label=label)
    chance = next(iter(positive.values()))["chance"] if positive else 1 / 3
    axis.axvline(chance, color="#666666", linestyle="--", linewidth=1)
    axis.set_yticks(range(len(positive)), list(reversed(list(positive))))
    axis.set(
        title="Which of three words was tagged?", xlabel="accuracy, 95 % interval; dashed: chance", xlim=(-0.02, 1.02)
    )
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    alt = "Accuracy of naming the tagged word. " + "; ".join(
        f"{tag} {interval(row['accuracy'], row['low'], row['high'])}" for tag, row in positive.items()
    )
    return finish(figure, alt)
