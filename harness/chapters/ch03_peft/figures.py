"""Figures of chapter 03: three cures, and what LoRA on which modules does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.chapters.ch03_peft.study import Curve
from harness.chapters.ch03_peft.targets import FROZEN, TRAINED
from harness.publish.style import BLUE, INK, SKY, SMALL, VERMILLION, Figure, note, subplots

# Lines and markers differ too, so that nothing is said by colour alone.
_LINES = ((SKY, "-", 6.0), (INK, "--", 1.5), (VERMILLION, "-", 1.8))
_HEADS = {FROZEN: (BLUE, "o"), TRAINED: (VERMILLION, "s")}


def cure_loss_curves(curves: Sequence[Curve], entries: int) -> Figure:
    """Draw the audio loss of each cure by step; `entries` is how many ids a codebook has, begin and end included."""
    figure, axis = subplots(height=3.6)
    for curve, (colour, line, width) in zip(curves, _LINES, strict=False):
        axis.plot(range(len(curve.audio)), curve.audio, line, color=colour, linewidth=width, label=curve.cure, zorder=2)
    guessing = float(np.log(entries))
    axis.axhline(guessing, color=INK, linewidth=1, linestyle=":")
    end = len(curves[0].audio) - 1
    note(axis, f"guessing, ln {entries}", (end, guessing), (0, 3), ha="right", va="bottom", color=INK)
    axis.set(
        title="One batch, three cures", xlabel="step", ylabel="audio loss, nats per code", ylim=(0, guessing * 1.12)
    )
    axis.legend()
    said = "; ".join(f"{curve.cure} from {curve.audio[0]:.2f} to {curve.audio[-1]:.2f}" for curve in curves)
    same = _coincide(curves)
    more = f" {' and '.join(same)} coincide." if same else ""
    ends = ", ".join(f"`{curve.cure}` {curve.audio[-1]:.2f}" for curve in curves)
    return Figure(
        figure,
        f"Audio loss in nats per code over {len(curves[0].audio)} steps: {said}.{more}",
        f"Dotted: guessing evenly among {entries:,} ids, {guessing:.2f}. After {len(curves[0].audio)} steps the loss is: {ends}.{more}",
    )


def _coincide(curves: Sequence[Curve]) -> list[str]:
    """Return cures whose audio losses equal those of another at every step."""
    return [one.cure for one in curves if any(one is not other and one.audio == other.audio for other in curves)]


def lora_target_panels(rows: Sequence[Mapping[str, Any]], limit: float) -> Figure:
    """Draw the audio loss (head frozen, head trained) and the change of text for each set of LoRA targets.

    Parameters
    ----------
    rows : sequence
        Results of `.targets.compare_targets`, one dot each.
    limit : float
        Lowest loss that the frozen head allows.
    """
    names = list(dict.fromkeys(row["targets"] for row in rows))
    figure, panels = subplots(1, 3, height=0.5 * len(names) + 1.8, sharey=True, gridspec_kw={"wspace": 0.06})
    start = float(np.mean([row["first"] for row in rows]))
    for axis, head in zip(panels, (FROZEN, TRAINED), strict=False):
        _dots(axis, rows, names, "last", (head,))
        axis.set(title=head, xlabel="audio loss\n(nats a code)")
    panels[0].axvline(start, color=INK, linestyle=":", linewidth=1)
    panels[0].axvline(limit, color=INK, linestyle="--", linewidth=1)
    middle = len(names) - 0.55
    for place, text, side in ((start, "start ", "right"), (limit, " head's limit", "left")):
        panels[0].text(place, middle, text, ha=side, va="center", fontsize=SMALL, color=INK)
    margin = 0.12 * (start - limit)
    panels[0].set_xlim(limit - margin, start + margin)
    panels[1].set_xlim(0, 1.1 * max(row["last"] for row in rows if row["head"] == TRAINED))
    _dots(panels[2], rows, names, "text_alone", (FROZEN, TRAINED))
    panels[2].set(title="text without audio", xlabel="largest change\nof a logit")
    for place, name in enumerate(names):
        if not any(row["text_alone"] for row in rows if row["targets"] == name):
            note(panels[2], "exactly 0", (0, place), (9, 0))
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.3, -0.5)
    figure.legend(*panels[2].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=SMALL + 0.5)
    return Figure(figure, _words(rows, names, limit), _caption(rows, names, limit))


def _dots(axis: Any, rows: Sequence[Mapping[str, Any]], names: Sequence[str], field: str, heads: Sequence[str]) -> None:
    for head in heads:
        colour, marker = _HEADS[head]
        mine = [row for row in rows if row["head"] == head]
        shift = 0.0 if len(heads) == 1 else (-0.13 if head == FROZEN else 0.13)
        places = [names.index(row["targets"]) + shift for row in mine]
        axis.plot([row[field] for row in mine], places, marker, color=colour, markersize=6, alpha=0.75, label=head,
                  markeredgecolor="white", clip_on=False, zorder=3)  # fmt: skip
    axis.tick_params(axis="y", length=0)


def mean_of(rows: Sequence[Mapping[str, Any]], field: str, targets: str, head: str = FROZEN) -> float | None:
    """Return the mean over seeds of a field for one set of targets and head; None if it was not trained."""
    found = [row[field] for row in rows if row["targets"] == targets and row["head"] == head]
    return float(np.mean(found)) if found else None


def _caption(rows: Sequence[Mapping[str, Any]], names: Sequence[str], limit: float) -> str:
    untouched = [name for name in names if not any(row["text_alone"] for row in rows if row["targets"] == name)]
    frozen = [row["last"] for row in rows if row["head"] == FROZEN]
    lowest = (
        f"The lowest loss with the head frozen is {min(frozen):.2f}, where {limit:.2f} is possible. " if frozen else ""
    )
    return (
        f"Each dot is one training run; the panels have different scales. {lowest}Text without audio is exactly as before for "
        f"{len(untouched)} of {len(names)} sets of targets{': ' + ', '.join(f'`{name}`' for name in untouched) if untouched else ''}."
    )


def _words(rows: Sequence[Mapping[str, Any]], names: Sequence[str], limit: float) -> str:
    parts = []
    for name in names:
        loss = [
            f"{value:.2f} {head}"
            for head in (FROZEN, TRAINED)
            if (value := mean_of(rows, "last", name, head)) is not None
        ]
        moved = max(row["text_alone"] for row in rows if row["targets"] == name)
        parts.append(
            f"{name}: loss {', '.join(loss)}; text changes by {f'up to {moved:.2f}' if moved else 'exactly 0'}"
        )
    said = ". ".join(parts)
    return (
        f"Three panels of dots, each with its own scale: audio loss after training with the head frozen, with the head trained, "
        f"and the largest change of a text logit. {said}. The frozen head's limit is {limit:.2f}."
    )
