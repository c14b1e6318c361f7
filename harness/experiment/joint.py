"""Placement and realisation together: what became of the reference tags after a tagger, an engine and the detectors.

Each sentence has one row of counts, for what the tagger did and for what was heard, so one bootstrap over sentences covers the
uncertainty of both. Every figure is a statistic of the same totals. `READINGS` are the reasonable ways to read "85 % placement",
"30-50 % of the tags" and "60-70 % overall".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.placement import carry_over
from harness.prosody.rates import COUNTED, MEASURED
from harness.records import Arm, Outcome, Verdict
from harness.stats import ClusterBootstrap, Interval, number, ratio
from harness.tagged import TAGS, Tag, TaggedText

_SENTENCE = (
    "sentences", "gold", "placed", "right", "gold_slots", "any_tag", "slots", "agree", "some_tag", "some_right", "exact",
    "asked", "counted", "measured", "hits", "placebos", "placebo_hits", "speaking", "some_heard", "all_heard",
    "wanted", "spoken", "heard", "some_right_heard", "whole",
)  # fmt: skip
_PER_TAG = ("gold", "right", "measured", "hits", "wanted", "heard")
_COLUMN = {
    name: k for k, name in enumerate((*_SENTENCE, *(f"{name} {tag.value}" for tag in TAGS for name in _PER_TAG)))
}

Totals = NDArray[np.float64]
PLACEMENT, REALISATION, OVERALL = "placement", "realisation", "overall"


@dataclass(frozen=True)
class Reading:
    """One way to read a percentage: `of` maps totals (..., columns) to values (...).

    A weighted sum of rates lists them in `parts`, so that it has an interval even if all sentences agree.
    """

    family: str
    words: str
    of: Callable[[Totals], Totals]
    parts: tuple[tuple[float, Callable[[Totals], Totals]], ...] = ()


def _sum(family: str, words: str, *parts: tuple[float, Callable[[Totals], Totals]]) -> Reading:
    return Reading(family, words, lambda total: sum((w * of(total) for w, of in parts), np.zeros(())), parts)


def _of(numerator: str, denominator: str) -> Callable[[Totals], Totals]:
    top, bottom = _COLUMN[numerator], _COLUMN[denominator]
    return lambda total: ratio(total[..., top], total[..., bottom])


def _f1(both: str, wanted: str, placed: str) -> Callable[[Totals], Totals]:
    k, w, p = _COLUMN[both], _COLUMN[wanted], _COLUMN[placed]
    return lambda total: ratio(2 * total[..., k], total[..., w] + total[..., p])


def _mean_over_tags(total: Totals) -> Totals:
    rates = np.stack([_of(f"hits {tag.value}", f"measured {tag.value}")(total) for tag in TAGS], axis=-1)
    known = np.isfinite(rates)
    return ratio(np.where(known, rates, 0).sum(axis=-1), known.sum(axis=-1))


_recall, _precision, _placed_f1 = _of("right", "gold"), _of("right", "placed"), _f1("right", "gold", "placed")
_hit_rate, _placebo_rate = _of("hits", "measured"), _of("placebo_hits", "placebos")

READINGS: dict[str, Reading] = {
    # in the order of the tables
    "some tag": Reading(PLACEMENT, "the output holds at least one tag", _of("some_tag", "sentences")),
    "some right tag": Reading(PLACEMENT, "the output holds at least one right tag", _of("some_right", "sentences")),
    "slots agree": Reading(PLACEMENT, "slots on which output and reference agree, empty ones included", _of("agree", "slots")),
    "any tag": Reading(PLACEMENT, "reference slots that got some tag, whichever", _of("any_tag", "gold_slots")),
    "precision": Reading(PLACEMENT, "placed tags that are right (precision)", _precision),
    "recall": Reading(PLACEMENT, "reference tags that were found (recall)", _recall),
    "f1": Reading(PLACEMENT, "micro F1", _placed_f1),
    "exact": Reading(PLACEMENT, "whole sentences right", _of("exact", "sentences")),
    "hit rate": Reading(REALISATION, "hits among measurable tags (hit rate)", _hit_rate),
    "hits counted": Reading(REALISATION, "hits among all tags sent, unmeasurable ones as failures", _of("hits", "counted")),
    "hits asked": Reading(
        REALISATION, "hits among all tags asked for, including those the engine cannot express", _of("hits", "asked")
    ),
    "above placebo": _sum(REALISATION, "hit rate minus placebo rate", (1, _hit_rate), (-1, _placebo_rate)),
    "over tags": Reading(REALISATION, "hit rate, mean over the kinds of tag", _mean_over_tags),
    "some heard": Reading(REALISATION, "sentences in which at least one tag is heard", _of("some_heard", "speaking")),
    "all heard": Reading(REALISATION, "sentences in which all tags are heard", _of("all_heard", "speaking")),
    "joint recall": Reading(OVERALL, "reference tags placed and heard (joint recall)", _of("heard", "wanted")),
    "joint recall, strict": Reading(
        OVERALL, "joint recall, with tags that the engine cannot express as failures", _of("heard", "gold")
    ),
    "joint precision": Reading(OVERALL, "spoken tags right and heard (joint precision)", _of("heard", "spoken")),
    "joint f1": Reading(OVERALL, "F1 of the two (joint F1)", _f1("heard", "wanted", "spoken")),
    "product": Reading(OVERALL, "recall times hit rate", lambda t: _recall(t) * _hit_rate(t)),
    "mean": _sum(OVERALL, "mean of recall and hit rate", (0.5, _recall), (0.5, _hit_rate)),
    "mean of f1": _sum(OVERALL, "mean of micro F1 and hit rate", (0.5, _placed_f1), (0.5, _hit_rate)),
    "minimum": Reading(OVERALL, "the smaller of recall and hit rate", lambda t: np.minimum(_recall(t), _hit_rate(t))),
    "some right heard": Reading(
        OVERALL, "sentences with at least one tag right and heard", _of("some_right_heard", "sentences")
    ),
    "whole": Reading(OVERALL, "sentences with all tags right, none too many, and all heard", _of("whole", "sentences")),
}  # fmt: skip


def measurable_tags(outcomes: Iterable[Outcome]) -> set[Tag]:
    """Return the tags that an engine can be told and the detectors can judge: those with a verdict from any tagger."""
    return {o.tag for o in outcomes if o.arm is Arm.TAGGED and o.verdict in MEASURED}


def count(
    gold: Sequence[TaggedText],
    predicted: Sequence[TaggedText],
    outcomes: Sequence[Sequence[Outcome]],
    measurable: Collection[Tag],
) -> Totals:
    """Count what happened in each sentence; rows can be summed.

    Parameters
    ----------
    gold, predicted : sequences of TaggedText
        Reference and the tagger's text of each sentence.
    outcomes : sequence of sequences of Outcome
        Outcomes of each sentence by one engine, for the tagger's tags and their placebos.
    measurable : collection of Tag
        `measurable_tags` of all taggers together, so that a tagger which never places a difficult tag still answers for it.

    Returns
    -------
    array of shape (sentences, columns)
        ``wanted`` and ``spoken`` exclude tags that the engine's dialect or the detectors cannot handle at all, and single tags
        that could not be measured; ``gold`` and ``asked`` exclude nothing.
    """
    counts = np.zeros((len(gold), len(_COLUMN)))
    for row, (reference, guess, heard) in enumerate(zip(gold, predicted, outcomes, strict=True)):
        for name, value in _sentence(reference, guess, heard, measurable).items():
            counts[row, _COLUMN[name]] = value
    return counts


def _sentence(
    reference: TaggedText, guess: TaggedText, outcomes: Sequence[Outcome], measurable: Collection[Tag]
) -> dict[str, float]:
    preserved = guess.words == reference.words
    moved = guess.tags if preserved else carry_over(guess, reference.words)
    onto = dict(zip(guess.tags, moved, strict=True))  # a verdict names a slot of the spoken text
    wanted, placed = set(reference.tags), set(moved)
    right, exact = wanted & placed, preserved and wanted == placed
    tagged = [o for o in outcomes if o.arm is Arm.TAGGED]
    placebos = [o for o in outcomes if o.arm is Arm.PLACEBO and o.verdict in MEASURED]
    verdicts = {onto.get((o.slot, o.tag), (o.slot, o.tag)): o.verdict for o in tagged}
    hits = {place for place, verdict in verdicts.items() if verdict is Verdict.HIT}
    measured = {place for place, verdict in verdicts.items() if verdict in MEASURED}
    lost = placed - measured
    could = {place for place in wanted if place[1] in measurable} - lost
    spoken = {place for place in placed if place[1] in measurable} - lost
    slots = range(len(reference.words) + 1)
    wanted_at, placed_at = _by_slot(wanted), _by_slot(placed)
    figures: dict[str, float] = {
        "sentences": 1, "gold": len(wanted), "placed": len(placed), "right": len(right),
        "gold_slots": len(wanted_at.keys()), "any_tag": len(wanted_at.keys() & placed_at.keys()), "slots": len(slots),
        "agree": sum(wanted_at.get(slot) == placed_at.get(slot) for slot in slots),
        "some_tag": bool(placed), "some_right": bool(right), "exact": exact,
        "asked": len(tagged), "counted": sum(o.verdict in COUNTED for o in tagged), "measured": len(measured), "hits": len(hits),
        "placebos": len(placebos), "placebo_hits": sum(o.verdict is Verdict.HIT for o in placebos),
        "speaking": bool(measured), "some_heard": bool(hits), "all_heard": bool(measured) and hits == measured,
        "wanted": len(could), "spoken": len(spoken), "heard": len(could & hits), "some_right_heard": bool(right & hits),
        "whole": exact and wanted <= hits,
    }  # fmt: skip
    per_tag = {
        "gold": wanted,
        "right": right,
        "measured": measured,
        "hits": hits,
        "wanted": could,
        "heard": could & hits,
    }
    for tag in TAGS:
        figures |= {f"{name} {tag.value}": sum(t is tag for _, t in places) for name, places in per_tag.items()}
    return figures


def end_to_end(counts: Totals, clusters: Sequence[str]) -> dict[str, Any]:
    """Return all figures of one tagger with one engine.

    Parameters
    ----------
    counts : array
        Result of `count`.
    clusters : sequence of str
        Units to resample, one for each row: sentences, or the groups that they belong to.

    Returns
    -------
    dict
        ``reference`` and ``spoken``, the numbers of tags that could be heard at all; ``recall``, ``precision`` and ``f1`` of tags
        both right and heard, each with ``_low`` and ``_high``; ``readings``, from a key of `READINGS` to [value, low, high];
        ``per_tag`` with ``placement`` (recall), ``realisation`` (hit rate) and ``both``.
    """
    bootstrap = ClusterBootstrap(clusters, counts)
    total = bootstrap.total
    readings = {name: _triple(_interval(bootstrap, reading)) for name, reading in READINGS.items()}
    figures: dict[str, Any] = {
        "tags": sorted(tag.value for tag in TAGS if total[_COLUMN[f"measured {tag.value}"]]),
        "reference": int(total[_COLUMN["wanted"]]), "spoken": int(total[_COLUMN["spoken"]]),
    }  # fmt: skip
    for name in ("recall", "precision", "f1"):
        value, low, high = readings[f"joint {name}"]
        figures |= {name: value, f"{name}_low": low, f"{name}_high": high}
    figures["readings"] = readings
    figures["per_tag"] = {tag.value: _tag_row(bootstrap, tag) for tag in TAGS if total[_COLUMN[f"gold {tag.value}"]]}
    return figures


def _interval(bootstrap: ClusterBootstrap, reading: Reading) -> Interval:
    """Return the BCa interval; if all sentences agree, combine those of the parts (Newcombe 1998, Statistics in Medicine 17:873)."""
    found = bootstrap.interval(reading.of, rate=not reading.parts)
    if not reading.parts or found.low != found.high:
        return found
    below = above = 0.0
    for weight, of in reading.parts:
        part = bootstrap.interval(of)
        down, up = weight * (part.value - part.low), weight * (part.high - part.value)
        below += (down if weight > 0 else up) ** 2
        above += (up if weight > 0 else down) ** 2
    return Interval(found.value, found.value - float(np.sqrt(below)), found.value + float(np.sqrt(above)))


def _tag_row(bootstrap: ClusterBootstrap, tag: Tag) -> dict[str, Any]:
    pairs = {"placement": ("right", "gold"), "realisation": ("hits", "measured"), "both": ("heard", "wanted")}
    row: dict[str, Any] = {"n": int(bootstrap.total[_COLUMN[f"gold {tag.value}"]])}
    for name, (top, bottom) in pairs.items():
        row[name] = _triple(bootstrap.interval(_of(f"{top} {tag.value}", f"{bottom} {tag.value}")))
    return row


def differences(counts: Mapping[str, Totals], clusters: Sequence[str]) -> dict[str, dict[str, list[float | None]]]:
    """Return the paired differences in joint recall between taggers: tagger -> other -> [value, low, high] of the first minus the other."""
    table: dict[str, dict[str, list[float | None]]] = {name: {} for name in counts}
    width, recall = len(_COLUMN), READINGS["joint recall, strict"].of
    for first in counts:
        for second in counts:
            if first != second:
                bootstrap = ClusterBootstrap(clusters, np.hstack([counts[first], counts[second]]))
                found = bootstrap.interval(lambda t: recall(t[..., :width]) - recall(t[..., width:]), rate=False)
                table[first][second] = _triple(found)
    return table


def _by_slot(places: Collection[tuple[int, Tag]]) -> dict[int, set[Tag]]:
    return {slot: {tag for at, tag in places if at == slot} for slot, _ in places}


def _triple(interval: Interval) -> list[float | None]:
    return [number(interval.value), number(interval.low), number(interval.high)]
