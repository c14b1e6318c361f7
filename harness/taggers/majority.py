"""Majority per word: lookup tables, the baseline that a language model must beat.

A lookup table knows words but no context, so whatever a model scores above it comes from the rest of the sentence.
`MajorityTagger` looks up tags. `LookupModel` is the same idea as a slot model, which answers with probabilities.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from harness.datasets import UNLABELLED, bare_word, load_examples
from harness.tagged import Tag, TaggedText
from harness.taggers.base import register_tagger
from harness.taggers.slots import Questions, Scores, SlotText, columns

_END = "\n"  # represents the slot after the last word; no word can be a newline
# In counts: words seen in training keep their majority, unseen words get the distribution of words seen once.
SMOOTHING = 1e-3


@register_tagger("majority")
class MajorityTagger:
    """Places the most frequent tags before each word type; unseen words get none.

    Parameters
    ----------
    examples : sequence of TaggedText, optional
        Training texts; the embedded ones by default.
    """

    name = "majority"

    def __init__(self, examples: Sequence[TaggedText] | None = None) -> None:
        if examples is None:
            examples = [example.tagged for example in load_examples("train")]
        seen: dict[str, Counter[tuple[Tag, ...]]] = defaultdict(Counter)
        for text in examples:
            by_slot = text.by_slot()
            for slot, word in enumerate(_keys(text)):
                seen[word][by_slot.get(slot, ())] += 1
        # Ties go to fewer tags, then to the alphabet, so that the table does not depend on the order of the data.
        self.table = {word: max(c, key=lambda tags: (c[tags], -len(tags), tags)) for word, c in seen.items()}

    def tag(self, texts: Sequence[TaggedText]) -> list[TaggedText]:
        """Look every word up; see `harness.taggers.base.Tagger.tag`."""
        return [
            TaggedText(
                text.words,
                [(slot, tag) for slot, word in enumerate(_keys(text)) for tag in self.table.get(word, ())],
            )
            for text in texts
        ]


def _keys(text: TaggedText) -> list[str]:
    return [*(bare_word(word) for word in text.words), _END]


class LookupModel:
    """Relative frequencies of the answers for each word type.

    An unseen word gets the distribution of the words seen once: rare words resemble rare words, not "the". On the corpus this
    gains four points of 3-way accuracy over the overall prior.

    A boundary or a pause is looked up by the word *before* the slot, which carries the punctuation. All other questions are
    looked up by the word after it.

    Parameters
    ----------
    questions : tuple of Question
    """

    def __init__(self, questions: Questions) -> None:
        self.questions = questions

    def fit(self, train: Sequence[SlotText], dev: Sequence[SlotText] = ()) -> None:
        """Count the answers; see `harness.taggers.slots.SlotModel.fit`."""
        width = sum(len(question.answers) for question in self.questions)
        parts = columns(self.questions)
        self._counts: list[dict[str, np.ndarray]] = [defaultdict(lambda: np.zeros(width)) for _ in self.questions]
        for text in train:
            for k, part in enumerate(parts):
                for key, label in zip(self._keys(text.words, k), text.labels[:, k].tolist(), strict=True):
                    if label != UNLABELLED:
                        self._counts[k][key][part.start + label] += 1
        self._prior = np.full(width, SMOOTHING)
        for k, part in enumerate(parts):
            counts = [count[part] for count in self._counts[k].values()]
            once = [count for count in counts if count.sum() == 1]
            self._prior[part] += np.sum(once or counts, axis=0)
            self._prior[part] /= self._prior[part].sum()

    def slot_scores(self, texts: Sequence[Sequence[str]]) -> list[Scores]:
        """Look every word up; see `harness.taggers.slots.SlotModel.slot_scores`."""
        scores = []
        for words in texts:
            score = np.empty((len(words) + 1, len(self._prior)), dtype=np.float32)
            for k, part in enumerate(columns(self.questions)):
                for slot, key in enumerate(self._keys(words, k)):
                    counts = self._counts[k].get(key, np.zeros(len(self._prior)))[part]
                    smoothed = counts + SMOOTHING * self._prior[part]
                    score[slot, part] = np.log(smoothed / smoothed.sum())
            scores.append(score)
        return scores

    def _keys(self, words: Sequence[str], question: int) -> list[str]:
        if self.questions[question].name in ("boundary", "pause"):
            return [_END, *(word.lower() for word in words)]
        return [*(bare_word(word) or word for word in words), _END]
