"""One binary model for each tag: the mean of a logistic regression and of gradient boosted trees on the hand features.

Both are fitted by scikit-learn and then kept as arrays, so that a model is saved as JSON, loaded without scikit-learn, and never
unpickled. The settings were chosen by cross-validation on the 98 training examples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.tagged import TAGS, Tag
from harness.taggers.hand.features import FAMILIES, Row, analyse, candidates, family
from harness.taggers.slots import TAG_QUESTIONS, Questions, Scores, SlotText, columns

REGULARISATION = 0.3  # C of the logistic regression
TREES: Mapping[str, Any] = {
    "max_iter": 60, "learning_rate": 0.08, "max_leaf_nodes": 8, "min_samples_leaf": 5, "l2_regularization": 1.0,
}  # fmt: skip
LEAST_USES = 2  # a feature of fewer training slots is left out
LEAST_TAGS = 2  # a tag with fewer training examples is never placed
_LOWEST = -20.0  # log-probability of what cannot be
_DIGITS = 6  # significant digits of the kept numbers


@dataclass(frozen=True)
class Trees:
    """An ensemble of regression trees. The arrays have one entry per node; children are node numbers, and 0 at a leaf.

    Parameters
    ----------
    roots : array of int, shape (trees,)
    feature, threshold, left, right, value : arrays of shape (nodes,)
        A row goes left if its feature is at most the threshold; `value` counts at leaves.
    base : float
        Log-odds before the first tree.
    """

    roots: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]
    base: float

    @classmethod
    def of(cls, fitted: Any) -> Trees:
        """Return the trees of a fitted `sklearn.ensemble.HistGradientBoostingClassifier` with two classes."""
        nodes = [stage[0].nodes for stage in fitted._predictors]
        roots = np.cumsum([0, *map(len, nodes)])[:-1]
        stacked = np.concatenate(nodes)
        shift = np.repeat(roots, [len(part) for part in nodes])
        inner = stacked["is_leaf"] == 0
        child = {side: np.where(inner, stacked[side].astype(np.int64) + shift, 0) for side in ("left", "right")}
        return cls(roots, stacked["feature_idx"].astype(np.int64), np.where(inner, stacked["num_threshold"], 0.0), child["left"],
                   child["right"], stacked["value"].astype(float), float(np.ravel(fitted._baseline_prediction)[0]))  # fmt: skip

    def log_odds(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds of rows of features, shape (rows, features)."""
        at = np.repeat(self.roots[None, :], len(rows), axis=0)
        while (inner := self.left[at] > 0).any():
            goes_left = np.take_along_axis(rows, self.feature[at], axis=1) <= self.threshold[at]
            at = np.where(inner, np.where(goes_left, self.left[at], self.right[at]), at)
        return self.base + self.value[at].sum(axis=1)


@dataclass(frozen=True)
class TagModel:
    """The two models of one tag: `weights` and `bias` of a logistic regression, and trees, on the same `features`."""

    features: tuple[str, ...]
    weights: NDArray[np.float64]
    bias: float
    trees: Trees

    @classmethod
    def fit(cls, rows: Sequence[Row], wanted: NDArray[np.bool_], seed: int) -> TagModel | None:
        """Fit both on the rows of candidate slots; None if the tag is too rare."""
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression

        if wanted.sum() < LEAST_TAGS or wanted.all():
            return None
        uses = Counter(name for row in rows for name in row)
        # The frequent features come first: the trees are fitted on these, because a leaf of fewer rows is not made.
        features = tuple(
            sorted((name for name in uses if uses[name] >= LEAST_USES), key=lambda name: (-uses[name], name))
        )
        frequent = sum(uses[name] >= TREES["min_samples_leaf"] for name in features)
        matrix = _matrix(rows, features)
        linear = LogisticRegression(C=REGULARISATION, solver="liblinear", max_iter=500).fit(matrix, wanted)
        boosted = HistGradientBoostingClassifier(**TREES, early_stopping=False, random_state=seed)
        boosted.fit(matrix[:, :frequent], wanted)
        return cls(features, linear.coef_[0], float(linear.intercept_[0]), Trees.of(boosted))

    def probabilities(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        """Return the probability of the tag at each candidate slot: the mean of both models."""
        matrix = _matrix(rows, self.features)
        return (_logistic(matrix @ self.weights + self.bias) + _logistic(self.trees.log_odds(matrix))) / 2

    def as_json(self) -> dict[str, Any]:
        """Return plain numbers; see `from_json`."""
        trees = {name: _plain(value) for name, value in vars(self.trees).items()}
        return {
            "features": list(self.features),
            "weights": _plain(self.weights),
            "bias": _plain(self.bias),
            "trees": trees,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> TagModel:
        """Return the model that `as_json` described."""
        whole = ("roots", "feature", "left", "right")
        trees: dict[str, Any] = {
            name: value if name == "base" else np.array(value, dtype=np.int64 if name in whole else np.float64)
            for name, value in kept["trees"].items()
        }
        return cls(tuple(kept["features"]), np.array(kept["weights"], dtype=np.float64), kept["bias"], Trees(**trees))


class HandModel:
    """A slot model; see `harness.taggers.slots.SlotModel`. It answers `harness.taggers.slots.TAG_QUESTIONS` only.

    Parameters
    ----------
    questions : tuple of Question
    seed : int
        Random seed of the trees.
    tags : mapping of Tag to TagModel, optional
        Fitted models.
    """

    def __init__(
        self, questions: Questions = TAG_QUESTIONS, seed: int = 0, tags: Mapping[Tag, TagModel] | None = None
    ) -> None:
        if questions != TAG_QUESTIONS:
            raise ValueError("the hand features answer questions about tags only")
        self.questions, self.seed = questions, seed
        self.tags = dict(tags or {})

    def fit(self, train: Sequence[SlotText], dev: Sequence[SlotText] = ()) -> None:
        """Fit one model per tag on its candidate slots; `dev` is not used."""
        analyses, rows = analyse([text.words for text in train])
        self.tags = {}
        for tag in TAGS:
            question, answer = _place(tag)
            slots = [(k, slot) for k, text in enumerate(analyses) for slot in candidates(text, tag)]
            wanted = np.array([train[k].labels[slot, question] == answer for k, slot in slots], dtype=bool)
            model = TagModel.fit([_of(tag, rows[k][slot]) for k, slot in slots], wanted, self.seed)
            if model:
                self.tags[tag] = model

    def slot_scores(self, texts: Sequence[Sequence[str]]) -> list[Scores]:
        """See `harness.taggers.slots.SlotModel.slot_scores`."""
        analyses, rows = analyse(texts)
        found = [np.zeros((len(words) + 1, len(TAGS))) for words in texts]
        for tag, model in self.tags.items():
            slots = [(k, slot) for k, text in enumerate(analyses) for slot in candidates(text, tag)]
            if slots:
                column = TAGS.index(tag)
                values = model.probabilities([_of(tag, rows[k][slot]) for k, slot in slots])
                for (k, slot), value in zip(slots, values, strict=True):
                    found[k][slot, column] = value
        return [_answers(values) for values in found]


def _place(tag: Tag) -> tuple[int, int]:
    """Return the question that a tag answers, and the number of the answer."""
    return next((k, question.answers.index(tag.value)) for k, question in enumerate(TAG_QUESTIONS)
                if tag.value in question.answers)  # fmt: skip


def _of(tag: Tag, row: Row) -> Row:
    return {name: value for name, value in row.items() if family(name) in FAMILIES[tag]}


def _answers(probabilities: NDArray[np.float64]) -> Scores:
    """Turn a probability for each tag into log-probabilities of the answers; if those of a question exceed 1, they share it."""
    out = np.empty((len(probabilities), sum(len(question.answers) for question in TAG_QUESTIONS)), dtype=np.float32)
    for question, part in zip(TAG_QUESTIONS, columns(TAG_QUESTIONS), strict=True):
        tags = probabilities[:, [TAGS.index(Tag(answer)) for answer in question.answers[1:]]]
        tags = tags / np.maximum(1.0, tags.sum(axis=1, keepdims=True))
        values = np.hstack([1 - tags.sum(axis=1, keepdims=True), tags])
        out[:, part] = np.log(np.maximum(values, np.exp(_LOWEST)))
    return out


def _matrix(rows: Sequence[Row], features: Sequence[str]) -> NDArray[np.float64]:
    """Return the features of rows as an array of shape (rows, features)."""
    column = {name: k for k, name in enumerate(features)}
    matrix = np.zeros((len(rows), len(features)))
    for k, row in enumerate(rows):
        for name, value in row.items():
            if name in column:
                matrix[k, column[name]] = value
    return matrix


def _logistic(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-log_odds))


def _plain(value: Any) -> Any:
    """Return numbers for JSON, floats with `_DIGITS` digits."""
    if isinstance(value, np.ndarray):
        return value.tolist() if value.dtype.kind == "i" else [float(f"{number:.{_DIGITS}g}") for number in value]
    return float(f"{value:.{_DIGITS}g}")
