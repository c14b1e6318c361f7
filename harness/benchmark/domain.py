"""Score models out of domain: trained on the examples and scored on the corpus, or the reverse.

Both data sets label emphasis (the tag ``<emph>``, or prominence 2) and longer pauses (either pause tag, or boundary 2 inside a
sentence).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.benchmark.corpus import BOUNDARY, PROMINENCE, STRONG, hits
from harness.datasets import UNLABELLED, ProsodyUtterance
from harness.records import Example
from harness.stats import ClusterBootstrap, Interval, ratio
from harness.tagged import PAUSES, Tag
from harness.taggers.slots import TAG_QUESTIONS, Scores, best_threshold, columns

PAUSE, OTHER = columns(TAG_QUESTIONS)
_EMPH = OTHER.start + TAG_QUESTIONS[1].answers.index(Tag.EMPH.value)
KINDS = ("emph", "pause")


def evidence_from_tags(scores: Sequence[Scores]) -> dict[str, list[NDArray]]:
    """Return the log-probability of emphasis at each slot and of any pause at each inner slot, from a model of tags."""
    return {
        "emph": [score[:-1, _EMPH] for score in scores],
        "pause": [np.logaddexp.reduce(score[1:-1, PAUSE.start + 1 : PAUSE.stop], axis=1) for score in scores],
    }


def evidence_from_corpus(scores: Sequence[Scores]) -> dict[str, list[NDArray]]:
    """Return the log-probabilities of prominence 2 and boundary 2 at the same slots, from a model of the corpus."""
    return {
        "emph": [score[:-1, PROMINENCE.start + STRONG] for score in scores],
        "pause": [score[1:-1, BOUNDARY.start + STRONG] for score in scores],
    }


def wanted_by_examples(examples: Sequence[Example]) -> dict[str, list[NDArray]]:
    """Return whether an example has emphasis at each slot, and a pause at each inner slot."""
    wanted: dict[str, list[NDArray]] = {kind: [] for kind in KINDS}
    for example in examples:
        at = example.tagged.by_slot()
        n = len(example.tagged.words)
        wanted["emph"].append(np.array([int(Tag.EMPH in at.get(slot, ())) for slot in range(n)]))
        wanted["pause"].append(np.array([int(bool(PAUSES & set(at.get(slot, ())))) for slot in range(1, n)]))
    return wanted


def wanted_by_corpus(utterances: Sequence[ProsodyUtterance]) -> dict[str, list[NDArray]]:
    """Return the same as `wanted_by_examples` for utterances; `UNLABELLED` where the corpus has no label."""
    wanted: dict[str, list[NDArray]] = {kind: [] for kind in KINDS}
    for utterance in utterances:
        for kind, labels in (("emph", utterance.prominence), ("pause", utterance.boundary[:-1])):
            values = np.array(labels, dtype=np.int64)
            wanted[kind].append(np.where(values == UNLABELLED, UNLABELLED, values == STRONG))
    return wanted


def cut(evidence: Sequence[NDArray], wanted: Sequence[NDArray]) -> float:
    """Return the threshold with the best F1 on the domain that the model was trained on."""
    scores, right = np.concatenate(list(evidence)), np.concatenate(list(wanted))
    known = right != UNLABELLED
    return best_threshold(scores[known], right[known] == 1, int((right[known] == 1).sum()))


def f1(
    evidence: Sequence[NDArray], wanted: Sequence[NDArray], threshold: float, clusters: Sequence[str], n_resamples: int
) -> Interval:
    """Return F1 with a 95 % interval over clusters."""
    counts = np.array([_counts(e, w, threshold) for e, w in zip(evidence, wanted, strict=True)])
    return ClusterBootstrap(clusters, counts, n_resamples, 0).interval(
        lambda c: ratio(2 * c[..., 0], c[..., 1]), of_rows=False
    )


def _counts(evidence: NDArray, wanted: NDArray, threshold: float) -> tuple[int, int]:
    known = wanted != UNLABELLED
    return hits(evidence[known] > threshold, wanted[known] == 1)
