"""The `summary.json` of a run: realisation per engine, placement per tagger, and the two together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from harness.engines.dialects import DIALECTS
from harness.experiment.controls import control_block
from harness.experiment.doses import compliance
from harness.experiment.folder import RunData
from harness.experiment.joint import count, differences, end_to_end, measurable_tags
from harness.experiment.spec import GOLD, EngineSpec
from harness.placement import score_placement
from harness.prosody.contrast import contrastive
from harness.prosody.listeners.rates import listener_rates
from harness.prosody.rates import null_rows, per_tag
from harness.records import Arm, Outcome
from harness.tagged import Tag


def summarise(results: RunData) -> dict[str, Any]:
    """Build the summary of a run.

    Returns
    -------
    dict
        For each engine, ``per_tag`` holds rates on the reference tags if the run has them, or else on the tags of its first
        tagger, whose name is ``tagger``; ``by_tagger`` has the same table for each tagger, ``null`` the engine's thresholds and
        its own spread,
        ``listeners`` what each listener judged (see `harness.prosody.listeners.rates`), ``compliance`` how often the difference
        is the one that the markup promises (no tags if it promises none). A run
        whose engines have roles also has ``controls``, ``leak``, ``dose`` and ``confusion``.
    """
    experiment, predictions = results.experiment, results.predictions
    gold = [item.text for item in results.items]
    taggers = [spec.title for spec in experiment.taggers]
    main = GOLD if GOLD in taggers else taggers[0]
    engines: dict[str, Any] = {}
    for spec in experiment.engines:
        title = spec.title
        outcomes = results.of("outcomes", title)
        by_tagger = {tagger: per_tag(o for o in outcomes if o.tagger == tagger) for tagger in taggers}
        engines[title] = {
            "tagger": main,
            "per_tag": by_tagger[main],
            "null": null_rows(results.of("nulls", title), results.thresholds[title]),
            "listeners": _heard([o for o in outcomes if o.tagger == main], results, title),
            "contrastive": contrastive(results.of("contrasts", title)),
            "compliance": compliance((o for o in outcomes if o.tagger == main), _promises(results, title)),
            **_end_to_end(results, spec, outcomes),
            "by_tagger": by_tagger,
        }
    clusters = [item.cluster for item in results.items]
    placement = {
        tagger: score_placement(gold, [predictions[tagger, item.id] for item in results.items], clusters).as_json()
        for tagger in taggers
        if tagger != GOLD
    }
    summary = {"run": experiment.name, "sentences": len({item.group for item in results.items}), "texts": len(gold),
               "engines": engines, "taggers": placement}  # fmt: skip
    if any(spec.role for spec in experiment.engines):
        summary |= control_block(results)
    return summary


def _promises(results: RunData, engine: str) -> Mapping[Tag, tuple[float, float]]:
    """Return the promises of the dialect in which the tags were given to an engine; empty if it was not told any."""
    dialect = next((clip.dialect for clip in results.of("clips", engine) if clip.arm is Arm.TAGGED), "")
    return DIALECTS[dialect].promises if dialect in DIALECTS else {}


def _heard(outcomes: Sequence[Outcome], results: RunData, title: str) -> dict[str, dict[str, Any]]:
    """Return what listeners judged of one engine, with the contrastive score of those that judge words."""
    groups = {item.id: item.group for item in results.items}
    found = listener_rates(outcomes, results.of("nulls", title), results.experiment.listening, groups)
    for name, table in found.items():
        if table["unit"] == "word":
            table["contrastive"] = contrastive(results.of("contrasts", title), name)
    return found


def _end_to_end(results: RunData, spec: EngineSpec, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return placement and realisation together for each tagger with this engine, and the differences between taggers."""
    spoken = {o.sentence for o in outcomes}
    items = [item for item in results.items if spec.limit is None or item.id in spoken]  # its limit may be smaller
    clusters = [item.cluster for item in items]
    measurable = measurable_tags(outcomes)
    mine: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        mine[outcome.tagger, outcome.sentence].append(outcome)
    counts = {
        tagger.title: count(
            [item.text for item in items],
            [results.predictions[tagger.title, item.id] for item in items],
            [mine[tagger.title, item.id] for item in items],
            measurable,
        )
        for tagger in results.experiment.taggers
    }
    return {
        "end_to_end": {name: end_to_end(table, clusters) for name, table in counts.items()},
        "differences": differences(counts, clusters),
    }
