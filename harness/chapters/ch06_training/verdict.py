"""The verdict on the standard training (G1), from an executed run and result files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.benchmark.rows import BASES, TAGS_FROZEN, ablation_name, select
from harness.publish.tables import f1_of
from harness.publish.verdicts import Verdict


def judge_standard_training(summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """The verdict on G1.

    Parameters
    ----------
    summary : mapping
        Of the trained tagger, as `harness.taggers.gpt2.training.summary` gives it.
    rows : sequence
        Of the benchmark's result file: what the tagger is worth with the embeddings of the tags frozen.
    """
    history = summary["history"]
    best = min(history, key=lambda row: row["eval_loss"])
    base = summary["config"]["base_model"]
    evidence = {
        "base": BASES.get(base, base),
        "trainable parameters": f"{summary['parameters']['trainable']:,} of {summary['parameters']['all']:,}",
        "adapter": f"{summary['adapter_bytes'] / 1000:.0f} kB",
        "dev loss": f"{history[0]['eval_loss']:.2f} after the first epoch, {best['eval_loss']:.2f} after the best",
    }
    for row in select(rows, "ablation"):
        if (name := ablation_name(row["parameters"]["settings"])) in (ablation_name({}), TAGS_FROZEN):
            evidence[f"micro-F1 in five folds, {name}"] = f1_of(row["figures"]["tuned"])
    learned = best["eval_loss"] < history[0]["eval_loss"]
    if not learned:
        return Verdict("G1", "refuted", "The standard parts run, but the dev loss never fell.", evidence)
    return Verdict(
        "G1",
        "reproduced, but",
        "The four parts work together. But LoRA on the layers alone leaves the embeddings of the new tags as they are: they have to be "
        "trained too (`trainable_token_indices`). And the tagger of this page has a loss of its own, because it answers questions at slots "
        "instead of writing."
        + ("" if base == "gpt2" else f" This was {BASES.get(base, base)}; the real `gpt2` is not run here."),
        evidence,
    )
