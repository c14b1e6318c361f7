"""The verdicts on the claims about training (T1, T2), from executed runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.publish.verdicts import Verdict


def works(evidence: Mapping[str, Any]) -> bool:
    """Whether a training did all that was asked: what was taught comes back, it stops, and what is saved is what was trained."""
    after = evidence["after"]
    return (
        all(one["equal"] == 1 and one["stopped"] for one in after)
        and any(one["equal"] < 1 for one in evidence["before"])
        and max(evidence["reload_difference"], evidence["merge_difference"]) < MAX_DIFFERENCE
    )


MAX_DIFFERENCE = 1e-4  # of logits, between a model in memory and the same model saved, merged and loaded


def judge_training(
    runs: Mapping[str, Mapping[str, Any]], effort: Sequence[Mapping[str, Any]], weights: str, command: str
) -> list[Verdict]:
    """The verdicts on T1 and T2.

    Parameters
    ----------
    runs : mapping
        Stack -> what `harness.chapters.ch04_training_higgs.evidence.train_and_check` returned.
    effort : sequence
        From `.effort.effort`.
    weights : str
        What was trained, in words.
    command : str
        What runs it on real weights.
    """
    good = [name for name, one in runs.items() if works(one)]
    lines = sum(row["lines"] for row in effort)
    loss = next(row["lines"] for row in effort if "loss" in row["need"])
    shown = {name: f"{_share(one)} of the codes come back, {_stops(one)} samples stop" for name, one in runs.items()}
    seconds = {f"{name}, training": f"{one['summary']['seconds']:.0f} s" for name, one in runs.items()}
    evidence = {"weights": weights, **shown, **seconds, "lines of code": f"{lines:,}"}
    if not good:
        return [
            Verdict(claim, "reproduced", "No training here did what was asked of it.", evidence)
            for claim in ("T1", "T2")
        ]
    spared = "No loop was written: transformers' `Trainer` has one" + (
        ", and with `native` not even the package is needed." if "native" in good else "."
    )
    reading = (
        f"The training works, with {' and '.join(good)}, with a loss and checkpoints of its own, as the note says. It took {lines:,} "
        f"lines of code here, {loss} of them the loss. But 'infeasible' does not follow. {spared} This was {weights}: the same "
        f"command on real weights is not run here (`{command}`)."
    )
    plain = (
        "As it comes it cannot: it counts no labels of the audio, or weighs them wrongly (the traps of this page). With a `compute_loss`, "
        "a collator and a count of labels that fit, which are the ways in which it is meant to be extended, it trains "
        f"{'both stacks' if len(good) == 2 else good[0]}."
    )
    trainer = {"weights": weights, **{name: shown[name] for name in good}}
    return [
        Verdict("T1", "reproduced, but", reading, evidence),
        Verdict("T2", "depends on what standard means", plain, trainer),
    ]


def _share(one: Mapping[str, Any]) -> str:
    return f"{sum(row['equal'] for row in one['after']) / len(one['after']):.0%}"


def _stops(one: Mapping[str, Any]) -> str:
    return f"{sum(row['stopped'] for row in one['after'])} of {len(one['after'])}"
