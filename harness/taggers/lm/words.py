"""Words as tokens: each word is encoded separately, so every token belongs to exactly one word."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MAX_WORD_TOKENS = 32  # a longer "word" (a URL, a line of dashes) is cut; the output keeps it whole
STATES = 4  # tokens of a slot: the last one before it, the first and last of the next word, the first of the one after


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
        """Return 1 to `MAX_WORD_TOKENS` token ids of a word with its leading space; a word that spells a tag stays text."""
        if word not in self._words:
            ids = self.tokenizer.encode(f" {word}", add_special_tokens=False, split_special_tokens=True)
            self._words[word] = ids[:MAX_WORD_TOKENS] or [self.end]
        return self._words[word]

    def windows(self, words: Sequence[str], budget: int, copies: int) -> list[tuple[int, int]]:
        """Cut words into spans of at least one word, whose tokens, repeated `copies` times, fit into `budget`."""
        spans, start, used = [], 0, 0
        for at, word in enumerate(words):
            cost = copies * len(self.word(word))
            if used + cost > budget and at > start:
                spans.append((start, at))
                start, used = at, 0
            used += cost
        return [*spans, (start, len(words))]


@dataclass(frozen=True)
class Layout:
    """Token ids of a text between two end tokens, and the `STATES` tokens that describe each slot."""

    ids: list[int]
    index: np.ndarray  # (slots, STATES)


def layout(encoder: WordEncoder, words: Sequence[str], copies: int = 1) -> Layout:
    """Encode a text; with two copies the slots point into the second, where a causal model knows the whole text."""
    once = [encoder.word(word) for word in words]
    pieces = [[encoder.end], *(once * copies), [encoder.end]]
    ends = np.cumsum([len(piece) for piece in pieces])
    starts = ends - [len(piece) for piece in pieces]
    behind = np.arange(len(words) * (copies - 1) + 1, len(words) * copies + 2)  # the piece after each slot
    following = np.minimum(behind + 1, len(pieces) - 1)
    index = np.stack([ends[behind - 1] - 1, starts[behind], ends[behind] - 1, starts[following]], axis=1)
    return Layout([token for piece in pieces for token in piece], index)


def pad_layouts(rows: Sequence[Layout], pad: int) -> dict[str, Any]:
    """Return a batch: ``input_ids`` and ``known`` of shape (texts, tokens), ``index`` of shape (texts, slots, STATES)."""
    import torch

    tokens, slots = max(len(row.ids) for row in rows), max(len(row.index) for row in rows)
    ids = torch.full((len(rows), tokens), pad)
    known = torch.zeros(len(rows), tokens, dtype=torch.bool)
    index = torch.zeros(len(rows), slots, STATES, dtype=torch.long)
    for k, row in enumerate(rows):
        ids[k, : len(row.ids)] = torch.tensor(row.ids)
        known[k, : len(row.ids)] = True
        index[k, : len(row.index)] = torch.from_numpy(row.index)
    return {"input_ids": ids, "known": known, "index": index}


def of_slots(
    encoder: WordEncoder,
    texts: Sequence[Sequence[str]],
    compute: Callable[[dict[str, Any]], np.ndarray],
    *,
    budget: int,
    tokens: int,
    copies: int = 1,
) -> list[np.ndarray]:
    """Compute an array with a row for each slot of each text.

    Parameters
    ----------
    encoder : WordEncoder
    texts : sequence of sequences of str
    compute : callable
        Function from a batch of `pad_layouts` to an array of shape (texts, slots, ...).
    budget : int
        Maximum number of word tokens of a text; a longer text is computed in pieces.
    tokens : int
        Maximum number of padded tokens in a batch.
    copies : int
        See `layout`.
    """
    spans = [encoder.windows(words, budget, copies) for words in texts]
    pieces = [layout(encoder, words[a:b], copies) for words, cuts in zip(texts, spans, strict=True) for a, b in cuts]
    found: dict[int, np.ndarray] = {}
    for rows in by_length([len(piece.ids) for piece in pieces], tokens):
        values = compute(pad_layouts([pieces[row] for row in rows], encoder.end))
        found |= {row: value[: len(pieces[row].index)] for row, value in zip(rows, values, strict=True)}
    in_order = (found[row] for row in range(len(pieces)))
    out = []
    for cuts in spans:
        *earlier, last = [next(in_order) for _ in cuts]
        out.append(
            np.concatenate([*(part[:-1] for part in earlier), last])
        )  # the slot between two pieces: the second's
    return out


def gather(states: Any, index: Any) -> Any:
    """Concatenate the states of each slot's tokens: (texts, tokens, width) -> (texts, slots, STATES * width)."""
    import torch

    return states[torch.arange(len(states), device=states.device)[:, None, None], index].flatten(2)


def by_length(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Group rows of similar length so that the padded size stays within `tokens`; a longer row is a group by itself."""
    group: list[int] = []
    for row in np.argsort(lengths, kind="stable").tolist():
        if group and lengths[row] * (len(group) + 1) > tokens:
            yield group
            group = []
        group.append(row)
    if group:
        yield group
