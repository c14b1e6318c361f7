"""Figures of chapter 06: the training of the tagger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.publish.style import GREY, Figure, ink, look, note, subplots


def training_curves(history: Sequence[Mapping[str, float]]) -> Figure:
    """Draw training loss, dev loss and dev F1 by epoch, and mark the epoch that was kept."""
    epochs = [row["epoch"] for row in history]
    best = min(history, key=lambda row: row["eval_loss"])
    figure, (left, right) = subplots(1, 2, height=3.2)
    for key, label, name in (("loss", "training", "plain"), ("eval_loss", "dev", "tagged")):
        drawn = look(name)
        left.plot(epochs, [row[key] for row in history], marker=drawn.marker, markersize=3.5, color=drawn.colour)
        note(left, label, (epochs[-1], history[-1][key]), (6, 0), color=ink(drawn.colour))
    left.set_xlim(right=epochs[-1] + 0.3 * max(epochs[-1] - epochs[0], 1))
    left.set(title="Loss", xlabel="epoch", ylabel="cross-entropy (nats)")
    right.plot(epochs, [row["dev_f1"] for row in history], marker="o", markersize=3.5, color=look("gpt2").colour)
    right.set(title="Placement on the dev set", xlabel="epoch", ylabel="micro F1, threshold 0")
    right.set_ylim(0, 1.12 * max(*(row["dev_f1"] for row in history), 0.01))
    for axis in (left, right):
        axis.axvline(best["epoch"], color=GREY, linestyle="--", linewidth=1)
        axis.xaxis.get_major_locator().set_params(integer=True)
    last = history[-1]
    alt = (
        f"Two line charts over {len(history)} epochs. Dev loss is lowest, {best['eval_loss']:.2f}, after epoch "
        f"{best['epoch']}; dev F1 is {best['dev_f1']:.2f} there and {last['dev_f1']:.2f} at the end."
    )
    caption = (
        f"Dashed: epoch {best['epoch']:g} of {last['epoch']:g}, where the dev loss is lowest ({best['eval_loss']:.2f}); its weights are "
        f"kept. At the end the training loss is {last['loss']:.2f} and the dev loss {last['eval_loss']:.2f}."
    )
    return Figure(figure, alt, caption)
