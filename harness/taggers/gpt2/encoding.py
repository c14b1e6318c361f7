"""Texts as token ids.

One training text is ``plain <newline> tagged <end of text>``: the model reads the sentence, then writes it again with
the tags in. Each word is encoded by itself with a space in front, so that words and tokens always line up, whatever
stands between two words.

The copy counts its positions from the start again: a word has the same position in both halves, so looking up "the
token at my place" is something that a small model learns at once. A tag has the position of the word that follows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.tagged import TAGS, Tag, TaggedText
from harness.taggers.gpt2.base_model import tag_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100  # label that PyTorch's cross-entropy leaves out
SEPARATOR = "\n"
MAX_WORD_TOKENS = 32  # of a longer "word" (a URL, a line of dashes) the beginning is read; it is never written back


@dataclass(frozen=True)
class Prompt:
    """Token ids of a text, and where its slots are read.

    Parameters
    ----------
    ids : list of int
        ``plain <newline> text``.
    positions : list of int
        Position of each token; the copy counts anew.
    slots : list of int
        For each slot, the position whose next-token distribution decides about it.
    following : list of int
        For each slot, the token that comes next if no tag does: the first of the next word, or end of text.
    """

    ids: list[int]
    positions: list[int]
    slots: list[int]
    following: list[int]


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

    def prompt(self, text: TaggedText) -> Prompt:
        """Plain sentence, separator, and the sentence with the tags that `text` holds."""
        ids = [self.end, *(token for word in text.words for token in self.word(word)), *self.separator]
        positions = [*range(len(ids) - len(self.separator)), *([0] * len(self.separator))]
        by_slot = text.by_slot()
        slots, following, position = [], [], 1
        for slot in range(len(text.words) + 1):
            tags = [self.tags[tag] for tag in by_slot.get(slot, ())]
            ids += tags
            positions += [position] * len(tags)
            slots.append(len(ids) - 1)
            tokens = self.word(text.words[slot]) if slot < len(text.words) else [self.end]
            following.append(tokens[0])
            if slot < len(text.words):
                ids += tokens
                positions += range(position, position + len(tokens))
                position += len(tokens)
        return Prompt(ids, positions, slots, following)

    def training(self, text: TaggedText) -> dict[str, list[int]]:
        """Ids and labels of one training text; the prompt is masked, so that only the copy is learned."""
        prompt = self.prompt(text)
        ids = [*prompt.ids, self.end]
        plain = prompt.slots[0] + 1 - len(text.by_slot().get(0, ()))
        positions = [*prompt.positions, prompt.positions[-1] + 1]
        return {"input_ids": ids, "position_ids": positions, "labels": [IGNORED] * plain + ids[plain:]}

    def windows(self, words: Sequence[str], budget: int) -> list[tuple[int, int]]:
        """Cut words into spans that fit `budget` tokens (both copies, separator, and room for tags)."""
        spans, start, used = [], 0, 4
        for at, word in enumerate(words):
            cost = 2 * len(self.word(word)) + 2
            if used + cost > budget and at > start:
                spans.append((start, at))
                start, used = at, 4
            used += cost
        return [*spans, (start, len(words))]


def collate(rows: Sequence[Mapping[str, Sequence[int]]], pad: int) -> dict[str, Any]:
    """Pad rows to one length: a batch for the model. Pads are masked from attention and from the loss.

    The mask is always part of the batch: without one, transformers 5 takes positions that start anew for a second
    document, and the copy would not see the sentence.
    """
    import torch

    longest = max(len(row["input_ids"]) for row in rows)
    fill = {"input_ids": pad, "position_ids": 0, "labels": IGNORED}
    batch = {
        name: torch.tensor([[*row[name], *[value] * (longest - len(row[name]))] for row in rows])
        for name, value in fill.items()
        if name in rows[0]
    }
    lengths = torch.tensor([len(row["input_ids"]) for row in rows])
    batch["attention_mask"] = (torch.arange(longest) < lengths[:, None]).long()
    return batch


def insert(text: TaggedText, slot_tags: Sequence[Sequence[Tag]]) -> TaggedText:
    """The words of `text` with `slot_tags[i]` on slot i."""
    return TaggedText(text.words, [(slot, tag) for slot, tags in enumerate(slot_tags) for tag in tags])
