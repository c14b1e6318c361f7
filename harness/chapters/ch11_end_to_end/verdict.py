"""Predicates for the claims about realisation (H3) and overall quality (E1); ``data/claims.yaml`` has the sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.chapters.ch11_end_to_end.tables import NOT_RUN, of_higgs, shown
from harness.engines.dialects import DIALECTS
from harness.experiment.joint import OVERALL, READINGS, REALISATION
from harness.experiment.result_files import ResultFile
from harness.prosody.rates import AT_PUNCTUATION, AWAY
from harness.publish.tables import interval, rate_of
from harness.publish.verdicts import Found, claims, predicate
from harness.tagged import TaggedText

Readings = Mapping[str, Sequence[float | None]]


def sayable(gold: Sequence[TaggedText], dialect: str = "higgs_v3") -> float:
    """Return the share of the reference's tags that a dialect can express: no engine behind it can realise more."""
    tags = sum(len(text.tags) for text in gold)
    lost = sum(len(DIALECTS[dialect].lost(text)) for text in gold)
    return 1 - lost / tags


def claimed(claim_id: str) -> tuple[float, float]:
    """Return the range of shares that a claim names.

    Raises
    ------
    ValueError
        If the claim names no figures.
    """
    figures = claims()[claim_id].figures
    if figures is None:
        raise ValueError(f"claim {claim_id} names no figures")
    return figures


def arithmetic() -> dict[str, tuple[float, float]]:
    """Return the overall range, (low, high), that the note's own two figures give under each way of combining them."""
    (placed, _), (low, high) = claimed("G2"), claimed("H3")
    return {
        "product": (placed * low, placed * high),
        "mean": ((placed + low) / 2, (placed + high) / 2),
        "smaller of the two": (min(placed, low), min(placed, high)),
    }


def within(readings: Readings, family: str, span: tuple[float, float]) -> tuple[list[str], list[str]]:
    """Return the names of a family's readings inside a range, and of those whose interval only touches it."""
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
    """Return the readings of the reference's tags as Higgs itself spoke them elsewhere: engine and date -> readings."""
    return {
        f"{engine}, {result.provenance.date}": result.engines[engine].end_to_end["gold"].readings
        for result in results.values()
        if result.spoken == "heldout"
        for engine in of_higgs(result)
        if "gold" in result.engines[engine].end_to_end
    }


def told_by(per_tag: Mapping[str, Mapping[str, Any]]) -> str:
    """Describe an engine by the kinds of tag that it was told, from ``per_tag`` of its summary.

    >>> told_by({"<emph>": {"n": 3, "not_expressible": 0}, "<pause_long>": {"n": 0, "not_expressible": 2}})
    'an engine that can express 1 of 2 kinds of tag'
    """
    told = sum(row["n"] > 0 for row in per_tag.values())
    if told == len(per_tag) and not any(row["not_expressible"] for row in per_tag.values()):
        return "an engine that gets every tag"
    return f"an engine that can express {told} of {len(per_tag)} kinds of tag"


def where_lost(readings: Readings, per_tag: Mapping[str, Mapping[str, Any]]) -> str:
    """Return sentences about the stage that loses the reference's tags, and about pauses at punctuation.

    Parameters
    ----------
    readings : readings
        Of the tagger's tags with the engine of the page.
    per_tag : mapping
        Realisation of the reference's tags by the engine, from `harness.prosody.rates.per_tag`.
    """
    recall, heard = readings["recall"][0] or 0.0, readings["joint recall, strict"][0] or 0.0
    placement, realisation = 1 - recall, recall - heard
    where = "equally often in both stages"
    if placement != realisation:
        where = "mostly in placement" if placement > realisation else "mostly in realisation"
    lost = (
        f"Of the reference's tags, {placement:.0%} were not placed, and {realisation:.0%} were placed but not heard: they were not "
        f"detected, or the engine cannot express such a tag." + (f" So tags are lost {where}." if heard < 1 else "")
    )
    counts = {
        place: [sum(row["places"][place][name] for row in per_tag.values() if place in row.get("places", {}))
                for name in ("hit", "n")]
        for place in (AT_PUNCTUATION, AWAY)
    }  # fmt: skip
    shares = [f"{hit} of {n} {place}" for place, (hit, n) in counts.items() if n]
    if not shares:
        return lost
    return (
        f"{lost} A pause counts as heard only if it adds silence to the engine's plain reading, which may already pause at punctuation. "
        f"The detector found {' and '.join(shares)}."
    )


@predicate("H3")
def judge_realised(
    obeys: Readings,
    ignores: Readings | None,
    gold: Sequence[TaggedText],
    results: Mapping[str, ResultFile],
    leak: Mapping[str, Any] | None = None,
) -> Found:
    """Judge H3: how many tags the API realises.

    Parameters
    ----------
    obeys : readings
        Readings of the reference's tags from the engine of the page.
    ignores : readings, optional
        The same from a voice that is not told them.
    gold : sequence of TaggedText
        The reference.
    results : mapping
        From `harness.experiment.result_files.load_results`.
    leak : mapping, optional
        ``leak`` of the control run: how many tags that were read aloud the score finds.
    """
    span = low, high = claimed("H3")
    evidence: dict[str, Any] = {"hit rate of the engine of this page": shown(obeys["hit rate"])}
    if ignores is not None:
        evidence["hit rate of a voice that gets no tags"] = shown(ignores["hit rate"])
    evidence["reference tags that today's documented control tags can express (no bound for 2025)"] = (
        f"{sayable(gold):.0%}"
    )
    if leak is not None:
        evidence["tags read aloud that the score finds, control run"] = interval(*rate_of(leak, "found"))
    measured = spoken_by_higgs(results)
    if not measured:
        reason, command = NOT_RUN["openai_speech"]
        return Found("not_run", evidence, {"reason": reason, "command": command})
    inside = {engine: within(readings, REALISATION, span)[0] for engine, readings in measured.items()}
    evidence |= {f"hit rate of {engine}": shown(readings["hit rate"]) for engine, readings in measured.items()}
    total = sum(reading.family == REALISATION for reading in READINGS.values())
    listed = "; ".join(f"{engine}: {', '.join(found) or 'none'}" for engine, found in inside.items())
    figures = {"total": total, "low": low, "high": high, "listed": listed}
    if not any(inside.values()):
        return Found("no_reading", evidence, figures)
    everywhere = all(len(found) == total for found in inside.values())
    return Found("all_readings" if everywhere else "some_readings", evidence, figures)


@predicate("E1")
def judge_overall(
    columns: Mapping[str, Readings],
    tagger: str,
    results: Mapping[str, ResultFile],
    told: str = "an engine that gets every tag",
) -> Found:
    """Judge E1: whether tagger and API together reach the claimed overall quality.

    Parameters
    ----------
    columns : mapping
        System -> readings. The first is `tagger` with the engine of the page.
    tagger : str
        Name of the tagger.
    results : mapping
        Results from elsewhere, from `harness.experiment.result_files.load_results`.
    told : str
        What the engine of the page is told, from `told_by`.
    """
    span = low, high = claimed("E1")
    found = {name: within(readings, OVERALL, span) for name, readings in columns.items()}
    first, *others = columns
    inside, touching = found[first]
    evidence: dict[str, Any] = {
        f"the note's own figures, {way}": f"{a:.1%} to {b:.1%}" for way, (a, b) in arithmetic().items()
    }
    evidence[f"{first}: joint recall"] = shown(columns[first]["joint recall"])
    for name in columns:
        evidence[f"{name}: mean of recall and hit rate"] = shown(columns[name]["mean"])
    if touching:
        evidence[f"{first}: readings whose interval only touches the range"] = str(len(touching))
    for name in others:
        if also := [words for words in (*found[name][0], *found[name][1]) if words in inside]:
            evidence[f"{name}: reaches or touches it as well"] = ", ".join(also)
    figures = {
        "low": low,
        "high": high,
        "tagger": tagger,
        "told": told,
        "total": sum(reading.family == OVERALL for reading in READINGS.values()),
        "inside": "; ".join(inside),
        "near": " or ".join(way for way, (a, b) in arithmetic().items() if a <= high and b >= low) or "none of these",
    }
    asked = bool(spoken_by_higgs(results))
    if inside:
        return Found("some_readings" if asked else "some_readings_without_api", evidence, figures)
    return Found("no_reading" if asked else "no_reading_without_api", evidence, figures)
