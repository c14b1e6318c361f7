"""Long texts in pieces that a server takes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

from harness.errors import HarnessError
from harness.tagged import TaggedText

_CLOSING = r"[\"'”’)\]]*$"
_BREAKS = (re.compile(r"[.!?…]" + _CLOSING), re.compile(r"[,;:—]" + _CLOSING))  # sentence ends first, then clauses


def split(text: TaggedText, render: Callable[[TaggedText], str], limit: int) -> list[TaggedText]:
    """Cut a text into pieces of at most `limit` characters, at sentence ends where there are any.

    A sentence that is too long itself is cut at its last clause punctuation that fits, or else between words. A tag on the
    slot of a cut goes to the later piece.

    Parameters
    ----------
    text : TaggedText
    render : callable
        What the server will read; its length counts.
    limit : int
        Characters.

    Raises
    ------
    HarnessError
        If a single word with its tags is too long.
    """
    pieces, start, count = [], 0, len(text.words)
    while start < count:
        ends = range(start + 1, count + 1)
        # rendered length grows with the number of words
        fitting = bisect_right(ends, limit, key=lambda end: len(render(piece(text, start, end))))
        if not fitting:
            raise HarnessError(f"the word {text.words[start][:40]!r} alone is longer than {limit} characters")
        end = start + fitting
        if end < count:
            end = next((cut for pattern in _BREAKS if (cut := _last(pattern, text.words, start, end))), end)
        pieces.append(piece(text, start, end))
        start = end
    return pieces


def piece(text: TaggedText, start: int, end: int) -> TaggedText:
    """Words `start` to `end` (exclusive), and the tags on their slots."""
    last = end == len(text.words)
    tags = [(slot - start, tag) for slot, tag in text.tags if start <= slot < end or (last and slot == end)]
    return TaggedText(text.words[start:end], tags)


def _last(pattern: re.Pattern[str], words: tuple[str, ...], start: int, end: int) -> int | None:
    """The last place to cut after a word that matches, if there is one."""
    return next((cut for cut in range(end, start, -1) if pattern.search(words[cut - 1])), None)
