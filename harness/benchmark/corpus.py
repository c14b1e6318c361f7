"""Score slot models on the Helsinki Prosody Corpus: prominence and boundaries of words that people read aloud.

Prominence is 0, 1 or 2. *2-way* accuracy asks whether it is 0; *3-way* asks which. `emph` is prominence 2, a pause is boundary
2 (the sentence end is excluded, because punctuation gives it away). Their thresholds come from readers of the dev split
that no model was trained on. Nothing is ever chosen on the test split.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.datasets import UNLABELLED, ProsodyUtterance
from harness.stats import DEFAULT_RESAMPLES, ClusterBootstrap, Interval, ratio
from harness.taggers.slots import CORPUS_QUESTIONS, Scores, best_threshold, columns

PROMINENCE, BOUNDARY = columns(CORPUS_QUESTIONS)
STRONG = 2

# Additive counts per utterance.
COLUMNS = ("words", "right_2way", "right_3way", "emph_hit", "emph_both", "emph_argmax_hit", "emph_argmax_both",
           "pause_hit", "pause_both")  # fmt: skip
_AT = {name: k for k, name in enumerate(COLUMNS)}


@dataclass(frozen=True)
class Cuts:
    """Thresholds on log-odds, from the dev split: above `emph` a word is emphasised, above `pause` a slot is a pause."""

    emph: float
    pause: float


def tune_cuts(scores: Sequence[Scores], utterances: Sequence[ProsodyUtterance]) -> Cuts:
    """Return the thresholds with the best F1 on these utterances, which must not be the reported ones."""
    emph, wanted_emph = zip(*(_emph(s, u) for s, u in zip(scores, utterances, strict=True)), strict=True)
    pause, wanted_pause = zip(*(_pause(s, u) for s, u in zip(scores, utterances, strict=True)), strict=True)
    return Cuts(_cut(emph, wanted_emph), _cut(pause, wanted_pause))


def count(scores: Sequence[Scores], utterances: Sequence[ProsodyUtterance], cuts: Cuts) -> NDArray[np.int64]:
    """Count each utterance, shape (utterances, len(COLUMNS)); words without a label are left out."""
    counts = np.zeros((len(utterances), len(COLUMNS)), dtype=np.int64)
    for row, (score, utterance) in enumerate(zip(scores, utterances, strict=True)):
        known, labels = _labelled(utterance)
        prominence = score[:-1, PROMINENCE][known]
        best = prominence.argmax(axis=1)
        odds, strong = _emph(score, utterance)
        pause, wanted = _pause(score, utterance)
        # 2-way accuracy is a separate question: it uses the probability of 0, not the best of three.
        prominent = prominence[:, 0] < np.log(0.5)
        counts[row] = [
            len(labels), (prominent == (labels > 0)).sum(), (best == labels).sum(),
            *hits(odds > cuts.emph, strong), *hits(best == STRONG, strong), *hits(pause > cuts.pause, wanted),
        ]  # fmt: skip
    return counts


def figures(
    counts: NDArray[np.int64], readers: Sequence[str], n_resamples: int = DEFAULT_RESAMPLES
) -> dict[str, Interval]:
    """Return accuracies and F1 with 95 % intervals over readers."""
    bootstrap = ClusterBootstrap(readers, counts, n_resamples)
    return {name: bootstrap.interval(statistic) for name, statistic in STATISTICS.items()}


def differences(
    first: NDArray[np.int64], second: NDArray[np.int64], readers: Sequence[str], n_resamples: int = DEFAULT_RESAMPLES
) -> dict[str, Interval]:
    """Return paired intervals of the figures of `first` minus those of `second`, on the same utterances."""
    bootstrap = ClusterBootstrap(readers, np.hstack([first, second]), n_resamples)
    return {name: bootstrap.interval(_minus(statistic), rate=False) for name, statistic in STATISTICS.items()}


def _minus(statistic: Callable) -> Callable:
    width = len(COLUMNS)
    return lambda counts: statistic(counts[..., :width]) - statistic(counts[..., width:])


def _share(right: str, of: str, factor: int = 1) -> Callable:
    return lambda counts: ratio(factor * counts[..., _AT[right]], counts[..., _AT[of]])


STATISTICS = {
    "accuracy_2way": _share("right_2way", "words"),
    "accuracy_3way": _share("right_3way", "words"),
    "emph_f1": _share("emph_hit", "emph_both", 2),
    "emph_f1_argmax": _share("emph_argmax_hit", "emph_argmax_both", 2),
    "pause_f1": _share("pause_hit", "pause_both", 2),
}


def _labelled(utterance: ProsodyUtterance) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    labels = np.array(utterance.prominence)
    return labels != UNLABELLED, labels[labels != UNLABELLED]


def _emph(score: Scores, utterance: ProsodyUtterance) -> tuple[NDArray, NDArray]:
    """Return the log-odds of prominence 2 of each labelled word, and whether it has that label."""
    known, labels = _labelled(utterance)
    return _log_odds(score[:-1, PROMINENCE.start + STRONG][known]), labels == STRONG


def _pause(score: Scores, utterance: ProsodyUtterance) -> tuple[NDArray, NDArray]:
    """Return the log-odds of boundary 2 at each labelled slot between two words, and whether it has that label."""
    labels = np.array(utterance.boundary)[:-1]
    known = labels != UNLABELLED
    return _log_odds(score[1:-1, BOUNDARY.start + STRONG][known]), labels[known] == STRONG


def _log_odds(log_probability: NDArray) -> NDArray:
    certain = np.minimum(log_probability, -1e-6)
    return certain - np.log(-np.expm1(certain))


def hits(placed: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> tuple[int, int]:
    """Return how many are both placed and wanted, and the sum of placed and wanted: F1 is twice the first over the second."""
    return int((placed & wanted).sum()), int(placed.sum() + wanted.sum())


def _cut(odds: Sequence[NDArray], wanted: Sequence[NDArray]) -> float:
    right = np.concatenate(list(wanted))
    return best_threshold(np.concatenate(list(odds)), right, int(right.sum()))
