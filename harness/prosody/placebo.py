"""Placebos: the same detector where no tag is.

A detector that also fires on untagged words proves nothing, so each tag is scored a second time at another slot: a word
(or gap) of the same class, as near as possible to the same place in the sentence, at least two words from any tag.
"""

from __future__ import annotations

from harness.datasets import is_closed_class
from harness.tagged import PAUSES, Tag, TaggedText

MIN_DISTANCE = 2  # words between a placebo and any tag


def placebo_slot(text: TaggedText, slot: int, tag: Tag) -> int | None:
    """The slot where `tag` of `slot` is scored as a placebo; None if the sentence has no room for one.

    For pauses the candidates are inner gaps, matched by whether punctuation stands there; for other tags they are words,
    matched by class (open or closed). Among the candidates the nearest wins, the earlier one if two are as near.
    """
    n = len(text.words)
    if n < MIN_DISTANCE:
        return None
    taken = {at for at, _ in text.tags}
    first, last = (1, n) if tag in PAUSES else (0, n)
    candidates = [at for at in range(first, last) if all(abs(at - other) >= MIN_DISTANCE for other in taken)]
    same_class = [at for at in candidates if _class(text, at, tag) == _class(text, min(slot, n - 1), tag)]
    return min(same_class, key=lambda at: (abs(at - slot), at), default=None)


def _class(text: TaggedText, slot: int, tag: Tag) -> bool:
    if tag in PAUSES:
        return slot > 0 and not text.words[slot - 1][-1].isalnum()
    return is_closed_class(text.words[slot])
