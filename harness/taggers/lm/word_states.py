"""Texts for models that read word states off a language model: one copy, and where the words of each slot lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.taggers.lm.words import WordEncoder

STATES = 4  # of a slot: last token before it, first and last of the word behind it, first of the word after that


@dataclass(frozen=True)
class Layout:
    """Token ids of a text between two end tokens, and for each slot the `STATES` tokens that tell about it."""

    ids: list[int]
    index: np.ndarray  # (slots, STATES)


def layout(encoder: WordEncoder, words: Sequence[str], copies: int = 1) -> Layout:
    """Lay a text out; with two copies the slots point into the second, where a causal model knows the whole text."""
    once = [encoder.word(word) for word in words]
    pieces = [[encoder.end], *(once * copies), [encoder.end]]
    ends = np.cumsum([len(piece) for piece in pieces])
    starts = ends - [len(piece) for piece in pieces]
    behind = np.arange(len(words) * (copies - 1) + 1, len(words) * copies + 2)  # the piece behind each slot
    following = np.minimum(behind + 1, len(pieces) - 1)
    index = np.stack([ends[behind - 1] - 1, starts[behind], ends[behind] - 1, starts[following]], axis=1)
    return Layout([token for piece in pieces for token in piece], index)


def pad_layouts(rows: Sequence[Layout], pad: int) -> dict[str, Any]:
    """A batch: ``input_ids`` and ``known`` of shape (texts, tokens), ``index`` of shape (texts, slots, STATES)."""
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


def gather(states: Any, index: Any) -> Any:
    """States of the slots' tokens side by side: (texts, tokens, width) and (texts, slots, STATES) -> (texts, slots, STATES * width)."""
    import torch

    return states[torch.arange(len(states), device=states.device)[:, None, None], index].flatten(2)
