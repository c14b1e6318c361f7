"""Predicate for the claim about the standard training (G1); ``data/claims.yaml`` has the sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.benchmark.rows import BASES, TAGS_FROZEN, ablation_name, select
from harness.publish.tables import f1_of
from harness.publish.verdicts import Found, predicate


@predicate("G1")
def judge_standard_training(summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Found:
    """Judge G1: whether the standard parts train the tagger.

    Parameters
    ----------
    summary : mapping
        Summary of the trained tagger, from `harness.taggers.gpt2.training.read_summary`.
    rows : sequence
        Rows of the benchmark's result file, for the F1 with the embeddings of the tags frozen.
    """
    history = summary["history"]
    best = min(history, key=lambda row: row["eval_loss"])
    base = BASES.get(summary["config"]["base_model"], summary["config"]["base_model"])
    evidence = {
        "base": base,
        "trainable parameters": f"{summary['parameters']['trainable']:,} of {summary['parameters']['all']:,}",
        "adapter": f"{summary['adapter_bytes'] / 1000:.0f} kB",
        "dev loss": f"{history[0]['eval_loss']:.2f} after the first epoch, {best['eval_loss']:.2f} after the best",
    }
    for row in select(rows, "ablation"):
        if (name := ablation_name(row["parameters"]["settings"])) in (ablation_name({}), TAGS_FROZEN):
            evidence[f"micro-F1 in five folds, {name}"] = f1_of(row["figures"]["tuned"])
    if best["eval_loss"] >= history[0]["eval_loss"]:
        return Found("loss_never_fell", evidence)
    return Found("trains" if base == "gpt2" else "trains_other_base", evidence, {"base": base})
