"""Logistic regression on words, their neighbours and their punctuation: the classical baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.datasets import UNLABELLED, bare_word, is_closed_class
from harness.records import Example
from harness.taggers.base import register_tagger
from harness.taggers.fitted import SlotTagger
from harness.taggers.slots import TAG_QUESTIONS, Questions, Scores, SlotText, columns

REGULARISATION = 1.0  # scikit-learn's C, at its default


class LogisticModel:
    """One multinomial logistic regression per question, on indicator features of the words around the slot.

    Parameters
    ----------
    questions : tuple of Question
    """

    def __init__(self, questions: Questions) -> None:
        self.questions = questions

    def fit(self, train: Sequence[SlotText], dev: Sequence[SlotText] = ()) -> None:
        """Fit on all labelled slots; see `harness.taggers.slots.SlotModel.fit`."""
        from sklearn.feature_extraction import DictVectorizer

        self._vectorizer = DictVectorizer(dtype=np.float32)
        rows = self._vectorizer.fit_transform([row for text in train for row in slot_features(text.words)])
        self._models = fit_questions(rows, np.concatenate([text.labels for text in train]), self.questions)

    def slot_scores(self, texts: Sequence[Sequence[str]]) -> list[Scores]:
        """See `harness.taggers.slots.SlotModel.slot_scores`."""
        if not texts:
            return []
        rows = self._vectorizer.transform([row for words in texts for row in slot_features(words)])
        scores = predict_questions(self._models, rows, self.questions)
        return np.split(scores, np.cumsum([len(words) + 1 for words in texts])[:-1])


def fit_questions(rows: Any, labels: np.ndarray, questions: Questions) -> list[Any]:
    """Fit one logistic regression per question; `rows` has shape (slots, features), `labels` (slots, questions).

    If only one answer to a question occurs, its number takes the place of a model: there is nothing to fit.
    """
    from sklearn.linear_model import LogisticRegression

    models: list[Any] = []
    for k in range(len(questions)):
        known = labels[:, k] != UNLABELLED
        answers = np.unique(labels[known, k])
        if len(answers) < 2:
            models.append(int(answers[0]) if len(answers) else 0)
            continue
        model = LogisticRegression(C=REGULARISATION, max_iter=300, tol=1e-3)
        models.append(model.fit(rows[np.flatnonzero(known)], labels[known, k]))
    return models


def predict_questions(models: Sequence[Any], rows: Any, questions: Questions) -> Scores:
    """Return log-probabilities of all answers, shape (slots, answers); an answer that never occurred gets about -20."""
    out = np.full((rows.shape[0], sum(len(q.answers) for q in questions)), -20.0, dtype=np.float32)
    for model, part in zip(models, columns(questions), strict=True):
        if isinstance(model, int):
            out[:, part.start + model] = 0.0
        else:
            out[:, part.start + model.classes_] = np.maximum(model.predict_log_proba(rows), -20.0)
    return out


def slot_features(words: Sequence[str]) -> list[dict[str, float]]:
    """Return indicator features of each slot: neighbouring words, endings, punctuation, capitals, place in the sentence."""
    padded = ["<start>", "<start>", *words, "<end>", "<end>", "<end>"]
    rows = []
    for slot in range(len(words) + 1):
        before, last, here, following = padded[slot : slot + 4]
        row = {f"before={bare_word(before)}", f"last={bare_word(last)}", f"word={bare_word(here)}",
               f"next={bare_word(following)}", f"mark={last[-1] if not last[-1].isalnum() else ''}",
               f"mark behind={here[-1] if not here[-1].isalnum() else ''}", f"ending={bare_word(here)[-3:]}",
               f"function={is_closed_class(here)},{is_closed_class(last)},{is_closed_class(following)}",
               f"capital={here[0].isupper()},{slot == 0}", f"from start={min(slot, 4)}",
               f"from end={min(len(words) - slot, 4)}", f"length={min(len(here) // 3, 4)}"}  # fmt: skip
        rows.append(dict.fromkeys(sorted(row), 1.0))
    return rows


@register_tagger("logistic")
class LogisticTagger(SlotTagger):
    """Logistic regression on each word, its neighbours and punctuation (`LogisticModel`).

    Parameters
    ----------
    examples : sequence of Example, optional
    seed : int
        Random seed of the folds on which thresholds are tuned.
    limits : bool, optional
        Whether to keep the annotation guide's limits; by default, if the examples keep them.
    """

    def __init__(self, examples: Sequence[Example] | None = None, seed: int = 0, limits: bool | None = None) -> None:
        super().__init__("logistic", lambda: LogisticModel(TAG_QUESTIONS), examples, seed, limits)
