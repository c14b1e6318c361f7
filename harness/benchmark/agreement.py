"""How well two readers of the same text agree: what a placement score can mean at all.

LibriTTS has a few chapters that two people read. Where their sentences have the same words, one reader's labels are scored against
the other's as if they were a tagger's. Both splits are searched, for this purpose only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np

from harness.datasets import UNLABELLED, ProsodyUtterance, bare_word
from harness.stats import ClusterBootstrap, ratio

SHARED_RUN = 8  # words in a row that two chapters must share to count as one text
MINIMUM_WORDS = 200  # aligned words of a pair of readers, below which the pair is left out


def reader_agreement(utterances: Sequence[ProsodyUtterance], n_resamples: int = 2000) -> dict:
    """Agreement of readers who share a chapter.

    Parameters
    ----------
    utterances : sequence of ProsodyUtterance
        Of all splits that are to be searched.
    n_resamples : int

    Returns
    -------
    dict
        ``pairs``: chapters and aligned words of each pair; ``accuracy_2way``, ``accuracy_3way`` and ``emph_f1`` of the first reader
        against the second, each as [value, low, high], with aligned runs of words as clusters.
    """
    chapters: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for utterance in utterances:
        chapters[utterance.chapter] += [
            (bare_word(word), label) for word, label in zip(utterance.words, utterance.prominence, strict=True)
        ]
    counts, clusters, pairs = [], [], []
    for first, second in _sharing(chapters):
        rows = _aligned(chapters[first], chapters[second])
        words = sum(len(row) for row in rows)
        if words < MINIMUM_WORDS:
            continue
        pairs.append({"first": first, "second": second, "words": words})
        for number, row in enumerate(rows):
            a, b = np.array(row).T
            counts.append([len(a), ((a > 0) == (b > 0)).sum(), (a == b).sum(), 2 * ((a == 2) & (b == 2)).sum(),
                           (a == 2).sum() + (b == 2).sum()])  # fmt: skip
            clusters.append(f"{first} {number}")
    if not counts:
        return {"pairs": []}
    bootstrap = ClusterBootstrap(clusters, np.array(counts), n_resamples, 0)
    shares = {"accuracy_2way": (1, 0), "accuracy_3way": (2, 0), "emph_f1": (3, 4)}
    found = {
        name: bootstrap.interval(lambda c, r=right, o=of: ratio(c[..., r], c[..., o]))  # type: ignore[misc]
        for name, (right, of) in shares.items()
    }
    return {"pairs": pairs, **{name: [value.value, value.low, value.high] for name, value in found.items()}}


def _sharing(chapters: dict[str, list[tuple[str, int]]]) -> list[tuple[str, str]]:
    """Pairs of chapters by different readers that have a run of `SHARED_RUN` words in common at least five times."""
    where: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for name, words in chapters.items():
        for at in range(len(words) - SHARED_RUN + 1):
            where[tuple(word for word, _ in words[at : at + SHARED_RUN])].add(name)
    shared: dict[tuple[str, str], int] = defaultdict(int)
    for names in where.values():
        for first in names:
            for second in names:
                if first < second and first.split("_")[0] != second.split("_")[0]:
                    shared[first, second] += 1
    return sorted(pair for pair, runs in shared.items() if runs >= 5)


def _aligned(first: list[tuple[str, int]], second: list[tuple[str, int]]) -> list[list[tuple[int, int]]]:
    """Labels of both readers on runs of equal words, words that either lacks a label left out."""
    matcher = SequenceMatcher(None, [word for word, _ in first], [word for word, _ in second], autojunk=False)
    runs = []
    for a, b, size in matcher.get_matching_blocks():
        if size >= SHARED_RUN:
            row = [(first[a + k][1], second[b + k][1]) for k in range(size)]
            runs.append([(p, q) for p, q in row if UNLABELLED not in (p, q)])
    return [run for run in runs if run]
