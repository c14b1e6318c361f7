"""Words as tokens: each word is encoded by itself, so words and tokens always line up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MAX_WORD_TOKENS = 32  # of a longer "word" (a URL, a line of dashes) the beginning is read; it is never written back


class WordEncoder:
    """Encodes words for one tokenizer.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.end = int(tokenizer.eos_token_id)
        self._words: dict[str, list[int]] = {}

    def word(self, word: str) -> list[int]:
        """Token ids of one word with its leading space, 1 to `MAX_WORD_TOKENS`; a word that spells a tag stays text."""
        if word not in self._words:
            ids = self.tokenizer.encode(f" {word}", add_special_tokens=False, split_special_tokens=True)
            self._words[word] = ids[:MAX_WORD_TOKENS] or [self.end]
        return self._words[word]

    def windows(self, words: Sequence[str], budget: int, copies: int) -> list[tuple[int, int]]:
        """Cut words into spans whose tokens, repeated `copies` times, fit into `budget`; at least one word each."""
        spans, start, used = [], 0, 0
        for at, word in enumerate(words):
            cost = copies * len(self.word(word))
            if used + cost > budget and at > start:
                spans.append((start, at))
                start, used = at, 0
            used += cost
        return [*spans, (start, len(words))]
