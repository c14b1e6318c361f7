"""The verdicts on the claims about the tagger (G2, G3), from executed runs and result files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from harness.benchmark.rows import BASES, select, system_name
from harness.publish.tables import f1_of, interval
from harness.publish.verdicts import Verdict, claims

FAST = 5.0  # sentences a second that a laptop must reach: faster than anybody types


def judge_placement(
    readings: Mapping[str, float],
    useless: Mapping[str, Mapping[str, float]],
    heldout: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    tagger: str,
    base: str,
) -> Verdict:
    """The verdict on G2.

    Parameters
    ----------
    readings : mapping
        Reading of "placement" -> share, for the tagger on the held-out sentences.
    useless : mapping
        The same for taggers that know nothing: name -> readings. A reading under which one of them comes as far says nothing.
    heldout : mapping
        Placement report of the tagger on them.
    rows : sequence
        Of the benchmark's result file: cross-validation of the hackathon's own examples, and larger bases.
    tagger : str
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
    theirs = [row for row in select(rows, "crossval", data="seed-examples", tagger=tagger) if "figures" in row]
    for row in theirs:
        split = "grouped" if row["parameters"]["grouped"] else "random"
        evidence[f"the note's own 98 windows, {split} folds"] = f1_of(row["figures"]["micro"])
        for name in ("rules", "logistic"):
            for other in select(
                rows, "crossval", data="seed-examples", tagger=name, grouped=row["parameters"]["grouped"]
            ):
                evidence[f"the same, {split} folds, {name}"] = f1_of(other["figures"]["micro"])
    if not theirs:
        evidence["the note's own 98 windows"] = "not run here (`harness data fetch seed-examples`)"
    claimed, _ = claims()["G2"].figures or (1.0, 1.0)
    best = [heldout["micro"]["f1_high"] or 0, *(row["figures"]["micro"]["f1_high"] or 0 for row in theirs)]
    above = [name for name, share in readings.items() if share >= claimed]
    if max(best) >= claimed:
        return Verdict("G2", "reproduced, but", "F1 comes to 85 % within its interval on one of the sets.", evidence)
    hollow = {name: [who for who, theirs in useless.items() if theirs[name] >= claimed] for name in above}
    empty = "".join(
        f"Under '{name}' so {'does' if len(who) == 1 else 'do'} {' and '.join(who)}. "
        for name, who in hollow.items()
        if who
    )
    elsewhere = "" if base == "gpt2" else "The team's own model, `gpt2` with 124 million parameters, is not run here."
    if above:
        return Verdict(
            "G2",
            "depends on the reading",
            f"F1 does not come near 85 %, on our examples or on the note's own. Of {len(readings)} readings, {len(above)} come to 85 % "
            f"or more: {'; '.join(above)}. {empty}{elsewhere}",
            evidence,
        )
    return Verdict("G2", "refuted", f"Under no reading does it come to 85 %. {elsewhere}".strip(), evidence)


def judge_speed(
    decodings: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], machine: str, base: str
) -> Verdict:
    """The verdict on G3.

    Parameters
    ----------
    decodings : sequence
        From `harness.benchmark.decoding.compare_decodings`.
    rows : sequence
        Of the benchmark's result file.
    machine : str
        Where it ran, in words.
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
    verdict = "reproduced" if base == "gpt2" and not slow else "reproduced, but"
    reading = "It runs on a processor. " + (
        f"Reading slots is fast; {' and '.join(slow)} stay below {FAST:.0f} sentences a second." if slow
        else f"All ways of decoding give at least {FAST:.0f} sentences a second, which is this book's idea of fast: nobody types as much."
    )  # fmt: skip
    small = "" if base == "gpt2" else f" But the base here is {BASES.get(base, base)}; the real `gpt2` is not run here."
    return Verdict("G3", verdict, f"{reading}{small}", evidence)


def speed_words(decodings: Sequence[Mapping[str, Any]]) -> str:
    """How much faster reading is than free writing, in two sentences."""
    speeds = {row["decoding"]: row["sentences_per_second"] for row in decodings}
    ratios = " and ".join(
        f"{speeds['slots'][size] / speeds['generate'][size]:.1f} times at batch {size}" for size in speeds["slots"]
    )
    return (
        f"Reading is faster than writing freely: {ratios}. The gap comes from tokens that are written one after the other, "
        "so it grows with the length of the sentence. These have about a dozen words, and writing keeps its keys and values."
    )


def curve_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """Who is ahead on the corpus, by number of training sentences, in a sentence."""
    sizes: dict[int, list[tuple[float, str]]] = defaultdict(list)
    for row in select(rows, "helsinki", seed=0):
        if "sentences" in row["parameters"]:
            name = system_name(row["parameters"])
            sizes[row["figures"]["sentences"]].append((row["figures"]["accuracy_3way"], name))
    ahead = "; ".join(
        f"{size:,}: {name} ({share:.1%})" for size, (share, name) in ((n, max(sizes[n])) for n in sorted(sizes))
    )
    return f"Highest 3-way accuracy by number of sentences, one seed each, so that differences of a point mean little: {ahead}."


def agreement_words(figures: Mapping[str, Any]) -> str:
    """How well two readers agree, in a sentence."""
    pairs = figures["pairs"]
    if not pairs:
        return "No two readers of the corpus share a text."
    words = sum(pair["words"] for pair in pairs)
    shown = {name: interval(*figures[name]) for name in ("accuracy_2way", "accuracy_3way", "emph_f1")}
    return (
        f"Two readers of the same {words:,} words agree in {shown['accuracy_2way']} of them on whether a word is prominent, in "
        f"{shown['accuracy_3way']} on how much, and one scored against the other has emph F1 {shown['emph_f1']}."
    )
