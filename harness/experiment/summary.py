"""The `summary.json` of a run: realisation per engine, placement per tagger, and the two together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.experiment.controls import control_block
from harness.experiment.results import Results
from harness.experiment.spec import GOLD, EngineSpec
from harness.placement import score_placement
from harness.prosody.contrast import contrastive
from harness.prosody.summary import COUNTED, null_rows, per_tag
from harness.records import Arm, Outcome, Verdict
from harness.stats import ClusterBootstrap, Interval, number, ratio
from harness.tagged import Tag, TaggedText


def summarise(results: Results) -> dict[str, Any]:
    """Build the summary of a run.

    Returns
    -------
    dict
        ``per_tag`` of an engine is measured on the reference tags if the run has them, else on those of its first
        tagger; ``by_tagger`` has the same table for each tagger, ``null`` the engine's thresholds and its own spread. A run
        whose engines have roles gets ``controls``, ``leak``, ``dose`` and ``confusion`` too.
    """
    experiment, predictions = results.experiment, results.predictions
    gold = {item.id: item.text for item in results.items}
    taggers = [spec.title for spec in experiment.taggers]
    main = GOLD if GOLD in taggers else taggers[0]
    engines: dict[str, Any] = {}
    for spec in experiment.engines:
        outcomes = results.of("outcomes", spec.title)
        mine = {tagger: [o for o in outcomes if o.tagger == tagger] for tagger in taggers}
        thresholds = results.thresholds[spec.title]
        spoken = {o.sentence for o in outcomes}
        engines[spec.title] = {
            "per_tag": per_tag(mine[main]),
            "null": null_rows(results.of("nulls", spec.title), thresholds),
            "contrastive": contrastive(results.of("contrasts", spec.title)),
            "end_to_end": {t: end_to_end(_kept(gold, spec, spoken), {i: predictions[t, i] for i in gold}, mine[t])
                           for t in taggers},
            "by_tagger": {tagger: per_tag(rows) for tagger, rows in mine.items()},
        }  # fmt: skip
    placement = {
        tagger: score_placement(list(gold.values()), [predictions[tagger, i] for i in gold]).as_json()
        for tagger in taggers
        if tagger != GOLD
    }
    summary = {"run": experiment.name, "sentences": len({item.group for item in results.items}), "texts": len(gold),
               "engines": engines, "taggers": placement}  # fmt: skip
    if any(spec.role for spec in experiment.engines):
        summary |= control_block(results)
    return summary


def _kept(gold: Mapping[str, TaggedText], spec: EngineSpec, spoken: set[str]) -> dict[str, TaggedText]:
    """The reference of the texts that an engine was given: all, unless it has a limit of its own."""
    return {name: text for name, text in gold.items() if spec.limit is None or name in spoken}


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
