"""Read every slot of a text in parallel, and decide which tags to put there.

At each slot of the second copy the model answers two questions (`GROUPS`): which pause, or none; which other tag, or
none. The difference between the logits of a tag and of "none" is the *margin* of that tag (nats; positive: the tag is
preferred). Words are never generated, so they cannot change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.tagged import TAGS, Tag, TaggedText
from harness.taggers.gpt2.encoding import GROUPS, IGNORED, Encoder, collate

_COLUMNS = [[TAGS.index(tag) for tag in group] for group in GROUPS]


def slot_loss(logits: Any, labels: Any, answers: Sequence[Sequence[int]]) -> Any:
    """Cross-entropy of the answers at the slots, averaged over slots and summed over questions.

    Only the answers compete with each other, not the whole vocabulary: a model that is unsure of the next word would
    otherwise seem sure of a tag.

    Parameters
    ----------
    logits : tensor of shape (texts, tokens, vocabulary)
    labels : tensor of shape (texts, tokens, questions)
        See `Encoder.training`.
    answers : sequence of sequence of int
        See `Encoder.answers`.
    """
    from torch.nn.functional import cross_entropy

    decided = labels[..., 0] != IGNORED
    at_slots, wanted = logits[decided].float(), labels[decided]
    return sum(cross_entropy(at_slots[:, ids], wanted[:, question]) for question, ids in enumerate(answers))


def slot_margins(
    model: Any, encoder: Encoder, texts: Sequence[TaggedText], batch_size: int = 32
) -> list[NDArray[np.float32]]:
    """Margins of all tags on all slots.

    Parameters
    ----------
    model : PreTrainedModel
        A causal language model with the tags in its vocabulary.
    encoder : Encoder
        Of its tokenizer.
    texts : sequence of TaggedText
        Only words are read. Each text must fit the model's context (`Encoder.windows`).
    batch_size : int
        Texts a forward pass; they are sorted by length to waste little on padding.

    Returns
    -------
    list of arrays of shape (slots, tags)
        In nats, one array a text, columns in the order of `TAGS`.
    """
    import torch

    prompts = [encoder.prompt(text.words) for text in texts]
    order = sorted(range(len(prompts)), key=lambda at: len(prompts[at].ids))
    answers = encoder.answers()
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
            at_slots = logits[line, prompts[row].slots].numpy()
            margins[row] = np.empty((len(prompts[row].slots), len(TAGS)), dtype=np.float32)
            for columns, (none, *tags) in zip(_COLUMNS, answers, strict=True):
                margins[row][:, columns] = at_slots[:, tags] - at_slots[:, [none]]
    return [margins[row] for row in range(len(prompts))]


def place(
    model: Any, encoder: Encoder, texts: Sequence[TaggedText], thresholds: Mapping[Tag, float], batch_size: int = 32
) -> list[TaggedText]:
    """Tag texts: of each group, the tag that clears its threshold by most, if one does; the pause first."""
    return choose(texts, slot_margins(model, encoder, texts, batch_size), thresholds)


def choose(
    texts: Sequence[TaggedText], margins: Sequence[NDArray[np.float32]], thresholds: Mapping[Tag, float]
) -> list[TaggedText]:
    """As `place`, from margins that are already there; a tag without a threshold has 0."""
    chosen = []
    for text, margin in zip(texts, margins, strict=True):
        tags: list[tuple[int, Tag]] = []
        for columns in _COLUMNS:
            excess = margin[:, columns] - np.array([thresholds.get(TAGS[k], 0.0) for k in columns])
            best = excess.argmax(axis=1)
            tags += [(int(slot), TAGS[columns[best[slot]]]) for slot in np.flatnonzero(excess.max(axis=1) > 0)]
        chosen.append(TaggedText(text.words, tags))
    return chosen


def tune(margins: Sequence[NDArray[np.float32]], gold: Sequence[TaggedText]) -> dict[Tag, float]:
    """Thresholds that give the best F1 on `gold`, which must be neither trained nor scored on.

    The tags of a group share one. With a threshold each, a tag that the model cannot place gets one so low that it is placed
    everywhere: that is its best F1, and it drags all others down.
    """
    stacked = np.concatenate(list(margins))
    wanted = np.concatenate(
        [
            [[tag in text.by_slot().get(slot, ()) for tag in TAGS] for slot in range(len(text.words) + 1)]
            for text in gold
        ]
    )
    thresholds: dict[Tag, float] = {}
    rows = np.arange(len(stacked))
    for columns in _COLUMNS:
        best = stacked[:, columns].argmax(axis=1)
        right = wanted[:, columns][rows, best]
        shared = best_threshold(stacked[:, columns][rows, best], right, int(wanted[:, columns].sum()))
        thresholds |= {TAGS[k]: shared for k in columns}
    return thresholds


def best_threshold(scores: NDArray[np.floating], right: NDArray[np.bool_], support: int) -> float:
    """The threshold with the best F1 when everything with ``score > threshold`` is placed; 0 if nothing is wanted.

    Parameters
    ----------
    scores : array of shape (slots,)
        Margin of the preferred tag.
    right : array of bool, shape (slots,)
        Whether that tag is wanted there.
    support : int
        How many tags are wanted in all.

    Returns
    -------
    float
        Halfway between two scores, so that it does not hang on the last digit of one.
    """
    if not right.any():
        return 0.0
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    f1 = 2 * np.cumsum(right[order]) / (np.arange(1, len(scores) + 1) + support)
    f1[:-1][ranked[:-1] == ranked[1:]] = -1  # equal scores cannot be told apart
    best = int(f1.argmax())
    below = ranked[best + 1] if best + 1 < len(ranked) else ranked[best] - 1
    return float((ranked[best] + below) / 2)
