"""The controls of a run: does the scorer hear what is there, and only that?

*Positive* engines obey the tags, with a known effect. *Negative* engines are not told the tags, but are scored as if they had
been. *Leak* engines read the tags aloud. A good scorer gives the positive ones a hit rate near 1, the negative ones a hit rate
near the false-positive rate, and detects the leaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.experiment.doses import dose_response
from harness.experiment.folder import RunData
from harness.experiment.sentences import sentence_of
from harness.experiment.spec import LEAK, NEGATIVE, POSITIVE
from harness.prosody.contrast import contrastive
from harness.prosody.detectors import DETECTORS, PITCH_CLEAR_SEMITONES, Cue
from harness.prosody.null import FLOORS, Thresholds, false_positives
from harness.prosody.rates import MEASURED, UNKNOWN, hit_rate, named, share_of
from harness.records import Arm, CrossTalk, Outcome, Verdict
from harness.stats import Interval, number
from harness.tagged import TAGS, Tag

NullRates = Mapping[str, Mapping[Tag, tuple[Interval, int]]]  # false-positive rate and number of differences, by engine


def control_block(results: RunData) -> dict[str, Any]:
    """Build ``controls``, ``leak``, ``dose``, ``confusion`` and ``contrastive`` of a summary.

    Positive engines are pooled (each sentence is one cluster, however many voices speak it). The null and the tags-stripped rates come
    from the negative engine that varies most, which is the hardest test: pooled with an engine that repeats itself, it would look better.
    """
    titles = {role: [spec.title for spec in results.experiment.engines if spec.role == role]
              for role in (POSITIVE, NEGATIVE, LEAK)}  # fmt: skip
    outcomes = {role: [o for title in titles[role] for o in results.of("outcomes", title)] for role in titles}
    varied = [title for title in titles[NEGATIVE] if results.thresholds[title].why]
    rates = {title: false_positives(results.of("nulls", title), results.thresholds[title]) for title in varied}
    crosstalk = [row for title in titles[POSITIVE] for row in results.of("crosstalk", title)]
    dosed = [spec.title for spec in results.experiment.engines if spec.dose]
    return {
        "controls": {tag.value: _tag_row(tag, outcomes, rates, results) for tag in TAGS},
        "contrastive": {
            role: contrastive([row for title in titles[role] for row in results.of("contrasts", title)])
            for role in (POSITIVE, NEGATIVE)
        },
        "leak": leak_row(outcomes[LEAK], outcomes[NEGATIVE]),
        "dose": {title: dose_response(results.of("doses", title), results.thresholds[title]) for title in dosed},
        "confusion": confusion(crosstalk),
        "shuffled": shuffled(crosstalk),
    }


def _tag_row(tag: Tag, outcomes: dict[str, list[Outcome]], rates: NullRates, results: RunData) -> dict[str, Any]:
    """Return the row of one tag: hits and placebos on positive engines, null and tags-stripped rates on negative ones."""
    mine = {role: [o for o in rows if o.tag is tag] for role, rows in outcomes.items()}
    tagged = [o for o in mine[POSITIVE] if o.arm is Arm.TAGGED and o.verdict is not Verdict.NOT_EXPRESSIBLE]
    hit, placebo = hit_rate(tagged), hit_rate([o for o in mine[POSITIVE] if o.arm is Arm.PLACEBO])
    untold = {title: [o for o in mine[NEGATIVE] if o.engine == title] for title in rates}
    null, null_n, restless = _hardest_null(tag, rates)
    stripped = untold.get(restless, [])
    at_null = _highest_threshold(tag, [results.thresholds[title] for title in rates])
    unmeasurable = sum(o.verdict is Verdict.UNMEASURABLE for o in tagged)
    return {
        **named("hit", hit), "n": len(tagged), "unmeasurable": unmeasurable / len(tagged) if tagged else None,
        **named("placebo", placebo), "placebo_n": _measured(mine[POSITIVE], Arm.PLACEBO),
        **named("null", null), "null_n": null_n,
        **named("stripped", _fired(stripped, Arm.TAGGED)), "stripped_n": _measured(stripped, Arm.TAGGED),
        **named("stripped_placebo", _fired(stripped, Arm.PLACEBO)), "stripped_placebo_n": _measured(stripped, Arm.PLACEBO),
        "untold": {
            title: {**named("stripped", _fired(rows, Arm.TAGGED)), "n": _measured(rows, Arm.TAGGED)} for title, rows in untold.items()
        },
        **named("hit_clear", _beyond(tag, tagged, PITCH_CLEAR_SEMITONES if DETECTORS[tag].unit == "st" else None)),
        **named("hit_at_null", _beyond(tag, tagged, at_null)),
        "threshold_at_null": at_null,
        "floor": DETECTORS[tag].floor, "unit": DETECTORS[tag].unit,
    }  # fmt: skip


def _measured(outcomes: Iterable[Outcome], arm: Arm) -> int:
    return sum(o.arm is arm and o.verdict in MEASURED for o in outcomes)


def _fired(outcomes: Iterable[Outcome], arm: Arm) -> Interval:
    return hit_rate([o for o in outcomes if o.arm is arm])


def _beyond(tag: Tag, outcomes: Sequence[Outcome], threshold: float | None) -> Interval:
    """Return the hit rate if each difference had to exceed `threshold`; NaN without a threshold."""
    known = [o for o in outcomes if o.verdict is not Verdict.UNMEASURABLE]
    if threshold is None or not known:
        return UNKNOWN
    judge = DETECTORS[tag].judge
    hits = [o.value is not None and judge(o.value, threshold) is Verdict.HIT for o in known]
    return share_of(hits, [sentence_of(o.sentence) for o in known])


def _hardest_null(tag: Tag, rates: NullRates) -> tuple[Interval, int, str]:
    """Return the highest false-positive rate of the negative engines, the number of differences, and the engine's title."""
    found = [(*of_engine[tag], title) for title, of_engine in rates.items() if tag in of_engine]
    return max(found, key=lambda row: row[0].value, default=(UNKNOWN, 0, next(iter(rates), "")))


def _highest_threshold(tag: Tag, thresholds: Sequence[Thresholds]) -> float | None:
    values = [value for each in thresholds for (name, _), value in each.values.items() if name is tag]
    return round(float(max(values)), 4) if values else None


def leak_row(spoken: Sequence[Outcome], silent: Sequence[Outcome]) -> dict[str, Any]:
    """Return how many of the tags that were read aloud were found, and how often a tag was found that was not spoken."""
    spoken = [o for o in spoken if o.arm is Arm.TAGGED]
    silent = [o for o in silent if o.arm is Arm.TAGGED and o.verdict is not Verdict.UNMEASURABLE]
    found, false = _leaked(spoken), _leaked(silent)
    by_tag = {tag.value: number(_leaked([o for o in spoken if o.tag is tag]).value) for tag in TAGS}
    return {
        **named("found", found), "n": len(spoken), "by_tag": by_tag,
        **named("false_alarm", false), "false_alarm_n": len(silent),
    }  # fmt: skip


def _leaked(outcomes: Sequence[Outcome]) -> Interval:
    return share_of([o.verdict is Verdict.LEAKED for o in outcomes], [sentence_of(o.sentence) for o in outcomes])


def confusion(rows: Sequence[CrossTalk]) -> dict[str, dict[str, float | None]]:
    """Return, for each spoken tag, the share of clips on which each detector fires at its place (floors as thresholds)."""
    return {
        asked.value: {
            heard.value: _share([_fires(row, heard, FLOORS) for row in rows if row.tag is asked]) for heard in TAGS
        }
        for asked in TAGS
    }


def shuffled(rows: Sequence[CrossTalk]) -> dict[str, float | None]:
    """Return the hit rate of each tag after shuffling the labels of the clips: what the detector hits by chance.

    No clip keeps its tag.
    """
    generator = np.random.default_rng(0)
    fires: dict[Tag, list[bool | None]] = {tag: [] for tag in TAGS}
    for row in rows:
        other = [tag for tag in TAGS if tag is not row.tag][generator.integers(len(TAGS) - 1)]
        fires[other].append(_fires(row, other, FLOORS))
    return {tag.value: _share(values) for tag, values in fires.items()}


def _fires(row: CrossTalk, tag: Tag, thresholds: Thresholds) -> bool | None:
    value = row.values.get(Cue(DETECTORS[tag].cue).value)
    if value is None:
        return None
    return DETECTORS[tag].judge(value, thresholds.of(tag, sentence_of(row.sentence))) is Verdict.HIT


def _share(values: Sequence[bool | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
