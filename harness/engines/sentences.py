"""Where sentences end, and parts of tagged texts."""

from __future__ import annotations

import re

from harness.tagged import TaggedText

_CLOSING = r"[\"'”’)\]]*$"
_END = re.compile(r"[.!?…]" + _CLOSING)
_CLAUSE = re.compile(r"[,;:—]" + _CLOSING)
_ABBREVIATION = re.compile(r"(?i)\(?(?:[a-z]|mr|mrs|ms|dr|st|prof|e\.g|i\.e|vs|no|etc)\.$")


def ends_sentence(word: str) -> bool:
    """Whether a sentence ends with this word; a full stop behind an initial or a common abbreviation ends none.

    >>> [word for word in ("Dr.", "Smith", "said:", '"Go!"') if ends_sentence(word)]
    ['"Go!"']
    """
    return _END.search(word) is not None and _ABBREVIATION.match(word) is None


def ends_clause(word: str) -> bool:
    """Whether clause punctuation stands behind this word."""
    return _CLAUSE.search(word) is not None


def part(text: TaggedText, start: int, end: int) -> TaggedText:
    """Words `start` to `end` (exclusive), and the tags on their slots; a tag on the slot of a cut goes to the later part."""
    last = end == len(text.words)
    tags = [(slot - start, tag) for slot, tag in text.tags if start <= slot < end or (last and slot == end)]
    return TaggedText(text.words[start:end], tags)
