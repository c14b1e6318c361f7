"""Figures of chapter 07: F1 of the taggers, and the placement benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.benchmark.rows import ablation_name, select, system_name
from harness.chapters.ch07_tag_placement.tables import curve_points, published
from harness.publish.style import GREY, INK, SMALL, Figure, dot, dot_rows, look, looks, note, on, subplots
from harness.publish.tables import NOT_RANKED, f1_of, interval, rate_of
from harness.tagged import TAGS, TaggedText

_UNCHANGED = ablation_name({})
_PUBLISHED_DRAWN = 5  # the sixth, one class for all words, is far below the others
_ROOM = 1.4  # upper limit of an F1 axis, so that the figures fit to the right of the intervals


def f1_interval_dots(reports: Mapping[str, Mapping[str, Any]], title: str) -> Figure:
    """Draw the micro-F1 of each tagger with its 95 % interval, best on top."""
    ranked = sorted(reports.items(), key=lambda item: item[1]["micro"]["f1"] or 0)
    figure, axis = subplots(height=0.42 * len(ranked) + 1.2)
    for place, (name, report) in enumerate(ranked):
        score = report["micro"]
        dot(axis, rate_of(score, "f1"), place, name, size=8)
        note(axis, f1_of(score), (score["f1_high"], place))
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


def f1_heatmap(reports: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the F1 of each tag for each tagger as a heat map, with the intervals in its cells."""
    import matplotlib.pyplot as plt
    import seaborn as sns
    from matplotlib.colors import to_hex

    colours = plt.get_cmap("cividis")
    cells = [[reports[name]["per_tag"][tag.value] for tag in TAGS] for name in reports]
    grid = np.array([[cell["f1"] or 0.0 for cell in row] for row in cells])
    figure, axis = subplots(height=0.55 * len(reports) + 1.5)
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
        f"`{rare[0].bare}` occurs only {rare[1]['support']} times in the reference, so its intervals are wide."
    )
    return Figure(figure, "Heat map of F1 by tagger and tag. " + "; ".join(rows), caption)


def _range(low: float | None, high: float | None) -> str:
    """Return an interval in few characters, for a cell of a heat map."""
    if low is None or high is None:
        return ""
    return f"{low:.2f}–{high:.2f}".replace("0.", ".")


def learning_curves(rows: Sequence[Mapping[str, Any]], agreement: Sequence[float] | None = None) -> Figure:
    """Draw 3-way accuracy by number of training sentences; published systems and reader agreement are lines."""
    curves: dict[str, list[Mapping[str, Any]]] = {}
    for row in select(rows, "helsinki", seed=0):
        curves.setdefault(system_name(row["parameters"]), []).append(row["figures"])
    figure, axis = subplots(height=5)
    said = []
    for number, (name, drawn) in enumerate(looks(curves).items()):
        points = sorted(curves[name], key=lambda f: f["sentences"])
        x = [f["sentences"] for f in points]
        aside = 1.05 ** (number - (len(curves) - 1) / 2)  # otherwise marks with the same number of sentences overlap
        y = np.array([100 * f["accuracy_3way"] for f in points])
        bounds = 100 * np.array([f["intervals"]["accuracy_3way"] for f in points])
        axis.errorbar([aside * n for n in x], y, yerr=[y - bounds[:, 0], bounds[:, 1] - y], color=drawn.colour, label=name,
                      marker=drawn.marker, linestyle=drawn.line, markersize=6, linewidth=1.5, capsize=3)  # fmt: skip
        said.append(f"{name}: " + ", ".join(f"{v:.1f} at {n:,}" for n, v in zip(x, y, strict=True)))
    for one in published()["systems"][:_PUBLISHED_DRAWN]:
        axis.axhline(one["accuracy_3way"], color=GREY, linewidth=0.9, linestyle=":")
    best = published()["systems"][0]
    start = min(f["sentences"] for points in curves.values() for f in points)
    note(axis, f"published: {best['system']}", (start, best["accuracy_3way"]), (0, 3), va="baseline", color=INK)
    if agreement:
        axis.axhspan(100 * agreement[1], 100 * agreement[2], color="#cccccc", alpha=0.5, linewidth=0)
        note(axis, "two readers of the same text", (start, 100 * agreement[0]), (0, 0), color=INK)
    axis.set(xscale="log", xlabel="training sentences (dev split)", ylabel="3-way accuracy, %; 95 % interval",
             title="Prominence on the corpus' test split")  # fmt: skip
    ticks = sorted({f["sentences"] for points in curves.values() for f in points})
    axis.set_xticks(ticks, [f"{n:,}" for n in ticks])
    axis.minorticks_off()
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=SMALL + 0.5)
    leader, most = max(
        ((name, max(points, key=lambda f: f["sentences"])) for name, points in curves.items()),
        key=lambda item: item[1]["accuracy_3way"],
    )
    low, high = (100 * bound for bound in most["intervals"]["accuracy_3way"])
    caption = (
        f"With the most data `{leader}` reaches {interval(100 * most['accuracy_3way'], low, high, 1)} % ({most['sentences']:,} sentences, "
        f"seed 0); the best published system has {best['accuracy_3way']:.1f} %. Dotted: published systems."
    )
    return Figure(figure, "Line chart of 3-way accuracy by number of training sentences. " + "; ".join(said), caption)


def curve_of_examples(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the micro-F1 on the development set by number of training examples; `rules`, which learns nothing, is a line."""
    points = curve_points(rows)
    figure, axis = subplots(height=3.8)
    said = []
    for name, drawn in looks(points).items():
        sizes = list(points[name])
        middle = [float(np.mean(points[name][size])) for size in sizes]
        bounds = [[min(points[name][size]) for size in sizes], [max(points[name][size]) for size in sizes]]
        axis.errorbar(sizes, middle, yerr=np.abs(np.array(bounds) - middle), color=drawn.colour, label=name, marker=drawn.marker,
                      linestyle=drawn.line, markersize=6, linewidth=1.5, capsize=3)  # fmt: skip
        said.append(f"{name}: " + ", ".join(f"{f1:.2f} at {size}" for size, f1 in zip(sizes, middle, strict=True)))
    [rules] = select(rows, "set", examples="development", tagger="rules")
    f1 = rules["figures"]["micro"]["f1"]
    axis.axhline(f1, color=look("rules").colour, linestyle=":", label="rules")
    axis.set(xlabel="training examples", ylabel="micro F1", title="Development set", ylim=(0, None), xticks=sizes)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=SMALL + 0.5)
    above = [str(min(size for size, found in points[name].items() if min(found) > f1)) + f" for `{name}`" for name in points
             if any(min(found) > f1 for found in points[name].values())]  # fmt: skip
    caption = (
        f"Mean over random choices of examples; bars from the lowest to the highest. Dotted: `rules`, {f1:.2f}. Fewest examples with "
        f"which every choice is above `rules`: {', '.join(above) or 'none'}."
    )
    return Figure(
        figure, f"Line chart of micro F1 by number of training examples. {'; '.join(said)}; rules: {f1:.2f}", caption
    )


def ablation_dots(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the micro-F1 of the GPT-2 tagger with one setting changed at a time, at threshold 0 and tuned."""
    measured = sorted(select(rows, "ablation"), key=lambda row: -(row["figures"]["tuned"]["f1"] or 0))
    names = [ablation_name(row["parameters"]["settings"]) for row in measured]
    figure, axis = subplots(height=0.5 * len(names) + 1.4)
    series = {"tuned": ("tuned", "tagged"), "argmax": ("threshold 0", "plain")}
    rates = {name: {key: rate_of(row["figures"][key], "f1") for key in series}
             for name, row in zip(names, measured, strict=True)}  # fmt: skip
    dot_rows(axis, rates, series, spread=0.68)
    axis.set(xlabel="micro F1, five grouped folds, 95 % interval by scenario", title="One setting changed at a time")
    axis.set_xlim(0, 1.25 * max((rate.high or 0 for both in rates.values() for rate in both.values()), default=0.8))
    alt = "Dot chart of micro-F1 for each setting. " + "; ".join(
        f"{name}: {f1_of(row['figures']['argmax'])} at threshold 0, {f1_of(row['figures']['tuned'])} tuned"
        for name, row in zip(names, measured, strict=True)
    )
    caption = f"{len(measured)} settings were measured."
    if _UNCHANGED in names:
        usual = measured[names.index(_UNCHANGED)]["figures"]["tuned"]["f1"]
        axis.axvline(usual, color=GREY, linestyle="--", linewidth=1, zorder=0)
    if measured:
        best, worst = measured[0], measured[-1]
        meet = (worst["figures"]["tuned"]["f1_high"] or 0) >= (best["figures"]["tuned"]["f1_low"] or 0)
        caption = (
            f"Best on top, with tuned thresholds: `{names[0]}` {f1_of(best['figures']['tuned'])}. Lowest: `{names[-1]}` "
            f"{f1_of(worst['figures']['tuned'])}; the two intervals {'overlap' if meet else 'do not overlap'}."
            f"{_compared(measured, names)} The 98 examples, five folds, one seed."
        )
    return Figure(figure, alt, caption)


def _compared(measured: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Return which settings differ from the unchanged one by their intervals."""
    if _UNCHANGED not in names:
        return ""
    scores = {name: row["figures"]["tuned"] for name, row in zip(names, measured, strict=True)}
    usual = scores[_UNCHANGED]
    lower = [f"`{name}`" for name, score in scores.items() if (score["f1_high"] or 0) < (usual["f1_low"] or 0)]
    higher = [f"`{name}`" for name, score in scores.items() if (score["f1_low"] or 0) > (usual["f1_high"] or 1)]
    apart = "; ".join(f"{word}: {', '.join(found)}" for word, found in (("above", higher), ("below", lower)) if found)
    return (
        f" Dashed: `{_UNCHANGED}`, tuned. Different from it by their intervals: {apart or 'none'}; the others cannot be "
        "distinguished from it."
    )


def decoding_speed_bars(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the sentences per second of each decoding by batch size, on a logarithmic axis."""
    sizes = list(rows[0]["sentences_per_second"])
    rows = sorted(rows, key=lambda row: -row["sentences_per_second"][sizes[-1]])
    figure, axis = subplots(height=0.38 * len(rows) * len(sizes) + 1.2)
    height = 0.8 / len(sizes)
    for number, size in enumerate(sizes):
        values = [row["sentences_per_second"][size] for row in rows]
        places = [len(rows) - 1 - k - number * height + 0.2 for k in range(len(rows))]
        # Hatching distinguishes the batch sizes without colour.
        axis.barh(places, values, height=height * 0.9, color=look("gpt2").colour, alpha=1 - 0.5 * number / max(len(sizes) - 1, 1),
                  hatch="//" if number else None, edgecolor="white")  # fmt: skip
        for value, place in zip(values, places, strict=True):
            note(axis, f"{value:,.1f}, batch {size}", (value, place), (5, 0))
    axis.set_yticks([len(rows) - 1 - k for k in range(len(rows))], [row["decoding"] for row in rows])
    top = max(max(row["sentences_per_second"].values()) for row in rows)
    axis.set(xscale="log", xlabel="sentences per second (one processor)", xlim=(0.5, top * 8),
             title="Speed of each decoding method")  # fmt: skip
    axis.grid(visible=False, axis="y")
    alt = "Bar chart of sentences per second: " + "; ".join(
        f"{row['decoding']} " + ", ".join(f"{v:.1f} at batch {s}" for s, v in row["sentences_per_second"].items())
        for row in rows
    )
    fast, slow = rows[0], rows[-1]
    caption = (
        f"The scale is logarithmic. At batch {sizes[-1]} `{fast['decoding']}` does {fast['sentences_per_second'][sizes[-1]]:,.1f} "
        f"sentences per second, `{slow['decoding']}` {slow['sentences_per_second'][sizes[-1]]:,.1f}. "
        "Measured once, so there is no interval."
    )
    return Figure(figure, alt, caption)


def tag_confusion_map(gold: Sequence[TaggedText], predicted: Sequence[TaggedText]) -> Figure:
    """Draw the confusion matrix of tags over all slots that hold a tag in either; rows sum to 1.

    A slot counts once for each question (pause, other tag) with a tag. Texts whose words changed are left out.
    """
    import seaborn as sns
    from sklearn.metrics import confusion_matrix

    from harness.taggers.slots import NOTHING, TAG_QUESTIONS, from_tags

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
    figure, axis = subplots(height=4.8)
    sns.heatmap(rows, annot=counts, fmt="d", cmap="cividis", vmin=0, vmax=1, xticklabels=names, yticklabels=names,
                cbar_kws={"label": "share of the row"}, annot_kws={"fontsize": 10}, linewidths=0.5, ax=axis)  # fmt: skip
    axis.set(xlabel="placed", ylabel="in the reference", title="Confusion of tags, slots counted")
    axis.set_xticklabels(names, rotation=35, ha="right", rotation_mode="anchor")
    axis.tick_params(axis="y", rotation=0)
    alt = "Confusion matrix of tags. " + "; ".join(
        f"{name}: {counts[k, k]} of {counts[k].sum()} right, {counts[k, -1]} missed"
        for k, name in enumerate(names[:-1])
    )
    wanted_tags, right, missed = (int(part.sum()) for part in (counts[:-1], np.diag(counts)[:-1], counts[:-1, -1]))
    caption = (
        f"Of {wanted_tags} tags in the reference {right} were placed on their slot; on {missed} of their slots nothing was placed. "
        f"{int(counts[-1, :-1].sum())} tags were placed where the reference has none: the lowest row."
    )
    return Figure(figure, alt, caption)
