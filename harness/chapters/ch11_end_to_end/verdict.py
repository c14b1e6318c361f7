"""The verdicts on realisation (H3) and on the whole (E1), from a run of taggers and engines together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.chapters.ch11_end_to_end.tables import NOT_RUN, of_higgs, shown
from harness.engines.dialects import DIALECTS
from harness.experiment.joint import OVERALL, READINGS, REALISATION
from harness.experiment.result_files import ResultFile
from harness.publish.tables import interval, rate_of
from harness.publish.verdicts import Verdict, claims
from harness.tagged import TaggedText

Readings = Mapping[str, Sequence[float | None]]


def sayable(gold: Sequence[TaggedText], dialect: str = "higgs_v3") -> float:
    """Share of the reference's tags that a dialect can say at all: no engine behind it can realise more of them."""
    tags = sum(len(text.tags) for text in gold)
    lost = sum(len(DIALECTS[dialect].lost(text)) for text in gold)
    return 1 - lost / tags


def claimed(claim_id: str) -> tuple[float, float]:
    """The range that a claim names, in shares."""
    figures = claims()[claim_id].figures
    if figures is None:
        raise ValueError(f"claim {claim_id} names no figures")
    return figures


def arithmetic() -> dict[str, tuple[float, float]]:
    """What the note's own two ranges give together, by way of putting them together: (low, high) in shares."""
    (placed, _), (low, high) = claimed("G2"), claimed("H3")
    return {
        "product": (placed * low, placed * high),
        "mean": ((placed + low) / 2, (placed + high) / 2),
        "smaller of the two": (min(placed, low), min(placed, high)),
    }


def within(readings: Readings, family: str, span: tuple[float, float]) -> tuple[list[str], list[str]]:
    """The readings of one family that lie in a range, and those whose interval only touches it, in words."""
    low, high = span
    inside, touching = [], []
    for key, (value, least, most) in readings.items():
        if READINGS[key].family != family or value is None:
            continue
        if low <= value <= high:
            inside.append(READINGS[key].words)
        elif least is not None and most is not None and least <= high and most >= low:
            touching.append(READINGS[key].words)
    return inside, touching


def spoken_by_higgs(results: Mapping[str, ResultFile]) -> dict[str, Readings]:
    """Readings of the reference's tags as Higgs itself spoke them elsewhere: engine and date -> readings."""
    return {
        f"{engine}, {result.provenance.date}": result.engines[engine].end_to_end["gold"].readings
        for result in results.values()
        if result.spoken == "heldout"
        for engine in of_higgs(result)
        if "gold" in result.engines[engine].end_to_end
    }


def judge_realised(
    obeys: Readings,
    ignores: Readings | None,
    gold: Sequence[TaggedText],
    results: Mapping[str, ResultFile],
    leak: Mapping[str, Any] | None = None,
) -> Verdict:
    """The verdict on H3.

    Parameters
    ----------
    obeys, ignores : readings
        Of the reference's tags by an engine that is told them, and by a voice that is not told them, or None.
    gold : sequence of TaggedText
        The reference.
    results : mapping
        From `harness.experiment.result_files.load_results`.
    leak : mapping, optional
        ``leak`` of the control run: how many tags that were read aloud the score finds.
    """
    low, high = claimed("H3")
    evidence: dict[str, Any] = {"hit rate of the engine of this page, which is told the tags": shown(obeys["hit rate"])}
    if ignores is not None:
        evidence["hit rate of a voice that is not told"] = shown(ignores["hit rate"])
    evidence["reference tags that today's documented control tags can say (no bound for 2025)"] = f"{sayable(gold):.0%}"
    if leak is not None:
        evidence["tags read aloud that the score finds, control run"] = interval(*rate_of(leak, "found"))
    measured = spoken_by_higgs(results)
    if not measured:
        reason, command = NOT_RUN["openai_speech"]
        return Verdict(
            "H3",
            "not run here",
            f"There was {reason}. Below is what the score gives an engine that obeys and one that is not told. "
            f"Run it with `{command}`.",
            evidence,
        )
    inside = {engine: within(readings, REALISATION, (low, high))[0] for engine, readings in measured.items()}
    evidence |= {f"hit rate of {engine}": shown(readings["hit rate"]) for engine, readings in measured.items()}
    everywhere = [words for words in next(iter(inside.values())) if all(words in found for found in inside.values())]
    total = sum(reading.family == REALISATION for reading in READINGS.values())
    if not any(inside.values()):
        return Verdict("H3", "refuted", f"None of {total} readings lies in {low:.0%} to {high:.0%}.", evidence)
    if len(everywhere) == total:
        return Verdict("H3", "reproduced", f"All {total} readings lie in {low:.0%} to {high:.0%}.", evidence)
    listed = "; ".join(f"{engine}: {', '.join(found) or 'none'}" for engine, found in inside.items())
    return Verdict("H3", "depends on the reading", f"Readings that lie in {low:.0%} to {high:.0%}: {listed}.", evidence)


def judge_overall(columns: Mapping[str, Readings], tagger: str, results: Mapping[str, ResultFile]) -> Verdict:
    """The verdict on E1.

    Parameters
    ----------
    columns : mapping
        What is shown -> readings. `tagger`'s, with an engine that is told every tag, comes first.
    tagger : str
        Its name in words.
    results : mapping
        From elsewhere.
    """
    low, high = span = claimed("E1")
    sums = {way: f"{a:.1%} to {b:.1%}" for way, (a, b) in arithmetic().items()}
    near = [way for way, (a, b) in arithmetic().items() if a <= high and b >= low]
    first, *others = columns
    found = {name: within(readings, OVERALL, span) for name, readings in columns.items()}
    inside, touching = found[first]
    evidence: dict[str, Any] = {f"the note's own figures, {way}": text for way, text in sums.items()}
    evidence[f"{first}: tags placed and heard"] = shown(columns[first]["joint recall"])
    for name in columns:
        evidence[f"{name}: mean of recall and hit rate"] = shown(columns[name]["mean"])
    total = sum(reading.family == OVERALL for reading in READINGS.values())
    api = "" if spoken_by_higgs(results) else " The API itself is not run here."
    if not inside:
        text = (
            f"Under none of {total} readings does {tagger} come to {low:.0%} to {high:.0%}, with an engine that is told every "
            f"tag.{api}"
        )
        return Verdict("E1", "refuted", text, evidence)
    also = {name: [words for words in (*found[name][0], *found[name][1]) if words in inside] for name in others}
    shared = "; ".join(f"{name} ({', '.join(words)})" for name, words in also.items() if words)
    return Verdict(
        "E1",
        "depends on the reading",
        f"From the note's own figures {low:.0%} to {high:.0%} is reached as: {' or '.join(near) or 'nothing'}. They give "
        f"{'; '.join(f'{way} {text}' for way, text in sums.items())}. "
        f"Here, with an engine that is told every tag, {len(inside)} of {total} readings {'lies' if len(inside) == 1 else 'lie'} "
        f"in it: {'; '.join(inside)}. "
        + (f"The intervals of {len(touching)} more touch it. " if touching else "")
        + (f"Under the same reading it is reached, or touched, by: {shared}. " if shared else "")
        + "A mean gives half to a tagger that is never right, or to an engine that does nothing, if the other half is perfect."
        + api,
        evidence,
    )
