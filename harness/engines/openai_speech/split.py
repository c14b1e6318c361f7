"""Long texts in pieces that a server takes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from harness.engines.dialects import ends_clause, ends_sentence, part
from harness.errors import HarnessError
from harness.tagged import TaggedText


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
        places = range(start + 1, count + 1)
        # rendered length grows with the number of words
        fitting = bisect_right(places, limit, key=lambda end: len(render(part(text, start, end))))
        if not fitting:
            raise HarnessError(f"the word {text.words[start][:40]!r} alone is longer than {limit} characters")
        end = start + fitting
        if end < count:
            breaks = (_last(ends, text.words, start, end) for ends in (ends_sentence, ends_clause))
            end = next(filter(None, breaks), end)
        pieces.append(part(text, start, end))
        start = end
    return pieces


def _last(ends: Callable[[str], bool], words: tuple[str, ...], start: int, end: int) -> int | None:
    """The last place to cut after a word that ends something, if there is one."""
    return next((cut for cut in range(end, start, -1) if ends(words[cut - 1])), None)
