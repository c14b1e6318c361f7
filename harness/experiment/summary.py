"""The `summary.json` of a run: realisation per engine, placement per tagger, and the two together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.experiment.spec import GOLD
from harness.placement import score_placement
from harness.prosody.summary import COUNTED, per_tag
from harness.records import Arm, Outcome, Verdict
from harness.stats import ClusterBootstrap, Interval, number, ratio
from harness.tagged import Tag, TaggedText


def summarise(
    name: str,
    gold: Mapping[str, TaggedText],
    predictions: Mapping[tuple[str, str], TaggedText],
    outcomes: Sequence[Outcome],
) -> dict[str, Any]:
    """Build the summary of a run.

    Parameters
    ----------
    name : str
        Of the run.
    gold : mapping of sentence id to TaggedText
    predictions : mapping of (tagger, sentence id) to TaggedText
    outcomes : sequence of Outcome

    Returns
    -------
    dict
        ``per_tag`` of an engine is measured on the reference tags if the run has them, else on those of its first
        tagger; ``by_tagger`` has the same table for each tagger.
    """
    taggers = list(dict.fromkeys(tagger for tagger, _ in predictions))
    main = GOLD if GOLD in taggers else taggers[0]
    engines: dict[str, Any] = {}
    for engine in dict.fromkeys(o.engine for o in outcomes):
        mine = {tagger: [o for o in outcomes if o.engine == engine and o.tagger == tagger] for tagger in taggers}
        engines[engine] = {
            "per_tag": per_tag(mine[main]),
            "contrastive": {},
            "end_to_end": {t: end_to_end(gold, {i: predictions[t, i] for i in gold}, mine[t]) for t in taggers},
            "by_tagger": {tagger: per_tag(rows) for tagger, rows in mine.items()},
        }
    placement = {
        tagger: score_placement(list(gold.values()), [predictions[tagger, i] for i in gold]).as_json()
        for tagger in taggers
        if tagger != GOLD
    }
    return {"run": name, "sentences": len(gold), "engines": engines, "taggers": placement}


def end_to_end(
    gold: Mapping[str, TaggedText], predicted: Mapping[str, TaggedText], outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    """Reference tags that were both placed and heard (recall), spoken tags that were both right and heard (precision).

    Tags that this engine's dialect or the detectors cannot handle at all are left out of both, and so are single tags
    that could not be measured. Intervals: one bootstrap over sentences for placement and realisation together.
    """
    tagged = [o for o in outcomes if o.arm is Arm.TAGGED]
    measurable = {o.tag for o in tagged if o.verdict in COUNTED and o.verdict is not Verdict.UNMEASURABLE}
    verdicts: dict[tuple[str, int, Tag], Verdict] = {(o.sentence, o.slot, o.tag): o.verdict for o in tagged}
    counts = np.zeros((len(gold), 3))  # right and heard, reference tags, spoken tags
    for row, (sentence, reference) in enumerate(gold.items()):
        wanted = {item for item in set(reference.tags) if item[1] in measurable}
        spoken = {item for item in set(predicted[sentence].tags) if item[1] in measurable}
        lost = {item for item in spoken if verdicts.get((sentence, *item)) in (None, Verdict.UNMEASURABLE)}
        wanted, spoken = wanted - lost, spoken - lost
        heard = sum(verdicts[sentence, slot, tag] is Verdict.HIT for slot, tag in wanted & spoken)
        counts[row] = heard, len(wanted), len(spoken)
    bootstrap = ClusterBootstrap(list(gold), counts)
    recall = bootstrap.interval(lambda total: ratio(total[..., 0], total[..., 1]))
    precision = bootstrap.interval(lambda total: ratio(total[..., 0], total[..., 2]))
    return {
        "tags": sorted(tag.value for tag in measurable),
        "reference": int(counts[:, 1].sum()), "spoken": int(counts[:, 2].sum()),
        **_figures("recall", recall), **_figures("precision", precision),
    }  # fmt: skip


def _figures(name: str, interval: Interval) -> dict[str, float | None]:
    return {name: number(interval.value), f"{name}_low": number(interval.low), f"{name}_high": number(interval.high)}
