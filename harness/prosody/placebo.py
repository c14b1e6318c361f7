"""Placebos: the same detector at a place without a tag.

A detector that also fires on untagged words proves nothing. So each tag is scored a second time at another slot: a word
(or gap, or end of a phrase) of the same class, as near as possible, and at least two words from any tag.
"""

from __future__ import annotations

from harness.datasets import is_closed_class
from harness.prosody.detectors import affected_words
from harness.tagged import CONTOURS, PAUSES, Tag, TaggedText

MIN_DISTANCE = 2  # words between a placebo and any tag


def placebo_slot(text: TaggedText, slot: int, tag: Tag) -> int | None:
    """Return the slot at which the tag of `slot` is scored as a placebo; None if the sentence has no room for one.

    For pauses, the candidates are inner gaps, matched by whether they have punctuation. For contours, they are the ends of
    other phrases. For other tags, they are words, matched by class (open or closed). The nearest candidate is chosen, and the
    earlier of two at the same distance.
    """
    n = len(text.words)
    if n < MIN_DISTANCE:
        return None
    taken = {at for at, _ in text.tags} | affected_words(text)
    free = [at for at in range(n) if all(abs(at - other) >= MIN_DISTANCE for other in taken)]
    if tag in CONTOURS:
        ends = {text.phrase_end(at) for at in range(n)} - {text.phrase_end(slot)}
        candidates = [at for at in free if at in ends]
    else:
        here = min(slot, n - 1)
        candidates = [
            at for at in free if _class(text, at, tag) == _class(text, here, tag) and (at or tag not in PAUSES)
        ]
    return min(candidates, key=lambda at: (abs(at - slot), at), default=None)


def _class(text: TaggedText, slot: int, tag: Tag) -> bool:
    if tag in PAUSES:
        return slot > 0 and not text.words[slot - 1][-1].isalnum()
    return is_closed_class(text.words[slot])
