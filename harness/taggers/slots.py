"""Slot models: at each slot of a text, a trained tagger answers a few questions with a few possible answers each.

There are two questions about tags, because a slot can hold a pause and one other tag. There are also two about the Helsinki
Prosody Corpus: how prominent is the word after the slot, and how strong is the boundary before it? Models are defined on
questions, not on tags, so the same code trains and scores a model on both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.datasets import UNLABELLED, ProsodyUtterance
from harness.tagged import PAUSES, TAGS, Tag, TaggedText
from harness.taggers.limits import Limits

NOTHING = "nothing"  # the first answer to each question
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Question:
    """A question and its answers; the first answer is `NOTHING`."""

    name: str
    answers: tuple[str, ...]


Questions = tuple[Question, ...]
TAG_QUESTIONS: Questions = (
    Question("pause", (NOTHING, *(tag.value for tag in TAGS if tag in PAUSES))),
    Question("other tag", (NOTHING, *(tag.value for tag in TAGS if tag not in PAUSES))),
)
CORPUS_QUESTIONS: Questions = (
    Question("prominence", (NOTHING, "<prominence_1>", "<prominence_2>")),
    Question("boundary", (NOTHING, "<boundary_1>", "<boundary_2>")),
)


@dataclass(frozen=True)
class SlotText:
    """A text and the right answers at its slots.

    Parameters
    ----------
    words : tuple of str
    labels : array of int, shape (slots, questions)
        Index of the answer; `UNLABELLED` where it is unknown.
    values : array of float, shape (slots, questions), optional
        Measured strength from which the label was derived; NaN where there is none. A model may learn from it.
    """

    words: tuple[str, ...]
    labels: NDArray[np.int64]
    values: NDArray[np.float32] | None = None


class SlotModel(Protocol):
    """A model that learns to answer questions at slots, and returns log-probabilities of the answers."""

    questions: Questions

    def fit(self, train: Sequence[SlotText], dev: Sequence[SlotText]) -> None:
        """Train. Only `dev` may be used to choose an epoch or a regularisation."""
        ...

    def slot_scores(self, texts: Sequence[Sequence[str]]) -> list[Scores]:
        """Return log-probabilities, shape (slots, answers) for each text; `columns` maps questions to columns."""
        ...


def columns(questions: Questions) -> list[slice]:
    """Return the columns of each question's answers in an array of scores."""
    ends = list(accumulate(len(question.answers) for question in questions))
    return [slice(end - len(question.answers), end) for question, end in zip(questions, ends, strict=True)]


def from_tags(text: TaggedText) -> SlotText:
    """Return the answers to `TAG_QUESTIONS` in a tagged text.

    >>> from_tags(TaggedText.parse("We <emph> guarantee it")).labels.tolist()
    [[0, 0], [0, 1], [0, 0], [0, 0]]
    """
    labels = np.zeros((len(text.words) + 1, len(TAG_QUESTIONS)), dtype=np.int64)
    for slot, tag in text.tags:
        for k, question in enumerate(TAG_QUESTIONS):
            if tag.value in question.answers:
                labels[slot, k] = question.answers.index(tag.value)
    return SlotText(text.words, labels)


def from_corpus(utterance: ProsodyUtterance) -> SlotText:
    """Return the answers to `CORPUS_QUESTIONS`: prominence at the slot before its word, boundary at the slot after it."""
    labels = np.array([[*utterance.prominence, UNLABELLED], [UNLABELLED, *utterance.boundary]], dtype=np.int64).T
    values = None
    if utterance.values:
        values = np.full(labels.shape, np.nan, dtype=np.float32)
        measured = np.array(utterance.values, dtype=np.float32)
        values[:-1, 0], values[1:, 1] = measured[:, 0], measured[:, 1]
    return SlotText(utterance.words, labels, values)


def log_softmax(logits: NDArray[np.floating], questions: Questions) -> Scores:
    """Normalise logits, shape (..., answers), over the answers to each question."""
    from scipy.special import log_softmax as normalise

    parts = [normalise(logits[..., part].astype(np.float32), axis=-1) for part in columns(questions)]
    return np.concatenate(parts, axis=-1)


# --- from scores to tags ---------------------------------------------------------------------------------------------

Thresholds = Mapping[Tag, float]


def margins(scores: Sequence[Scores]) -> list[Scores]:
    """Return how much each tag is preferred to no tag, in nats, shape (slots, tags), columns in the order of `TAGS`."""
    out = []
    for score in scores:
        margin = np.empty((len(score), len(TAGS)), dtype=np.float32)
        for question, part in zip(TAG_QUESTIONS, columns(TAG_QUESTIONS), strict=True):
            for k, answer in enumerate(question.answers[1:], start=part.start + 1):
                margin[:, TAGS.index(Tag(answer))] = score[:, k] - score[:, part.start]
        out.append(margin)
    return out


_GROUPS = [[TAGS.index(Tag(answer)) for answer in question.answers[1:]] for question in TAG_QUESTIONS]
_TRIED = 60  # thresholds that are tried under limits, where their effect cannot be computed from ranks alone


def choose(
    words: Sequence[Sequence[str]],
    margin: Sequence[NDArray[np.floating]],
    thresholds: Thresholds,
    limits: Limits | None = None,
) -> list[TaggedText]:
    """Place, for each question, the tag that exceeds its threshold by the largest margin, if any does.

    Parameters
    ----------
    words : sequence of sequences of str
    margin : arrays of shape (slots, tags)
        See `margins`.
    thresholds : mapping of Tag to float
        In nats; a tag without one has 0.
    limits : Limits, optional
        Limits on the tags of a text, such as `harness.taggers.limits.guide_limits`. The tags that exceed their thresholds by
        most are placed first, and then the others as long as the limits allow.
    """
    needed = np.array([thresholds.get(tag, 0.0) for tag in TAGS])
    chosen = []
    for text, values in zip(words, margin, strict=True):
        excess = values - needed
        slots, kinds = np.nonzero(excess > 0)
        order = np.lexsort((kinds, slots, -excess[slots, kinds]))
        budget = limits.budget(text) if limits else None
        placed: dict[tuple[int, bool], Tag] = {}  # by slot and question: pauses come first
        for k in order:
            slot, tag = int(slots[k]), TAGS[kinds[k]]
            where = (slot, tag not in PAUSES)
            if where not in placed and (budget is None or budget.take(slot, tag)):
                placed[where] = tag
        chosen.append(TaggedText(tuple(text), [(where[0], placed[where]) for where in sorted(placed)]))
    return chosen


def tune(
    margin: Sequence[NDArray[np.floating]], gold: Sequence[TaggedText], limits: Limits | None = None
) -> dict[Tag, float]:
    """Return the thresholds with the best F1 on `gold`, which must be used neither for training nor for scoring.

    The tags of a question share a threshold. With separate thresholds, a tag that the model cannot predict gets one so low
    that it is placed everywhere. That maximises its own F1 and ruins the precision of the others. Under limits, where all tags
    compete for places, all share one threshold: in cross-validation that was as good as one for each question.
    """
    stacked = np.concatenate(list(margin))
    if limits:
        shared = _best_under(limits, stacked, margin, gold)
        return dict.fromkeys(TAGS, shared)
    labels = np.concatenate([from_tags(text).labels for text in gold])
    thresholds: dict[Tag, float] = {}
    rows = np.arange(len(stacked))
    for k, group in enumerate(_GROUPS):
        best = stacked[:, group].argmax(axis=1)
        shared = best_threshold(stacked[:, group][rows, best], labels[:, k] == best + 1, int((labels[:, k] > 0).sum()))
        thresholds |= {TAGS[column]: shared for column in group}
    return thresholds


def _best_under(
    limits: Limits, stacked: NDArray[np.floating], margin: Sequence[NDArray[np.floating]], gold: Sequence[TaggedText]
) -> float:
    """Return the threshold with the best F1 of the tags that the limits allow, trying some from strict to lax."""
    best = np.sort(np.concatenate([stacked[:, group].max(axis=1) for group in _GROUPS]).astype(float))[::-1]
    ranks = np.unique(np.geomspace(1, len(best) - 1, _TRIED).astype(int)) if len(best) > 1 else np.zeros(0, int)
    wanted = [set(text.tags) for text in gold]
    support = sum(map(len, wanted))

    def f1(threshold: float) -> float:
        placed = choose([text.words for text in gold], margin, dict.fromkeys(TAGS, threshold), limits)
        hits = sum(len(tags & set(text.tags)) for tags, text in zip(wanted, placed, strict=True))
        return 2 * hits / max(support + sum(len(text.tags) for text in placed), 1)

    tried = [float(best[rank - 1] + best[rank]) / 2 for rank in ranks]
    return max(tried, key=f1) if support and tried else 0.0


def best_threshold(scores: NDArray[np.floating], right: NDArray[np.bool_], support: int) -> float:
    """Return the threshold with the best F1 when everything with ``score > threshold`` is placed; 0 if nothing is wanted.

    Parameters
    ----------
    scores : array of shape (slots,)
        Margin of the preferred answer.
    right : array of bool, shape (slots,)
        Whether that answer is wanted there.
    support : int
        Number of wanted answers in total.

    Returns
    -------
    float
        Halfway between two scores, so that rounding of either does not change the result.
    """
    if not right.any():
        return 0.0
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    f1 = 2 * np.cumsum(right[order]) / (np.arange(1, len(scores) + 1) + support)
    f1[:-1][ranked[:-1] == ranked[1:]] = -1  # a threshold cannot separate equal scores
    best = int(f1.argmax())
    below = ranked[best + 1] if best + 1 < len(ranked) else ranked[best] - 1
    return float((ranked[best] + below) / 2)
