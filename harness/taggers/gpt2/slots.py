"""Read every slot of a text in parallel, and decide which tags to put there.

The model sees ``plain <newline> plain`` once. At each slot of the second copy it either prefers a tag or the next token
of the sentence; the difference of their logits is the *margin* of that tag (nats, positive: the tag is preferred). Words
are never generated, so they cannot change.

A slot may hold a pause and one other tag, the pause first. So there are two reads: pauses are placed after the first,
and the other tags are read behind them in the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.tagged import PAUSES, TAGS, Tag, TaggedText
from harness.taggers.gpt2.encoding import Encoder, collate, insert

MIN_SUPPORT = 5  # a tag with fewer examples in the tuning set gets the shared threshold
_PAUSES = [k for k, tag in enumerate(TAGS) if tag in PAUSES]
_OTHERS = [k for k, tag in enumerate(TAGS) if tag not in PAUSES]


def slot_margins(
    model, encoder: Encoder, texts: Sequence[TaggedText], batch_size: int = 32
) -> list[NDArray[np.float32]]:
    """Margins of all tags on all slots.

    Parameters
    ----------
    model : PreTrainedModel
        A causal language model with the tags in its vocabulary.
    encoder : Encoder
        Of its tokenizer.
    texts : sequence of TaggedText
        Tags already there are context; a slot is read behind its own tags. Each must fit the model's context.
    batch_size : int
        Texts a forward pass; they are sorted by length to waste little on padding.

    Returns
    -------
    list of arrays of shape (slots, tags)
        In nats, one array a text.
    """
    import torch

    tags = torch.tensor([encoder.tags[tag] for tag in TAGS])
    prompts = [encoder.prompt(text) for text in texts]
    order = sorted(range(len(prompts)), key=lambda at: len(prompts[at].ids))
    margins: dict[int, NDArray[np.float32]] = {}
    model.eval()
    for begin in range(0, len(order), batch_size):
        rows = order[begin : begin + batch_size]
        batch = collate(
            [{"input_ids": prompts[row].ids, "position_ids": prompts[row].positions} for row in rows], encoder.end
        )
        with torch.inference_mode():
            logits = model(**{name: value.to(model.device) for name, value in batch.items()}).logits.float().cpu()
        for line, row in enumerate(rows):
            at_slots = logits[line, prompts[row].slots]
            following = at_slots.gather(1, torch.tensor(prompts[row].following)[:, None])
            margins[row] = (at_slots[:, tags] - following).numpy()
    return [margins[row] for row in range(len(prompts))]


def place(
    model, encoder: Encoder, texts: Sequence[TaggedText], thresholds: Mapping[Tag, float], batch_size: int = 32
) -> list[TaggedText]:
    """Tag texts: pauses after the first read, the other tags after the second."""
    plain = [text.stripped() for text in texts]
    with_pauses = _choose(plain, slot_margins(model, encoder, plain, batch_size), thresholds, _PAUSES)
    return _choose(with_pauses, slot_margins(model, encoder, with_pauses, batch_size), thresholds, _OTHERS)


def tune(model, encoder: Encoder, gold: Sequence[TaggedText], batch_size: int = 32) -> dict[Tag, float]:
    """Thresholds that give the best F1 on `gold`, which must be neither trained nor scored on.

    Each tag has its own; one with fewer than `MIN_SUPPORT` examples shares the threshold that is best for all tags of
    its read together.
    """
    plain = [text.stripped() for text in gold]
    thresholds: dict[Tag, float] = {}
    margins = slot_margins(model, encoder, plain, batch_size)
    thresholds |= _tune_columns(margins, gold, _PAUSES)
    with_pauses = _choose(plain, margins, thresholds, _PAUSES)
    thresholds |= _tune_columns(slot_margins(model, encoder, with_pauses, batch_size), gold, _OTHERS)
    return thresholds


def _choose(texts, margins, thresholds, columns) -> list[TaggedText]:
    """Add to each slot the one tag of `columns` that clears its threshold by most, if any does."""
    limits = np.array([thresholds.get(TAGS[k], 0.0) for k in columns])
    chosen = []
    for text, margin in zip(texts, margins, strict=True):
        excess = margin[:, columns] - limits
        by_slot = text.by_slot()
        best = excess.argmax(axis=1)
        slot_tags = [
            (*by_slot.get(slot, ()), *((TAGS[columns[best[slot]]],) if excess[slot, best[slot]] > 0 else ()))
            for slot in range(len(text.words) + 1)
        ]
        chosen.append(insert(text, slot_tags))
    return chosen


def _tune_columns(margins, gold, columns) -> dict[Tag, float]:
    stacked = np.concatenate([margin[:, columns] for margin in margins])
    wanted = np.concatenate(
        [
            [[TAGS[k] in text.by_slot().get(slot, ()) for k in columns] for slot in range(len(text.words) + 1)]
            for text in gold
        ]
    )
    shared = best_threshold(stacked.ravel(), wanted.ravel())
    return {
        TAGS[k]: best_threshold(stacked[:, c], wanted[:, c]) if wanted[:, c].sum() >= MIN_SUPPORT else shared
        for c, k in enumerate(columns)
    }


def best_threshold(scores: NDArray[np.floating], wanted: NDArray[np.bool_]) -> float:
    """The threshold with the best F1 of ``scores > threshold`` against `wanted`; 0 if nothing is wanted.

    It lies halfway between two scores, so that it does not hang on the last digit of one.
    """
    if not wanted.any():
        return 0.0
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(wanted[order])
    f1 = 2 * hits / (np.arange(1, len(scores) + 1) + wanted.sum())
    ranked = scores[order]
    f1[:-1][ranked[:-1] == ranked[1:]] = -1  # equal scores cannot be told apart
    best = int(f1.argmax())
    below = ranked[best + 1] if best + 1 < len(ranked) else ranked[best] - 1
    return float((ranked[best] + below) / 2)
