"""Agreement of two readers of the same text: a reference for how high a placement score can be.

A few chapters of LibriTTS are read by two people. Where both read the same words, the labels of one reader are scored
against those of the other, as if they came from a tagger. This is the only use of both splits together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import combinations

import numpy as np

from harness.datasets import UNLABELLED, ProsodyUtterance, bare_word
from harness.stats import ClusterBootstrap, ratio

SHARED_RUN = 8  # number of consecutive words that count as a shared passage
SHARED_RUNS = 5  # number of such runs in common that make two chapters the same text
MINIMUM_WORDS = 200  # a pair of readers with fewer aligned words is left out


def reader_agreement(utterances: Sequence[ProsodyUtterance], n_resamples: int = 2000) -> dict:
    """Measure how well readers of the same chapter agree.

    Parameters
    ----------
    utterances : sequence of ProsodyUtterance
        Utterances of all splits.
    n_resamples : int
        Number of bootstrap resamples.

    Returns
    -------
    dict
        ``pairs``: chapters and aligned words of each pair; ``accuracy_2way``, ``accuracy_3way`` and ``emph_f1`` of the first reader
        against the second, each as [value, low, high]; the clusters are aligned runs of words.
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
    """Return pairs of chapters by different readers that share at least `SHARED_RUNS` runs of `SHARED_RUN` words."""
    where: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for name, words in chapters.items():
        for at in range(len(words) - SHARED_RUN + 1):
            where[tuple(word for word, _ in words[at : at + SHARED_RUN])].add(name)
    shared = Counter(pair for names in where.values() for pair in combinations(sorted(names), 2))
    readers = {name: name.split("_")[0] for name in chapters}
    return sorted((a, b) for (a, b), runs in shared.items() if runs >= SHARED_RUNS and readers[a] != readers[b])


def _aligned(first: list[tuple[str, int]], second: list[tuple[str, int]]) -> list[list[tuple[int, int]]]:
    """Return the labels of both readers on runs of equal words, without words that lack either label."""
    matcher = SequenceMatcher(None, [word for word, _ in first], [word for word, _ in second], autojunk=False)
    runs = []
    for a, b, size in matcher.get_matching_blocks():
        if size >= SHARED_RUN:
            row = [(first[a + k][1], second[b + k][1]) for k in range(size)]
            runs.append([(p, q) for p, q in row if UNLABELLED not in (p, q)])
    return [run for run in runs if run]
