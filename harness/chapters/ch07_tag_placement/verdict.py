"""Predicates for the claims about the tagger (G2, G3); ``data/claims.yaml`` has the sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.benchmark.rows import BASES, select, system_name
from harness.publish.tables import f1_of
from harness.publish.verdicts import Found, claims, predicate

FAST = 5.0  # sentences a second that a laptop must reach: faster than anyone types


@predicate("G2")
def judge_placement(
    readings: Mapping[str, float],
    useless: Mapping[str, Mapping[str, float]],
    heldout: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    tagger: str,
    base: str,
) -> Found:
    """Judge G2: whether the tagger reaches the claimed share, under any reading of "placement".

    Parameters
    ----------
    readings : mapping
        Reading of "placement" -> share, for the tagger on the held-out sentences.
    useless : mapping
        The same for taggers that know nothing: name -> readings. A reading that one of them satisfies says nothing.
    heldout : mapping
        Placement report of the tagger on those sentences.
    rows : sequence
        Rows of the benchmark's result file: cross-validation of the note's own examples, and larger bases.
    tagger : str
        Name of the tagger.
    base : str
        Name of its base model, as in ``base_model``.
    """
    evidence = {
        "tagger": system_name({"tagger": tagger, "base_model": base}),
        "held-out micro-F1": f1_of(heldout["micro"]),
        "exact sentences": f"{heldout['exact_match']:.0%}",
    }
    for row in select(rows, "heldout", tagger=tagger):
        if (name := system_name(row["parameters"])) != tagger and row["parameters"]["base_model"] != base:
            evidence[f"held-out micro-F1, {name}"] = f1_of(row["figures"]["micro"])
    notes = [row for row in select(rows, "crossval", data="seed-examples", tagger=tagger) if "figures" in row]
    for row in notes:
        grouped = row["parameters"]["grouped"]
        split = "grouped" if grouped else "random"
        evidence[f"the note's own 98 windows, {split} folds"] = f1_of(row["figures"]["micro"])
        for name in ("rules", "logistic"):
            for other in select(rows, "crossval", data="seed-examples", tagger=name, grouped=grouped):
                evidence[f"the same, {split} folds, {name}"] = f1_of(other["figures"]["micro"])
    if not notes:
        evidence["the note's own 98 windows"] = "not run here (`harness data fetch seed-examples`)"
    claimed, _ = claims()["G2"].figures or (1.0, 1.0)
    above = [name for name, share in readings.items() if share >= claimed]
    hollow = [name for name in above if any(other[name] >= claimed for other in useless.values())]
    figures = {
        "claimed": claimed,
        "readings": len(readings),
        "above": "; ".join(above),
        "hollow": len(hollow),
        "base": BASES.get(base, base),
    }
    highest = [score["micro"]["f1_high"] or 0 for score in (heldout, *(row["figures"] for row in notes))]
    if max(highest) >= claimed:
        return Found("f1_reaches", evidence, figures)
    if hollow:
        return Found("readings_reach_hollow", evidence, figures)
    return Found("readings_reach" if above else "no_reading_reaches", evidence, figures)


@predicate("G3")
def judge_speed(
    decodings: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], machine: str, base: str
) -> Found:
    """Judge G3: whether tagging is fast on this machine.

    Parameters
    ----------
    decodings : sequence
        Rows of `harness.benchmark.decoding.compare_decodings`.
    rows : sequence
        Rows of the benchmark's result file.
    machine : str
        Description of the machine.
    base : str
        Name of the base model that was decoded, as in ``base_model``.
    """
    evidence = {
        f"{row['decoding']}, one sentence at a time": f"{row['sentences_per_second']['1']:,.1f} sentences/s"
        for row in decodings
        if "1" in row["sentences_per_second"]
    }
    for row in select(rows, "helsinki", tagger="lm_slots", base_model="smollm2", seed=0):
        if "sentences" not in row["parameters"]:
            speed = row["figures"]["sentences_per_second"]
            evidence[f"{system_name(row['parameters'])}, in batches"] = f"{speed:,.0f} sentences/s"
    evidence |= {"base": BASES.get(base, base), "machine": machine}
    slow = [row["decoding"] for row in decodings if row["sentences_per_second"].get("1", FAST) < FAST]
    figures = {"fast": FAST, "slow": " and ".join(slow), "base": BASES.get(base, base)}
    if slow:
        return Found("some_slow", evidence, figures)
    return Found("fast" if base == "gpt2" else "fast_other_base", evidence, figures)
