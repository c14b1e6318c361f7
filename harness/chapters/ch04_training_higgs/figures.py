"""Draw the figures of chapter 04: trained labels, loss curves, and reproduced codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.publish.style import BLUE, GREEN, INK, SKY, SMALL, VERMILLION, Figure, look, subplots

# Stacks use the colours of their engines and differ in line style too. The third entry is a run, not a stack.
STACK_LOOKS = {name: (look(name).colour, look(name).line) for name in ("boson", "native")}
STACK_LOOKS["native, audio only"] = (GREEN, ":")
_KINDS = ("not learned: begin of stream", "learned: a code", "learned: the end of stream", "not learned: after the end")


def trained_label_grid(labels: NDArray[np.integer], eos: int, ignored: int, *, edge: int = 12) -> Figure:
    """Draw which cells of a delayed clip are learned; labels have shape (codebooks, steps), the middle is left out."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    codebooks, steps = labels.shape
    kinds = np.where(labels == ignored, 0, np.where(labels == eos, 2, 1))
    kinds[(np.cumsum(labels == eos, axis=1) > 0) & (labels == ignored)] = 3
    gap = np.full((codebooks, 1), 4)
    shown = np.hstack([kinds[:, :edge], gap, kinds[:, -edge:]])
    palette = ["#A0A0A0", SKY, VERMILLION, "#E0E0E0", "#FFFFFF"]
    figure, axis = subplots(height=3.3)
    axis.imshow(shown, cmap=ListedColormap(palette), vmin=0, vmax=4, aspect="auto")
    axis.set_xticks(np.arange(-0.5, shown.shape[1]), minor=True)
    axis.set_yticks(np.arange(-0.5, codebooks), minor=True)
    axis.grid(which="minor", color="white", linewidth=1.5)
    axis.grid(which="major", visible=False)
    axis.tick_params(which="both", length=0)
    ticks = [0, edge - 1, edge + 1, shown.shape[1] - 1]
    axis.set_xticks(ticks, ["0", str(edge - 1), str(steps - edge), str(steps - 1)])
    axis.set_yticks(range(codebooks), [str(k) for k in range(codebooks)])
    axis.set(xlabel="step (the middle is left out)", ylabel="codebook", title="What is learned of one clip")
    axis.legend(handles=[Patch(color=palette[k], label=name) for k, name in enumerate(_KINDS)], loc="upper center",
                bbox_to_anchor=(0.5, -0.22), ncols=2, fontsize=SMALL)  # fmt: skip
    learned, ends = int((kinds == 1).sum()), int((kinds == 2).sum())
    return Figure(
        figure,
        f"A grid of {codebooks} codebooks by {steps} steps, slanted by the delay: {learned} codes and "
        f"{ends} ends of stream are learned, one end for each codebook; the corners are not.",
        f"Of {kinds.size:,} cells {learned + ends:,} are learned: {learned:,} codes, and {ends} ends of stream, which teach the model "
        "to stop. Each codebook is one step later than the one above, so two corners are left over.",
    )


def text_and_audio_loss_curves(runs: Mapping[str, Sequence[Mapping[str, float]]], entries: int) -> Figure:
    """Draw the text and audio loss of each run by step on a logarithmic scale, with the loss of guessing."""
    figure, axes = subplots(1, 2, height=3.6, sharex=True)
    for axis, part, title in zip(
        axes, ("audio", "text"), ("Audio: codes", "Text: the tokens around them"), strict=True
    ):
        for name, losses in runs.items():
            colour, line = STACK_LOOKS[name]
            axis.plot([row["step"] for row in losses], [row[part] for row in losses], color=colour, linestyle=line,
                      linewidth=2, label=name)  # fmt: skip
        axis.set(title=title, xlabel="step", yscale="log")
    axes[0].axhline(np.log(entries), color=INK, linewidth=1)
    axes[0].annotate("guessing evenly", (0.98, np.log(entries)), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                     fontsize=SMALL, color=INK)  # fmt: skip
    axes[0].set_ylabel("loss (nats a label)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, handlelength=3)
    ends = "; ".join(f"{name}: audio {rows[0]['audio']:.2f} to {rows[-1]['audio']:.3f}" for name, rows in runs.items())
    said = ", ".join(f"{name} {rows[-1]['audio']:.3f}" for name, rows in runs.items())
    return Figure(
        figure,
        f"Loss curves on a logarithmic scale. {ends}.",
        f"Guessing evenly among {entries:,} codes gives an audio loss of {np.log(entries):.2f}. At the last step: {said}.",
    )


def reproduced_code_maps(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Figure:
    """Map where generated codes equal the trained ones, before and after training; shape (codebooks, frames)."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    palette = ["#D9D9D9", BLUE]
    figure, axes = subplots(2, 1, height=3.9, sharex=True)
    for axis, equal, name in zip(axes, (before, after), ("before training", "after training"), strict=True):
        axis.imshow(equal, cmap=ListedColormap(palette), vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        axis.set(title=f"{name}: {equal.mean():.1%} of the codes", ylabel="codebook")
        axis.grid(visible=False)
    axes[1].set_xlabel("frame")
    figure.legend(handles=[Patch(color=palette[1], label="as taught"), Patch(color=palette[0], label="another code")],
                  loc="outside lower center", ncols=2)  # fmt: skip
    return Figure(
        figure,
        f"Two maps of codebooks by frames. Of the codes that the model generates {before.mean():.1%} are as "
        f"taught before training and {after.mean():.1%} after it.",
        f"Every cell is a code that the model generated from the text. As taught: {before.mean():.1%} of {before.size:,} before "
        f"training, {after.mean():.1%} of {after.size:,} after it.",
    )


def reproduction_rows(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return table rows: how much of each sample the model reproduces, before and after training."""

    def said(one: Mapping[str, Any]) -> str:
        return f"{one['equal']:.1%} in {one['generated']} frames, {'stops' if one['stopped'] else 'no stop'}"

    return [
        {"sample": new["id"], "frames": str(new["frames"]), "before": said(old), "after": said(new)}
        for old, new in zip(before, after, strict=True)
    ]
