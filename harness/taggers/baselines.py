"""Taggers that any other should beat, scored on the same sentences."""

from __future__ import annotations

from pathlib import Path

from harness.placement import PlacementReport, score_placement
from harness.records import TextRecord
from harness.stats import DEFAULT_RESAMPLES
from harness.store import read_jsonl
from harness.taggers.base import make_tagger, tag_all

BASELINES = ("rules", "majority", "random")  # made in an instant, from the embedded training examples


def score_baselines(
    gold: str | Path, *, n_resamples: int = DEFAULT_RESAMPLES, seed: int = 0
) -> dict[str, PlacementReport]:
    """Score `BASELINES` on the sentences of a reference file; see `harness.placement.score_files`.

    Raises
    ------
    DataError
        If a line cannot be read.
    """
    records = read_jsonl(gold, TextRecord)
    texts = [record.tagged for record in records]
    groups = [record.group or "" for record in records]
    return {
        name: score_placement(
            texts, tag_all(make_tagger(name), [text.stripped() for text in texts], name), groups if all(groups) else None,
            n_resamples=n_resamples, seed=seed,
        )
        for name in BASELINES
    }  # fmt: skip
