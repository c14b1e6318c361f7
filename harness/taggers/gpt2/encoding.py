"""Texts as token ids.

The model reads the sentence twice: ``plain <newline> plain``. A causal model sees only what came before, so in the second
copy, and only there, it knows the whole sentence when it reaches a slot. Each word is encoded by itself with a space in
front, so that words and tokens always line up, whatever stands between two words.

The copy counts its positions from the start again: a word has the same position in both halves, so looking up "what
follows at my place" is something that a small model learns at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from harness.tagged import PAUSES, TAGS, Tag, TaggedText
from harness.taggers.gpt2.base_model import tag_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100  # label that PyTorch's cross-entropy leaves out
SEPARATOR = "\n"
MAX_WORD_TOKENS = 32  # of a longer "word" (a URL, a line of dashes) the beginning is read; it is never written back


# A slot may hold a pause and one other tag, so they are two questions, each with the answer "none".
GROUPS: tuple[tuple[Tag, ...], ...] = (
    tuple(tag for tag in TAGS if tag in PAUSES),
    tuple(tag for tag in TAGS if tag not in PAUSES),
)


@dataclass(frozen=True)
class Prompt:
    """Token ids of a text, and where its slots are read.

    Parameters
    ----------
    ids : list of int
        ``<end of text> plain <newline> plain``.
    positions : list of int
        Position of each token; the copy counts anew.
    slots : list of int
        For each slot, the token at which it is decided: the last one before it in the copy.
    """

    ids: list[int]
    positions: list[int]
    slots: list[int]


class Encoder:
    """Encodes texts for one tokenizer.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
        With the tags added (`load_base`).
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.end = int(tokenizer.eos_token_id)
        self.separator = tokenizer.encode(SEPARATOR, add_special_tokens=False)
        self.tags = dict(zip(TAGS, tag_ids(tokenizer), strict=False))
        self._words: dict[str, list[int]] = {}

    def word(self, word: str) -> list[int]:
        """Token ids of one word with its leading space, at most `MAX_WORD_TOKENS`; a word that spells a tag stays text."""
        if word not in self._words:
            ids = self.tokenizer.encode(f" {word}", add_special_tokens=False, split_special_tokens=True)
            self._words[word] = ids[:MAX_WORD_TOKENS]
        return self._words[word]

    def prompt(self, words: Sequence[str]) -> Prompt:
        """The words twice, with a separator between."""
        tokens = [self.word(word) for word in words]
        flat = [token for word in tokens for token in word]
        ids = [self.end, *flat, *self.separator, *flat]
        positions = [*range(len(flat) + 1), *([0] * len(self.separator)), *range(1, len(flat) + 1)]
        ends = accumulate(len(word) for word in tokens)
        first = len(flat) + len(self.separator)  # the last separator token decides about slot 0
        return Prompt(ids, positions, [first, *(first + end for end in ends)])

    def training(self, text: TaggedText) -> dict[str, Any]:
        """One training text: ids, positions, and for each token the answer to each question (`GROUPS`).

        An answer is the index of the tag in its group plus 1, or 0 for none; tokens that decide nothing are ignored.
        """
        prompt = self.prompt(text.words)
        labels = [[IGNORED] * len(GROUPS) for _ in prompt.ids]
        by_slot = text.by_slot()
        for slot, at in enumerate(prompt.slots):
            here = by_slot.get(slot, ())
            labels[at] = [next((g.index(tag) + 1 for tag in here if tag in g), 0) for g in GROUPS]
        return {"input_ids": prompt.ids, "position_ids": prompt.positions, "labels": labels}

    def answers(self) -> list[list[int]]:
        """Token ids of the answers to each question: "none" is the newline, the others are tags."""
        return [[self.separator[-1], *(self.tags[tag] for tag in group)] for group in GROUPS]

    def windows(self, words: Sequence[str], budget: int) -> list[tuple[int, int]]:
        """Cut words into spans that fit `budget` tokens: both copies, separator and end."""
        spans, start, used = [], 0, 4
        for at, word in enumerate(words):
            cost = 2 * len(self.word(word))
            if used + cost > budget and at > start:
                spans.append((start, at))
                start, used = at, 4
            used += cost
        return [*spans, (start, len(words))]


def collate(rows: Sequence[Mapping[str, Any]], pad: int) -> dict[str, Any]:
    """Pad rows to one length: a batch for the model. Pads are masked from attention and from the loss.

    The mask is always part of the batch: without one, transformers 5 takes positions that start anew for a second
    document, and the copy would not see the sentence.
    """
    import torch

    longest = max(len(row["input_ids"]) for row in rows)
    fill: dict[str, Any] = {"input_ids": pad, "position_ids": 0}
    if "labels" in rows[0]:
        fill["labels"] = [IGNORED] * len(GROUPS) if isinstance(rows[0]["labels"][0], list) else IGNORED
    batch = {
        name: torch.tensor([[*row[name], *[value] * (longest - len(row[name]))] for row in rows])
        for name, value in fill.items()
    }
    lengths = torch.tensor([len(row["input_ids"]) for row in rows])
    batch["attention_mask"] = (torch.arange(longest) < lengths[:, None]).long()
    return batch
