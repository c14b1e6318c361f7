"""The book's figures. Each function takes results and returns a `Figure` with its text alternative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.report.style import Figure, colour, finish, use_style
from harness.report.text import f1_of, interval
from harness.tagged import TAGS


def training_curves(history: Sequence[Mapping[str, float]]) -> Figure:
    """Training loss, dev loss and dev F1 by epoch; the epoch that was kept is marked."""
    import matplotlib.pyplot as plt

    use_style()
    epochs = [row["epoch"] for row in history]
    best = min(history, key=lambda row: row["eval_loss"])
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    for key, label, name in (("loss", "training", "plain"), ("eval_loss", "dev", "tagged")):
        left.plot(epochs, [row[key] for row in history], marker="o", markersize=3, color=colour(name))
        left.annotate(
            label, (epochs[-1], history[-1][key]), xytext=(4, 0), textcoords="offset points", color=colour(name)
        )
    left.set(title="Loss", xlabel="epoch", ylabel="cross-entropy (nats, all questions and tokens)")
    right.plot(epochs, [row["dev_f1"] for row in history], marker="o", markersize=3, color=colour("gpt2"))
    right.set(title="Placement on the dev set, threshold 0", xlabel="epoch", ylabel="micro F1", ylim=(0, None))
    for axis in (left, right):
        axis.axvline(best["epoch"], color="#999999", linestyle="--", linewidth=1)
    alt = (
        f"Two line charts over {len(history)} epochs. Dev loss is lowest, {best['eval_loss']:.2f}, after epoch "
        f"{best['epoch']}; dev F1 is {best['dev_f1']:.2f} there and {history[-1]['dev_f1']:.2f} at the end."
    )
    return finish(figure, alt)


def f1_intervals(reports: Mapping[str, Mapping[str, Any]], title: str) -> Figure:
    """Micro-F1 of each tagger with its 95 % interval, best on top."""
    import matplotlib.pyplot as plt

    use_style()
    ranked = sorted(reports.items(), key=lambda item: item[1]["micro"]["f1"] or 0)
    figure, axis = plt.subplots(figsize=(7.5, 0.5 * len(ranked) + 1.2))
    for place, (name, report) in enumerate(ranked):
        score = report["micro"]
        axis.plot([score["f1_low"], score["f1_high"]], [place, place], color=colour(name), linewidth=3, alpha=0.6)
        axis.plot(score["f1"], place, "o", color=colour(name), markersize=8)
        axis.annotate(f1_of(score), (score["f1_high"], place), xytext=(8, -4), textcoords="offset points", fontsize=9)
    axis.set_yticks(range(len(ranked)), [name for name, _ in ranked])
    axis.set(title=title, xlabel="micro F1, 95 % interval by scenario", xlim=(0, 1.25), ylim=(-0.6, len(ranked) - 0.4))
    axis.set_xticks(np.linspace(0, 1, 6))
    alt = "Micro F1 of each tagger with its interval: " + "; ".join(
        f"{n} {f1_of(r['micro'])}" for n, r in reversed(ranked)
    )
    return finish(figure, alt)


def f1_by_tag(reports: Mapping[str, Mapping[str, Any]]) -> Figure:
    """F1 of each tag for each tagger, as a heat map."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    use_style()
    grid = np.array([[reports[name]["per_tag"][tag.value]["f1"] or 0.0 for tag in TAGS] for name in reports])
    supports = [next(iter(reports.values()))["per_tag"][tag.value]["support"] for tag in TAGS]
    figure, axis = plt.subplots(figsize=(9, 0.5 * len(reports) + 1.6))
    labels = [f"{tag.bare}\n(n={support})" for tag, support in zip(TAGS, supports, strict=True)]
    sns.heatmap(grid, annot=True, fmt=".2f", cmap="cividis", vmin=0, vmax=1, xticklabels=labels, yticklabels=list(reports),
                cbar_kws={"label": "F1"}, ax=axis)  # fmt: skip
    axis.tick_params(axis="x", rotation=0, labelsize=8)
    axis.tick_params(axis="y", rotation=0)
    axis.set_title("F1 of each tag; n = tags in the reference")
    rows = [f"{name}: " + ", ".join(f"{tag.bare} {value:.2f}" for tag, value in zip(TAGS, row, strict=True))
            for name, row in zip(reports, grid, strict=True)]  # fmt: skip
    return finish(figure, "Heat map of F1 by tagger and tag. " + "; ".join(rows))


def hit_rates(per_tag: Mapping[str, Mapping[str, Any]], title: str) -> Figure:
    """Hit rate and placebo rate of each tag, with intervals; tags without a measurable clip are left out."""
    import matplotlib.pyplot as plt

    use_style()
    shown = {tag: row for tag, row in per_tag.items() if row["hit_rate"] is not None}
    figure, axis = plt.subplots(figsize=(7.5, 0.7 * max(len(shown), 1) + 1.3))
    for place, row in enumerate(reversed(shown.values())):
        for offset, arm, keys in (
            (0.12, "tagged", ("hit_rate", "low", "high")),
            (-0.12, "placebo", ("false_positive", "fp_low", "fp_high")),
        ):
            value, low, high = (row[key] for key in keys)
            if value is None:
                continue
            axis.plot([low, high], [place + offset] * 2, color=colour(arm), linewidth=3, alpha=0.6)
            axis.plot(value, place + offset, "o", color=colour(arm), markersize=7, label=arm if place == 0 else None)
    axis.set_yticks(range(len(shown)), list(reversed(shown)))
    axis.set(
        title=title,
        xlabel="share of measurable tags, 95 % interval by sentence",
        xlim=(-0.02, 1.02),
        ylim=(-0.6, len(shown) - 0.4),
    )
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    alt = "Hit rate of each tag and of its placebo. " + "; ".join(
        f"{tag} {interval(row['hit_rate'], row['low'], row['high'])}, placebo "
        f"{interval(row['false_positive'], row['fp_low'], row['fp_high'])}" for tag, row in shown.items()
    )  # fmt: skip
    return finish(figure, alt)
