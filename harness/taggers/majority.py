"""Majority per word: a lookup table, the baseline that a language model must beat.

For each word type, the tags that stood before it most often in training. It knows words but no context, so what a
model adds over it is what the model reads from the sentence.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from harness.datasets import bare_word, load_examples
from harness.tagged import Tag, TaggedText
from harness.taggers.base import register_tagger

_END = "\n"  # the slot behind the last word; no word can be a newline


@register_tagger("majority")
class MajorityTagger:
    """The most frequent tags before each word type; unseen words get none.

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
