"""Figures of chapter 02: where the parameters are, DualFFN, its routing, the delay pattern, memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from harness.chapters.ch02_architecture.routing import AUDIO
from harness.higgs.accounting import AUDIO_SIDE, TEXT_SIDE
from harness.higgs.memory import GIB, MemoryEstimate
from harness.publish.style import BLUE, GREEN, INK, PURPLE, SKY, SMALL, Figure, on, subplots

# Okabe and Ito's palette: blue for what belongs to text, orange for audio, green for what both share. These are areas with their
# names in or above them, so the orange is as bright as theirs.
_TEXT, _AUDIO, _SHARED, _BEGIN, _END = BLUE, "#E69F00", GREEN, PURPLE, "#999999"
_LIGHT_TEXT, _LIGHT_AUDIO, _NOTHING = SKY, "#F0D58C", "#EDEDED"
_GROUP_COLOURS = {
    "text embedding": _LIGHT_TEXT, "attention": _SHARED, "text FFN": _TEXT, "text head": _BEGIN,
    "audio FFN": _AUDIO, "audio embedding and head": _LIGHT_AUDIO,
}  # fmt: skip
_AUDIO_DRAWN = ("audio FFN", "audio embedding and head")
_MERGED = {"audio embedding": "audio embedding and head", "audio head": "audio embedding and head"}
_SMALLEST_LABELLED = 0.2e9
# Memory of common graphics cards. Vendors write GB and mean GiB.
GPU_GIB = {"16": 16, "24": 24, "80 GB": 80}


def parameter_count_bars(counts: Mapping[str, Mapping[str, int]]) -> Figure:
    """Draw parameters by group as stacked bars; `counts` maps a model's name to its groups, the first on top."""
    merged = {name: _merge(groups) for name, groups in counts.items()}
    figure, axis = subplots(height=0.85 * len(merged) + 1.7)
    for place, groups in enumerate(reversed(list(merged.values()))):
        left = 0
        for group, size in groups.items():
            axis.barh(place, size / 1e9, left=left / 1e9, height=0.6, color=_GROUP_COLOURS[group], edgecolor="white",
                      label=group if place == 0 else None)  # fmt: skip
            if size > _SMALLEST_LABELLED:
                axis.text((left + size / 2) / 1e9, place, f"{size / 1e9:.2f}", ha="center", va="center", fontsize=SMALL,
                          color=on(_GROUP_COLOURS[group]))  # fmt: skip
            left += size
        axis.text(left / 1e9 + 0.06, place, f"{left / 1e9:.2f}", va="center", fontsize=10.5, fontweight="bold")
        audio = sum(groups[group] for group in _AUDIO_DRAWN)
        for start, size, side in ((0, left - audio, "language model"), (left - audio, audio, "audio")):
            if size:
                axis.text((start + size / 2) / 1e9, place + 0.33, f"{side} {size / 1e9:.2f}", ha="center", va="bottom",
                          fontsize=SMALL, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})  # fmt: skip
    axis.set_yticks(range(len(merged)), list(reversed(merged)))
    most = max(sum(groups.values()) for groups in merged.values())
    axis.set(title="Parameters, in billions", xlim=(0, most / 1e9 * 1.12), ylim=(-0.45, len(merged) - 0.35))
    axis.grid(axis="y", visible=False)
    figure.legend(loc="outside lower center", ncols=3, fontsize=SMALL)
    alt = "Stacked bars of parameters in billions. " + "; ".join(
        f"{name}: " + ", ".join(f"{group} {size / 1e9:.2f}" for group, size in groups.items() if size)
        for name, groups in merged.items()
    )
    totals = {name: sum(groups.values()) for name, groups in merged.items()}
    largest = max(totals, key=lambda name: totals[name])
    audio = sum(merged[largest][group] for group in _AUDIO_DRAWN)
    return Figure(
        figure,
        alt,
        f"`{largest}` has {totals[largest] / 1e9:.2f} billion parameters, {audio / 1e9:.2f} of them ({audio / totals[largest]:.0%}) on "
        f"the audio side. In all: {', '.join(f'{name} {total / 1e9:.2f}' for name, total in totals.items())}.",
    )


def _merge(groups: Mapping[str, int]) -> dict[str, int]:
    """Merge the two small audio groups, and leave out norms, which are too small to see."""
    merged = dict.fromkeys(_GROUP_COLOURS, 0)
    for name in (*TEXT_SIDE, *AUDIO_SIDE):
        if not name.endswith("norms"):
            merged[_MERGED.get(name, name)] += groups[name]
    return merged


def dual_ffn_diagram() -> Figure:
    """Draw one DualFFN layer: both kinds of position pass the same attention, then separate FFNs."""
    figure, axis = subplots(height=5.4)
    axis.set(xlim=(0, 10), ylim=(0, 9))
    axis.axis("off")
    tokens = [*((word, 0) for word in ("We", "save", "30", "%")), *((f"a{column}", 1) for column in (1, 2, 3, 4))]
    colours, ffn = (_TEXT, _AUDIO), (2.6, 7.4)
    for x, (name, kind) in zip(np.linspace(0.9, 9.1, len(tokens)), tokens, strict=True):
        _box(axis, x, 1.0, 0.92, 0.6, name, colours[kind])
        _arrow(axis, (x, 1.34), (x, 2.0), colours[kind])
        _box(axis, x, 2.35, 0.92, 0.6, "norm", colours[kind], light=True)
        _arrow(axis, (x, 2.69), (x, 3.4), colours[kind])
        _arrow(axis, (x, 4.5), (ffn[kind] + (x - ffn[kind]) * 0.75, 5.4), colours[kind])
    _box(axis, 5.0, 3.95, 9.2, 1.0, "self-attention: one set of weights, each position reads those before it", _SHARED)
    rows = (("norm and FFN of text\n(Llama's own)", "to the next layer,\nafter the last one to the text head"),
            ("norm and FFN of audio\n(added)", "to the next layer,\nafter the last one to the audio head"))  # fmt: skip
    for x, colour, (name, onward) in zip(ffn, colours, rows, strict=True):
        _box(axis, x, 6.0, 4.4, 1.1, name, colour)
        _arrow(axis, (x, 6.6), (x, 7.4), colour)
        axis.text(x, 7.5, onward, ha="center", va="bottom", fontsize=10, color=INK)
    axis.text(5.0, 8.8, "One DualFFN layer", ha="center", va="center", fontsize=12.5, fontweight="bold")
    legend = "blue: text      orange: audio, a column of 8 codes each      green: shared"
    axis.text(5.0, 0.2, legend, ha="center", fontsize=10, color=INK)
    alt = (
        "Diagram of one layer, bottom to top. Eight positions, four of text and four of audio, pass a norm of their kind and "
        "then one self-attention that all share. After it text positions go through the text FFN, audio positions through the "
        "audio FFN, each to the next layer. Residual connections are not drawn."
    )
    spoken = sum(kind for _, kind in tokens)
    return Figure(
        figure,
        alt,
        f"Follow one position upwards: all {len(tokens)} share the attention, then {len(tokens) - spoken} of text go left and {spoken} of "
        "audio go right. Residual connections are not drawn.",
    )


def _box(
    axis: Any, x: float, y: float, width: float, height: float, text: str, colour: str, light: bool = False
) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = (x - width / 2, y - height / 2)
    face = "#FFFFFF" if light else colour
    axis.add_patch(FancyBboxPatch(corner, width, height, boxstyle="round,pad=0,rounding_size=0.12", facecolor=face,
                                  edgecolor=colour, linewidth=1.6))  # fmt: skip
    axis.text(x, y, text, ha="center", va="center", fontsize=10, color=on(face))


def _arrow(axis: Any, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    axis.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.4})


def hidden_state_change_maps(routed: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """Draw the relative change of each hidden state, layers by positions, one map per result of `.routing.route`."""
    import matplotlib.pyplot as plt
    from matplotlib.colors import LogNorm

    changes = [np.array(one["change"]) for one in routed]
    moved = np.concatenate([change[change > 0] for change in changes])
    scale = LogNorm(moved.min(), moved.max())
    rows, columns = changes[0].shape
    figure, axes = subplots(len(routed), height=1.85 * len(routed) + 0.9, sharex=True, squeeze=False)
    for axis, one, change in zip(axes[:, 0], routed, changes, strict=True):
        shown = np.ma.masked_equal(change, 0)
        axis.set_facecolor(_NOTHING)
        image = axis.pcolormesh(np.arange(columns + 1), np.arange(rows + 1) - 0.5, shown, norm=scale, cmap="viridis_r",
                                edgecolor="white", linewidth=0.5)  # fmt: skip
        for place, kind in enumerate(one["kinds"]):
            axis.add_patch(plt.Rectangle((place, -1.15), 1, 0.5, color=_AUDIO if kind == AUDIO else _TEXT, linewidth=0))
        axis.set_yticks(range(rows), ["input", *(f"layer {index}" for index in range(rows - 1))], fontsize=SMALL)
        axis.add_patch(
            plt.Rectangle((0.05, one["layer"] + 0.5), columns - 0.1, 1, fill=False, edgecolor=_BEGIN, linewidth=2)
        )
        axis.set_title(f"{one['part']} of layer {one['layer']} changed (framed)", fontsize=11)
        axis.set(xlim=(0, columns), ylim=(-1.2, rows - 0.5))
        axis.grid(visible=False)
    runs = [(kind, len(list(run))) for kind, run in groupby(routed[0]["kinds"])]
    ends = np.cumsum([length for _, length in runs])
    middles = [end - length / 2 for end, (_, length) in zip(ends, runs, strict=True)]
    axes[-1, 0].set_xticks(middles, [kind for kind, _ in runs])
    axes[-1, 0].tick_params(axis="x", length=0)
    axes[-1, 0].set_xlabel("position")
    figure.colorbar(image, ax=axes[:, 0], label="relative change (grey: exactly none)", shrink=0.8)
    figure.suptitle(title, fontweight="bold", x=0.02, ha="left")
    return Figure(
        figure,
        f"{title}. Heat maps, layers by positions. " + " ".join(_in_words(one) for one in routed),
        "In the layer that was changed: "
        + "; ".join(_moved_there(one) for one in routed)
        + ". Grey did not change by even one bit.",
    )


def _counts(routed: Mapping[str, Any], row: int) -> list[str]:
    """Describe how many positions of each kind moved in a row of the map."""
    moved, kinds = np.array(routed["change"][row]) > 0, np.array(routed["kinds"])
    return [
        f"{moved[kinds == kind].sum()} of {(kinds == kind).sum()} {kind} positions"
        for kind in dict.fromkeys(routed["kinds"])
    ]


def _moved_there(routed: Mapping[str, Any]) -> str:
    return f"noise in the {routed['part']} moves {' and '.join(_counts(routed, routed['layer'] + 1))}"


def _in_words(routed: Mapping[str, Any]) -> str:
    counts = [
        f"{count} moved {when}"
        for row, when in ((routed["layer"] + 1, "in that layer"), (-1, "at the end"))
        for count in _counts(routed, row)
    ]
    return f"{routed['part']} of layer {routed['layer']} changed: {', '.join(counts)}."


def delay_pattern_grid(delayed: Sequence[Sequence[int]], bos: int, eos: int) -> Figure:
    """Draw the columns that the model sees, codebooks by steps; `delayed` holds the ids, and codes are written in the cells."""
    import seaborn as sns
    from matplotlib.colors import ListedColormap

    ids = np.array(delayed)
    codebooks, steps = ids.shape
    kinds = np.select([ids == bos, ids == eos], [1, 2])
    texts = np.select([ids == bos, ids == eos], ["B", "E"], ids.astype(str))
    figure, axis = subplots(height=0.38 * codebooks + 1.3)
    sns.heatmap(kinds, annot=texts, fmt="", cmap=ListedColormap([_LIGHT_AUDIO, _BEGIN, _END]), vmin=0, vmax=2, cbar=False,
                linewidths=1.5, annot_kws={"fontsize": 10, "color": INK}, ax=axis)  # fmt: skip
    axis.set(
        xlabel="step: what the model reads or predicts at once is a column",
        ylabel="codebook",
        title="The delay pattern",
    )
    axis.tick_params(labelsize=SMALL, rotation=0)
    frames = int(((ids[0] != bos) & (ids[0] != eos)).sum())
    alt = (
        f"Grid of {codebooks} codebooks and {steps} steps. Row k holds k + 1 cells B, beginning of the stream, the codes of "
        f"{frames} frames, and cells E, end of the stream, to the right edge: each row one step later than the one above."
    )
    return Figure(
        figure,
        alt,
        f"`B` is the beginning, `E` the end of the stream. {frames} frames of {codebooks} codes take {steps} steps, because each codebook "
        "waits one step longer than the one above it.",
    )


def memory_need_bars(estimates: Mapping[str, MemoryEstimate]) -> Figure:
    """Draw the memory needed to load or train, stacked by part, with lines at the sizes of common graphics cards."""
    parts = {"weights": _TEXT, "gradients": _AUDIO, "optimiser": _SHARED, "activations": _BEGIN, "logits": _END}
    figure, axis = subplots(height=0.42 * len(estimates) + 1.7)
    for place, one in enumerate(reversed(list(estimates.values()))):
        left = 0.0
        for part, colour in parts.items():
            size = getattr(one, part) / GIB
            axis.barh(place, size, left=left, color=colour, height=0.66, label=part if place == 0 else None)
            left += size
        axis.text(left + 0.8, place, f"{left:.1f}", va="center", fontsize=SMALL,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})  # fmt: skip
    for name, size in GPU_GIB.items():
        axis.axvline(size, color=INK, linestyle="--", linewidth=1, zorder=0)
        axis.text(size, 1.01, name, ha="center", va="bottom", fontsize=SMALL,
                  transform=axis.get_xaxis_transform())  # fmt: skip
    axis.set_yticks(range(len(estimates)), list(estimates)[::-1], fontsize=10)
    most = max(one.total for one in estimates.values()) / GIB
    axis.set(xlabel="GiB", ylim=(-0.6, len(estimates) - 0.4), xlim=(0, max(most, *GPU_GIB.values()) * 1.1))
    axis.set_title("Memory needed; dashed: graphics cards", pad=20)
    axis.grid(axis="y", visible=False)
    figure.legend(loc="outside lower center", ncols=len(parts), fontsize=SMALL, columnspacing=1.2)
    alt = "Stacked bars of memory in GiB. " + "; ".join(
        f"{name}: {one.total / GIB:.1f}" for name, one in estimates.items()
    )
    sizes = {name: one.total / GIB for name, one in estimates.items()}
    least, largest = min(sizes, key=lambda name: sizes[name]), max(sizes, key=lambda name: sizes[name])
    card = max(GPU_GIB.values())
    return Figure(
        figure,
        alt,
        f"From {sizes[least]:.1f} GiB ({least}) to {sizes[largest]:.1f} GiB ({largest}). {sum(size <= card for size in sizes.values())} of "
        f"{len(sizes)} fit into a card of {card} GiB. These are estimates, not measurements.",
    )
