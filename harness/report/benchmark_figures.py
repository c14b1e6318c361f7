"""Figures of the placement benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.report.benchmark_tables import ablation_name, published, select, system_name
from harness.report.style import Figure, colour, finish, use_style
from harness.report.text import f1_of
from harness.tagged import TAGS, TaggedText


def learning_curves(rows: Sequence[Mapping[str, Any]], agreement: Sequence[float] | None = None) -> Figure:
    """3-way accuracy by number of training sentences, with intervals; published systems and reader agreement as lines."""
    import matplotlib.pyplot as plt

    use_style()
    curves: dict[str, list[Mapping[str, Any]]] = {}
    for row in select(rows, "helsinki", seed=0):
        curves.setdefault(system_name(row["parameters"]), []).append(row["figures"])
    figure, axis = plt.subplots(figsize=(8.5, 4.6))
    said = []
    colours = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    for number, (name, points) in enumerate(curves.items()):
        points = sorted(points, key=lambda f: f["sentences"])
        x = [f["sentences"] for f in points]
        y = [100 * f["accuracy_3way"] for f in points]
        bounds = 100 * np.array([f["intervals"]["accuracy_3way"] for f in points])
        shade = colours[number % len(colours)]
        axis.errorbar(x, y, yerr=[y - bounds[:, 0], bounds[:, 1] - y], marker="o", markersize=4, linewidth=1.5,
                      capsize=2, color=shade, label=name)  # fmt: skip
        said.append(f"{name}: " + ", ".join(f"{v:.1f} at {n:,}" for n, v in zip(x, y, strict=True)))
    for one in published()["systems"][:5]:
        axis.axhline(one["accuracy_3way"], color="#bbbbbb", linewidth=0.8, linestyle=":")
    best = published()["systems"][0]
    axis.annotate(f"published: {best['system']}", (10, best["accuracy_3way"]), xytext=(0, 3),
                  textcoords="offset points", fontsize=8)  # fmt: skip
    if agreement:
        axis.axhspan(100 * agreement[1], 100 * agreement[2], color="#cccccc", alpha=0.4, linewidth=0)
        axis.annotate("two readers of the same text", (10, 100 * agreement[0]), xytext=(0, -3), va="top",
                      textcoords="offset points", fontsize=8)  # fmt: skip
    axis.set(xscale="log", xlabel="training sentences (dev split)", ylabel="3-way accuracy, %",
             title="Prominence on the corpus' test split")  # fmt: skip
    axis.legend(fontsize=8, loc="lower right")
    return finish(figure, "Line chart of 3-way accuracy by number of training sentences. " + "; ".join(said))


def ablation_bars(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Micro-F1 of the GPT-2 tagger with one setting changed at a time, at threshold 0 and with tuned thresholds."""
    import matplotlib.pyplot as plt

    use_style()
    measured = select(rows, "ablation")
    names = [ablation_name(row["parameters"]["settings"]) for row in measured]
    figure, axis = plt.subplots(figsize=(8.5, 0.55 * len(names) + 1.3))
    for offset, key, label, name in ((0.16, "argmax", "threshold 0", "plain"), (-0.16, "tuned", "tuned", "tagged")):
        for place, row in enumerate(measured):
            score = row["figures"][key]
            y = len(names) - 1 - place + offset
            axis.plot([score["f1_low"], score["f1_high"]], [y, y], color=colour(name), linewidth=3, alpha=0.5)
            axis.plot(score["f1"], y, "o", color=colour(name), markersize=6, label=label if not place else None)
    axis.set_yticks(range(len(names)), list(reversed(names)))
    axis.set(xlabel="micro-F1, five grouped folds of the 98 examples, 95 % interval by scenario", xlim=(0, None),
             title="One setting changed at a time")  # fmt: skip
    if measured:
        axis.legend(fontsize=8, loc="lower right")
    alt = "Dot chart of micro-F1 for each setting. " + "; ".join(
        f"{name}: {f1_of(row['figures']['argmax'])} at threshold 0, {f1_of(row['figures']['tuned'])} tuned"
        for name, row in zip(names, measured, strict=True)
    )
    return finish(figure, alt)


def decoding_speed(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Sentences a second of each way of decoding, by batch size, on a logarithmic axis."""
    import matplotlib.pyplot as plt

    use_style()
    sizes = list(rows[0]["sentences_per_second"])
    figure, axis = plt.subplots(figsize=(7.5, 2.8))
    height = 0.8 / len(sizes)
    for number, size in enumerate(sizes):
        values = [row["sentences_per_second"][size] for row in rows]
        places = [len(rows) - 1 - k - number * height + 0.2 for k in range(len(rows))]
        axis.barh(places, values, height=height * 0.9, color=colour("gpt2"), alpha=1 - 0.5 * number,
                  label=f"batch {size}")  # fmt: skip
        for value, place in zip(values, places, strict=True):
            axis.annotate(f"{value:,.1f}", (value, place), xytext=(4, 0), va="center", textcoords="offset points",
                          fontsize=8)  # fmt: skip
    axis.set_yticks([len(rows) - 1 - k for k in range(len(rows))], [row["decoding"] for row in rows])
    top = max(max(row["sentences_per_second"].values()) for row in rows)
    axis.set(xscale="log", xlabel="sentences a second (one processor)", xlim=(0.5, top * 4),
             title="Speed of the three ways of decoding")  # fmt: skip
    axis.legend(fontsize=8, loc="lower right")
    alt = "Bar chart of sentences a second: " + "; ".join(
        f"{row['decoding']} " + ", ".join(f"{v:.1f} at batch {s}" for s, v in row["sentences_per_second"].items())
        for row in rows
    )
    return finish(figure, alt)


def tag_confusion(gold: Sequence[TaggedText], predicted: Sequence[TaggedText]) -> Figure:
    """Which tag was placed where which was wanted, over all slots that hold either; rows sum to 1.

    A slot with several tags counts once for each pair of its question (pause, other); a changed text is left out.
    """
    import matplotlib.pyplot as plt
    import seaborn as sns
    from sklearn.metrics import confusion_matrix

    from harness.taggers.slots import NOTHING, TAG_QUESTIONS, from_tags

    use_style()
    wanted, placed = [], []
    for one, other in zip(gold, predicted, strict=True):
        if one.words != other.words:
            continue
        for k, question in enumerate(TAG_QUESTIONS):
            for a, b in zip(from_tags(one).labels[:, k], from_tags(other).labels[:, k], strict=True):
                if a or b:
                    wanted.append(question.answers[a])
                    placed.append(question.answers[b])
    labels = [*(tag.value for tag in TAGS), NOTHING]
    counts = confusion_matrix(wanted, placed, labels=labels)
    rows = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [label.strip("<>") for label in labels]
    figure, axis = plt.subplots(figsize=(8.5, 5))
    sns.heatmap(rows, annot=counts, fmt="d", cmap="cividis", vmin=0, vmax=1, xticklabels=names, yticklabels=names,
                cbar_kws={"label": "share of the row"}, ax=axis)  # fmt: skip
    axis.set(xlabel="placed", ylabel="in the reference", title="Confusion of tags, slots counted")
    axis.tick_params(axis="x", rotation=30)
    axis.tick_params(axis="y", rotation=0)
    alt = "Confusion matrix of tags. " + "; ".join(
        f"{name}: {counts[k, k]} of {counts[k].sum()} right, {counts[k, -1]} missed"
        for k, name in enumerate(names[:-1])
    )
    return finish(figure, alt)
