"""Predicates for the claims about training (P2, T1, T2); ``data/claims.yaml`` has the sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.chapters.ch04_training_higgs.curve import curve_numbers, ends_of_curve
from harness.chapters.ch04_training_higgs.small import CLIPS, small_numbers
from harness.publish.verdicts import Found, predicate

MAX_DIFFERENCE = 1e-4  # of logits, between a model in memory and the same model saved, merged and loaded again

Runs = Mapping[str, Mapping[str, Any]]


def works(run: Mapping[str, Any]) -> bool:
    """Return whether a training succeeded: the model reproduces the codes it was trained on, stops, and survives saving."""
    after = run["after"]
    return (
        all(one["equal"] == 1 and one["stopped"] for one in after)
        and any(one["equal"] < 1 for one in run["before"])
        and max(run["reload_difference"], run["merge_difference"]) < MAX_DIFFERENCE
    )


@predicate("T1")
def judge_effort(
    runs: Runs,
    effort: Sequence[Mapping[str, Any]],
    weights: str,
    command: str,
    small: Mapping[str, str],
    curve: Mapping[str, str],
) -> Found:
    """Judge T1: whether training is feasible, and what it needs.

    Parameters
    ----------
    runs : mapping
        Stack -> result of `harness.chapters.ch04_training_higgs.evidence.train_and_check`.
    effort : sequence
        From `.effort.effort`.
    weights : str
        Description of what was trained.
    command : str
        The command for real weights.
    small : mapping
        From `.small.small_numbers`.
    curve : mapping
        From `.curve.curve_numbers`.
    """
    good = [name for name, one in runs.items() if works(one)]
    lines = sum(row["lines"] for row in effort)
    loss = next(row["lines"] for row in effort if "loss" in row["need"])
    evidence = {
        "weights": weights,
        **{name: _shown(one) for name, one in runs.items()},
        **{f"{name}, training": f"{one['summary']['seconds']:.0f} s" for name, one in runs.items()},
        "lines of code": f"{lines:,}",
        "a small model, trained from random weights on speech": f"word error rate {small['small_wer']} on {small['small_sentences']} "
        f"unseen sentences; {small['small_hits']} of the tags realised, placebo {small['small_placebo']}",
        "LoRA on 98 tagged clips, on a small model that was taught plain speech": f"{curve['curve_98']} of the tags realised, "
        f"{curve['curve_none']} before, {curve['curve_shifted']} with the texts of other clips",
    }
    if not good:
        return Found("failed", evidence)
    figures = {"stacks": " and ".join(good), "lines": lines, "loss": loss, "weights": weights, "command": command}
    return Found("native_trained" if "native" in good else "trained", evidence, figures)


@predicate("P2")
def judge_lora(curve: Mapping[str, Any], small: Mapping[str, Any]) -> Found:
    """Judge P2 again, on a model that speaks: whether LoRA teaches it tags.

    Parameters
    ----------
    curve, small : mapping
        From `.curve.curve_result` and `.small.small_result`.
    """
    numbers = curve_numbers(curve)
    start, best = ends_of_curve(curve)
    evidence = {
        "weights": "a small model that speaks, taught plain speech only",
        f"LoRA on {best['examples']:,} tagged clips, {best['steps']:,} steps": f"{numbers['curve_most_hits']} of the tags realised on "
        f"unseen sentences, placebo {numbers['curve_most_placebo']}",
        "before": f"{numbers['curve_none']} of the tags",
        "control: LoRA on 98 clips with the texts of other clips": f"{numbers['curve_shifted']} of the tags",
    }
    figures = {"before": numbers["curve_none"], "after": numbers["curve_most_hits"], "examples": best["examples"], "steps": best["steps"],
               "placebo": numbers["curve_most_placebo"], "all": CLIPS, "full": small_numbers(small)["small_hits"]}  # fmt: skip
    return Found("small_obeys_more" if best["hits_low"] > start["hits_high"] else "small_unmoved", evidence, figures)


@predicate("T2")
def judge_trainer(runs: Runs, weights: str) -> Found:
    """Judge T2: whether `Trainer` can be used; parameters as for `judge_effort`."""
    good = [name for name, one in runs.items() if works(one)]
    shown = good or list(runs)
    evidence = {"weights": weights, **{name: _shown(runs[name]) for name in shown}}
    return Found("trained" if good else "failed", evidence, {"stacks": " and ".join(good)})


def _shown(run: Mapping[str, Any]) -> str:
    after = run["after"]
    equal = sum(row["equal"] for row in after) / len(after)
    return f"{equal:.0%} of the codes come back, {sum(row['stopped'] for row in after)} of {len(after)} samples stop"
