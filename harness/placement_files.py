"""Placement scores of two files, read side by side: what stays in memory is ids and counts, so a million sentences fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.placement import PlacementReport, count, report
from harness.records import TextRecord
from harness.stats import DEFAULT_RESAMPLES
from harness.store import iterate_unique

_BLOCK = 1_000  # sentences that are held as texts at once

Pair = tuple[int, TextRecord, TextRecord]


def score_files(
    gold: str | Path, predicted: str | Path, *, n_resamples: int = DEFAULT_RESAMPLES, seed: int = 0
) -> PlacementReport:
    """Score a file of predictions against a file of reference texts; see `harness.placement.score_placement`.

    Parameters
    ----------
    gold, predicted : path-like
        JSON Lines with "id" and "text". The predictions may stand in any order: the figures are the same, but only lines
        that wait for their partner are kept as texts, so files in the same order take the least memory.
    n_resamples, seed : int
        Of the bootstrap. Its clusters are the sentences, or their "group" where each reference line has one.

    Raises
    ------
    DataError
        Naming file and line: no sentences, a line that cannot be read, an id that is used twice, or ids that differ.
    """
    pairs = _Pairs(Path(gold), Path(predicted))
    counts = _counts(pairs)
    clusters = pairs.groups if all(pairs.groups) else None
    return report(counts, clusters, n_resamples=n_resamples, seed=seed)


class _Pairs:
    """Reference and prediction of each sentence, with its place in the reference, as soon as both were read."""

    def __init__(self, gold: Path, predicted: Path) -> None:
        self.gold, self.predicted = gold, predicted
        self.groups: list[str] = []  # of the reference lines, in their order; empty where a line has none

    def __iter__(self) -> Iterator[Pair]:
        wanted: dict[str, tuple[int, TextRecord]] = {}
        placed: dict[str, TextRecord] = {}
        files = iterate_unique(self.gold, TextRecord), iterate_unique(self.predicted, TextRecord)
        for reference, guess in zip_longest(*files):
            if reference:
                wanted[reference.id] = len(self.groups), reference
                self.groups.append(reference.group or "")
            if guess:
                placed[guess.id] = guess
            for record in (reference, guess):
                if record and record.id in wanted and record.id in placed:
                    yield *wanted.pop(record.id), placed.pop(record.id)
        if not self.groups:
            raise DataError("there are no sentences to score", path=self.gold)
        if wanted or placed:
            parts = [f"{len(ids)} {what} ({', '.join(list(ids)[:3])}{', ...' if len(ids) > 3 else ''})"
                     for ids, what in ((wanted, "missing"), (placed, "not in the reference")) if ids]  # fmt: skip
            raise DataError(f"the ids differ from the reference: {'; '.join(parts)}", path=self.predicted,
                            remedy="predict each reference sentence once, under its id")  # fmt: skip


def _counts(pairs: Iterable[Pair]) -> NDArray[np.int64]:
    """Counts of all pairs, a block after the other, in the order of the reference, which the draws of the bootstrap follow."""
    places: list[NDArray[np.int64]] = []  # arrays, which the garbage collector does not walk
    counts: list[NDArray[np.int64]] = []
    for block in _blocks(pairs):
        places.append(np.array([place for place, _, _ in block]))
        counts.append(count([wanted.tagged for _, wanted, _ in block], [placed.tagged for _, _, placed in block]))
    return np.concatenate(counts)[np.argsort(np.concatenate(places))]


def _blocks(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    block: list[Pair] = []
    for pair in pairs:
        block.append(pair)
        if len(block) == _BLOCK:
            yield block
            block = []
    if block:
        yield block
