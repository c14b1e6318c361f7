"""Predicate for the advice of the note (E2); ``data/claims.yaml`` has the sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.publish.tables import verdict_on_difference
from harness.publish.verdicts import ClaimVerdict, Found, predicate

# The claims that the advice rests on, as the evidence names them.
_RESTS_ON = {"P2": "PEFT incompatible", "T1": "what training needs", "T2": "Trainer unusable", "H3": "the API's realisation",
             "H4": "the API's availability"}  # fmt: skip


@predicate("E2")
def judge_advice(
    found: Mapping[str, Sequence[tuple[str, ClaimVerdict]]], against_rules: Mapping[str, Any], base: str
) -> Found:
    """Judge E2, which rests on the other verdicts.

    Parameters
    ----------
    found : mapping
        From `harness.chapters.ch12_claims.ledger.load_verdicts`.
    against_rules : mapping
        ``value``, ``low`` and ``high``: micro-F1 of the trained tagger minus that of rules, from chapter 07.
    base : str
        Name of the tagger's base model.
    """
    last = {claim_id: verdicts[-1][1].verdict for claim_id, verdicts in found.items()}
    value, low, high = (against_rules[name] for name in ("value", "low", "high"))
    evidence: dict[str, Any] = {
        f"{base}: trained tagger minus rules, micro-F1": f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"
    }
    evidence |= {f"{claim_id}, {name}": last[claim_id] for claim_id, name in _RESTS_ON.items()}
    evidence |= {name: text for _, verdict in found.get("G2", ()) for name, text in verdict.evidence.items()
                 if "grouped folds" in name}  # fmt: skip
    evidence |= {f"{name}, small Higgs": text for _, verdict in found.get("P2", ()) for name, text in verdict.evidence.items()
                 if "tagged clips" in name}  # fmt: skip
    difference = verdict_on_difference(value, low, high, better="it is better", worse="it is worse")
    figures = {"base": base, "difference": difference, "H3": last["H3"], "H4": last["H4"]}
    ready = low > 0 and last["H3"] == last["H4"] == "reproduced"
    barred = last["P2"] == last["T1"] == last["T2"] == "reproduced"
    if ready:
        return Found("ready_and_barred" if barred else "ready_only", evidence, figures)
    if barred:
        return Found("barred_only", evidence, figures)
    asked = "not run here" not in (last["H3"], last["H4"])
    return Found("neither" if asked else "api_not_asked", evidence, figures)
