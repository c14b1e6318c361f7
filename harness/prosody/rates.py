"""Outcomes to rates: how often each tag was realised, and how often the detector fires without a tag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.prosody.detectors import DETECTORS
from harness.prosody.null import Thresholds, false_positives
from harness.records import Arm, NullSample, Outcome, Verdict
from harness.stats import ClusterBootstrap, Interval, number, ratio
from harness.tagged import TAGS

MEASURED = (Verdict.HIT, Verdict.MISS, Verdict.WRONG_DIRECTION, Verdict.LEAKED)
COUNTED = (*MEASURED, Verdict.UNMEASURABLE)
AT_PUNCTUATION, AWAY = "at punctuation", "elsewhere"
LEVEL = 0.05  # family-wise error rate
AUDIBLE_ST = 3.0  # semitones: only larger changes play a part in communication ('t Hart 1981, JASA 69:811)
UNKNOWN = Interval(float("nan"), float("nan"), float("nan"))


def per_tag(outcomes: Iterable[Outcome]) -> dict[str, dict]:
    """Return counts and rates of every tag that occurs.

    Returns
    -------
    dict
        For each tag: ``n`` and its five parts, ``not_expressible``, the number of ``sentences`` with a measured tag,
        ``hit_rate`` = hit / (n - unmeasurable) with its
        95 % interval ``low`` and ``high`` (cluster bootstrap over sentences), and ``false_positive`` with ``fp_low``
        and ``fp_high``: the same rate at placebo slots, out of ``placebo_n``. ``at_floor`` is the rate of differences from the plain
        clips that reach the detector's floor, whatever the voice's own spread, and ``at_3st`` (pitch only) that of 3 semitones; both
        with an interval. ``median`` (in ``unit``), ``values`` and ``threshold`` are from `values_of`; ``reasons`` counts why tags were
        unmeasurable. For pauses, ``places`` has the table of `by_place`.
    """
    outcomes = list(outcomes)
    return {tag.value: row for tag in TAGS if (row := _row([o for o in outcomes if o.tag is tag]))["asked"]}


def _row(outcomes: list[Outcome]) -> dict:
    tagged = [o for o in outcomes if o.arm is Arm.TAGGED]
    placebo = [o for o in outcomes if o.arm is Arm.PLACEBO]
    counts = {
        verdict.value: sum(o.verdict is verdict for o in tagged) for verdict in (*COUNTED, Verdict.NOT_EXPRESSIBLE)
    }
    hits, false = hit_rate(tagged), hit_rate(placebo)
    above = difference_of_rates(outcomes)
    return {
        "asked": len(tagged),
        "n": sum(counts[verdict.value] for verdict in COUNTED),
        **counts,
        "sentences": len({o.sentence for o in tagged if o.verdict in MEASURED}),
        "hit_rate": number(hits.value), "low": number(hits.low), "high": number(hits.high),
        "placebo_n": sum(o.verdict in MEASURED for o in placebo),
        "false_positive": number(false.value), "fp_low": number(false.low), "fp_high": number(false.high),
        "above_placebo": number(above.value), "above_low": number(above.low), "above_high": number(above.high),
        "unpaired": sum(not o.paired for o in tagged),
        **_at_others(tagged),
        **values_of(tagged),
        "reasons": reasons(tagged),
        **({"places": places} if (places := by_place(tagged)) else {}),
    }  # fmt: skip


def by_place(outcomes: Iterable[Outcome]) -> dict[str, dict[str, Any]]:
    """Return the rates of one kind of pause at punctuation and away from it, where voices rarely pause unasked.

    Returns
    -------
    dict
        For `AT_PUNCTUATION` and `AWAY`, if they occur: ``n``, ``hit``, and ``hit_rate`` with ``low`` and ``high``, as `per_tag` does;
        ``median``, the silence added to the plain clips, and ``median_length``, the whole silence, in seconds; and ``told``, the number
        of clips whose whole silence, not the added one, is as long as the tag asks. Outcomes of other tags do not count, nor those
        of runs before these were recorded.
    """
    known = [o for o in outcomes if o.arm is Arm.TAGGED and o.at_punctuation is not None and o.verdict in COUNTED]
    table = {}
    for name, at in ((AT_PUNCTUATION, True), (AWAY, False)):
        mine = [o for o in known if o.at_punctuation is at]
        if not mine:
            continue
        rate = hit_rate(mine)
        detector = DETECTORS[mine[0].tag]
        lengths = [o.length for o in mine if o.length is not None]
        table[name] = {
            "n": len(mine), "hit": sum(o.verdict is Verdict.HIT for o in mine),
            "hit_rate": number(rate.value), "low": number(rate.low), "high": number(rate.high),
            "median": values_of(mine)["median"],
            "median_length": float(np.median(lengths)) if lengths else None,
            "told": sum(detector.judge(length, detector.floor) is Verdict.HIT for length in lengths),
        }  # fmt: skip
    return table


def values_of(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """Return what was measured for one tag: the ``median`` of ``values`` values in ``unit``, and the typical ``threshold``.

    Placebos and tags without a value do not count. The threshold is the median too, because each half of the sentences has
    its own. Without values, both are None.
    """
    known = [o for o in outcomes if o.arm is Arm.TAGGED and o.value is not None and o.threshold is not None]
    middle = {
        "median": [o.value for o in known if o.value is not None],
        "threshold": [o.threshold for o in known if o.threshold is not None],
    }
    return {
        **{name: float(np.median(values)) if values else None for name, values in middle.items()},
        "values": len(known), "unit": known[0].unit if known else "",
    }  # fmt: skip


def hit_rate(outcomes: list[Outcome]) -> Interval:
    """Return the share of hits among measurable outcomes; NaN if there are none."""
    measurable = [o for o in outcomes if o.verdict in MEASURED]
    return share_of([o.verdict is Verdict.HIT for o in measurable], [o.sentence for o in measurable])


def _at_others(tagged: list[Outcome]) -> dict[str, float | None]:
    """Return the hit rates at the floor of the detector, and for pitch at 3 semitones, with their intervals."""
    measured = [o for o in tagged if o.verdict in MEASURED and o.paired]
    if not measured:
        return {}
    detector = DETECTORS[measured[0].tag]
    thresholds = {"at_floor": detector.floor} | ({"at_3st": AUDIBLE_ST} if detector.unit == "st" else {})
    rates: dict[str, float | None] = {}
    for name, threshold in thresholds.items():
        hits = [o.value is not None and detector.judge(o.value, threshold) is Verdict.HIT for o in measured]
        rates |= named(name, share_of(hits, [o.sentence for o in measured]))
    return rates


def share_of(flags: Sequence[bool], clusters: Sequence[str]) -> Interval:
    """Return the share of true flags, with a 95 % interval from a bootstrap over clusters; NaN without flags."""
    counts = np.array([[flag, 1] for flag in flags], dtype=float).reshape(-1, 2)
    return ClusterBootstrap(clusters, counts).interval(lambda total: ratio(total[..., 0], total[..., 1]))


def named(name: str, interval: Interval) -> dict[str, float | None]:
    """Return an interval as three fields of a summary: `name`, ``name_low`` and ``name_high``."""
    return {name: number(interval.value), f"{name}_low": number(interval.low), f"{name}_high": number(interval.high)}


def null_rows(samples: Iterable[NullSample], thresholds: Thresholds) -> dict[str, dict]:
    """Return an engine's threshold for each tag, and how often its own plain clips exceed it.

    Returns
    -------
    dict
        For each tag: ``threshold`` (mean of both halves) in ``unit``, ``floor``, ``threshold_from`` ("null", "floor", "too few" or
        "not applicable"), and the rate ``null`` with ``null_low``, ``null_high``, out of ``null_n`` differences. An engine without
        a null has rates of None and a ``null_n`` of 0.
    """
    rates = false_positives(samples, thresholds)
    table = {}
    for tag in TAGS:
        rate, n = rates.get(tag, (UNKNOWN, 0))
        detector = DETECTORS[tag]
        table[tag.value] = {
            "threshold": thresholds.typical(tag), "unit": detector.unit, "floor": detector.floor,
            "threshold_from": thresholds.reason(tag),
            **named("null", rate), "null_n": n,
        }  # fmt: skip
    return table


def difference_of_rates(outcomes: Iterable[Outcome]) -> Interval:
    """Return the hit rate minus the placebo rate, with a 95 % interval from one bootstrap over sentences for both.

    If all sentences agree, the bootstrap interval has no width. Then the intervals of the two rates are combined instead (Newcombe
    1998, Statistics in Medicine 17:873, method 10).
    """
    rows = [o for o in outcomes if o.verdict in MEASURED]
    counts = [
        [hit, 1, 0, 0] if o.arm is Arm.TAGGED else [0, 0, hit, 1] for o in rows for hit in [o.verdict is Verdict.HIT]
    ]
    bootstrap = ClusterBootstrap([o.sentence for o in rows], np.array(counts, dtype=float).reshape(-1, 4))
    found = bootstrap.interval(lambda t: ratio(t[..., 0], t[..., 1]) - ratio(t[..., 2], t[..., 3]), rate=False)
    if found.low != found.high:
        return found
    hit, placebo = (hit_rate([o for o in rows if o.arm is arm]) for arm in (Arm.TAGGED, Arm.PLACEBO))
    return Interval(
        found.value,
        found.value - float(np.hypot(hit.value - hit.low, placebo.high - placebo.value)),
        found.value + float(np.hypot(hit.high - hit.value, placebo.value - placebo.low)),
    )


def reasons(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Count the reasons why tags (not placebos) were unmeasurable, most frequent first."""
    lost = (o for o in outcomes if o.verdict is Verdict.UNMEASURABLE and o.arm is Arm.TAGGED)
    return dict(Counter(outcome.reason for outcome in lost).most_common())


def unlike_chance(table: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the tags whose accuracy differs from chance, after Holm's correction for the number of tags.

    Renderings of one sentence are not independent, so a binomial test does not apply. The test is a normal approximation with the
    standard error taken from the interval by sentence.

    Parameters
    ----------
    table : mapping
        Result of `harness.prosody.contrast.contrastive`.
    """
    from scipy.stats import norm

    p_values = {}
    for tag, row in table.items():
        if row["accuracy"] is None:
            continue
        error = (row["high"] - row["low"]) / (2 * norm.ppf(0.975))
        p_values[tag] = 2 * norm.sf(abs(row["accuracy"] - row["chance"]) / error) if error > 0 else 0.0
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return [tag for tag in sorted(p_values, key=p_values.__getitem__) if adjusted[tag] < LEVEL]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for their number (Holm 1979, Scandinavian Journal of Statistics 6:65), in the given order."""
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = largest
    return adjusted
