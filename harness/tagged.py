r"""Tagged text: words, and prosody tags on the slots between them.

A *slot* ``i`` is the place before word ``i`` (0-based); slot ``n`` is the end of an ``n``-word text.

>>> text = TaggedText.parse("We <emph> guarantee 30% savings")
>>> text.words
('We', 'guarantee', '30%', 'savings')
>>> text.tags
((1, <Tag.EMPH: '<emph>'>),)
>>> text.plain
'We guarantee 30% savings'

Anything else that is shaped like markup (``<break/>``, ``<emph >``, ``[pause]``) is an error, because a voice would read it
aloud. A backslash before it makes it ordinary text. This is the only escape, and parsing removes it:

>>> TaggedText.parse(r"write \<emph> before it").words
('write', '<emph>', 'before', 'it')

Two properties hold for all input, and the tests check them: ``parse(format(x)) == x`` for every
`TaggedText`, and ``format(parse(s))`` equals ``s`` up to white space for every valid ``s``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from harness.errors import TagError
from harness.lookalikes import backslashes, markup, meant


class Tag(str, Enum):
    """The seven prosody tags; the value is the exact spelling."""

    EMPH = "<emph>"
    PAUSE_SHORT = "<pause_short>"
    PAUSE_LONG = "<pause_long>"
    PITCH_HIGH = "<pitch_high>"
    PITCH_LOW = "<pitch_low>"
    PITCH_RISING = "<pitch_rising>"
    PITCH_FALLING = "<pitch_falling>"

    def __str__(self) -> str:
        return self.value

    @property
    def bare(self) -> str:
        """The name without brackets: ``pause_short``."""
        return self.value[1:-1]

    @property
    def spoken(self) -> str:
        """The name as a voice would read it: ``pause short``."""
        return self.bare.replace("_", " ")


TAGS: tuple[Tag, ...] = tuple(Tag)
PAUSES = frozenset({Tag.PAUSE_SHORT, Tag.PAUSE_LONG})
WORD_TAGS = frozenset({Tag.EMPH, Tag.PITCH_HIGH, Tag.PITCH_LOW})
CONTOURS = frozenset({Tag.PITCH_RISING, Tag.PITCH_FALLING})
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2: Char
_BY_SPELLING = {tag.value: tag for tag in TAGS}

_NAMES = tuple(tag.value[1:-1] for tag in TAGS)
_SHOWN = 60  # characters of markup that an error repeats
_CLAUSE_END = re.compile(r"[,;:.!?…—][\"'”’)\]]*$")


@dataclass(frozen=True)
class TaggedText:
    """The words of a text and the tags on its slots.

    Parameters
    ----------
    words : sequence of str
        Non-empty words without white space, punctuation attached.
    tags : iterable of (int, Tag)
        Slot and tag, ``0 <= slot <= len(words)``. Kept in slot order; tags that share a slot keep
        their given order.
    """

    words: tuple[str, ...]
    tags: tuple[tuple[int, Tag], ...] = ()

    def __init__(self, words: Sequence[str], tags: Iterable[tuple[int, Tag]] = ()) -> None:
        words = tuple(words)
        for word in words:
            if word.split() != [word]:
                raise TagError(f"not a word: {word!r} (words are not empty and contain no white space)")
        placed = tuple(sorted(((int(slot), Tag(tag)) for slot, tag in tags), key=lambda item: item[0]))
        for slot, tag in placed:
            if not 0 <= slot <= len(words):
                raise TagError(f"{tag} on slot {slot}, but {len(words)} words have slots 0 to {len(words)}")
        object.__setattr__(self, "words", words)
        object.__setattr__(self, "tags", placed)

    @classmethod
    def parse(cls, text: str) -> TaggedText:
        """Read tagged text.

        Raises
        ------
        TagError
            For an unknown tag, or a tag inside a word, with line and column counted from 1.
        """
        words: list[str] = []
        tags: list[tuple[int, Tag]] = []
        touching = False  # whether the text before the tags ends in a word that touches the first of them
        first = (0, "")  # offset and spelling of that tag
        for kind, piece, at in _pieces(text):
            if kind == "tag":
                if piece not in _BY_SPELLING:
                    raise _unknown(text, at, piece)
                tags.append((len(words), _BY_SPELLING[piece]))
                first = first if first[1] else (at, piece)
                continue
            if first[1] and touching and not piece[0].isspace():
                raise _error(text, first[0], f"the tag {first[1]} is inside a word",
                             "put spaces around it, or a backslash before it to keep it as text")  # fmt: skip
            words.extend(piece.split())
            touching, first = not piece[-1].isspace(), (0, "")
        return cls(words, tags)

    @classmethod
    def from_plain(cls, text: str) -> TaggedText:
        """Split plain text into words; nothing in it is read as a tag."""
        return cls(text.split())

    def format(self) -> str:
        """Write the text with its tags, one space between neighbours."""
        parts: list[str] = []
        tags: set[int] = set()  # where they start
        position = 0
        by_slot = self.by_slot()
        for slot in range(len(self.words) + 1):
            for tag in by_slot.get(slot, ()):
                parts.append(tag.value)
                tags.add(position)
                position += len(tag.value) + 1
            if slot < len(self.words):
                parts.append(self.words[slot])
                position += len(self.words[slot]) + 1
        return _escape(" ".join(parts), tags)

    __str__ = format

    @property
    def plain(self) -> str:
        """The words alone, one space between neighbours."""
        return " ".join(self.words)

    def by_slot(self) -> dict[int, tuple[Tag, ...]]:
        """Return the tags of each slot that has any."""
        found: dict[int, list[Tag]] = {}
        for slot, tag in self.tags:
            found.setdefault(slot, []).append(tag)
        return {slot: tuple(tags) for slot, tags in found.items()}

    def slots(self, tag: Tag) -> tuple[int, ...]:
        """Return the slots that hold `tag`, each once, in ascending order."""
        return tuple(sorted({slot for slot, found in self.tags if found is tag}))

    def stripped(self) -> TaggedText:
        """Return the same words without tags."""
        return TaggedText(self.words)

    def phrase_end(self, slot: int) -> int:
        """Return the index of the last word of the phrase that holds `slot`.

        A phrase runs to the next clause punctuation or pause tag, else to the end of the text. At
        slot *n* it is the last word. A text without words gives -1.
        """
        return self._phrase_ends[slot] if slot < len(self.words) else len(self.words) - 1

    def at_punctuation(self, slot: int) -> bool:
        """Return whether the word before `slot` ends with clause punctuation, where voices often pause without a tag.

        >>> TaggedText.from_plain("Well, we go.").at_punctuation(1)
        True
        """
        return slot > 0 and bool(_CLAUSE_END.search(self.words[slot - 1]))

    @cached_property
    def _phrase_ends(self) -> list[int]:
        """The index of the last word of each word's phrase."""
        pauses = {at for at, tag in self.tags if tag in PAUSES}
        ends, end = list[int](), len(self.words) - 1
        for index in reversed(range(len(self.words))):
            if _CLAUSE_END.search(self.words[index]) or index + 1 in pauses:
                end = index
            ends.append(end)
        return ends[::-1]


def escape(text: str) -> str:
    """Put a backslash before everything in `text` that `TaggedText.parse` would read as a tag or refuse."""
    return _escape(text, frozenset())


def _escape(text: str, tags: Collection[int]) -> str:
    """Escape what is shaped like markup, except the tags that start at the given places."""
    parts, position = [], 0
    for start, _ in markup(text, _NAMES):
        if start not in tags:
            parts += [text[position:start], "\\"]
            position = start
    return "".join([*parts, text[position:]])


def retag(source: str, text: TaggedText) -> str:
    r"""Insert the tags of `text` into the string that its words came from, keeping the white space.

    >>> retag("We  guarantee\\t30%", TaggedText(["We", "guarantee", "30%"], [(1, Tag.EMPH)]))
    'We  <emph> guarantee\\t30%'

    If `source` already has tags, they are replaced, and the white space is normalised.
    """
    if TaggedText.parse(source) != text.stripped():
        return text.format()
    by_slot = text.by_slot()
    parts, position = [], 0
    for slot, word in enumerate(re.finditer(r"\S+", source)):
        tags = "".join(f"{tag} " for tag in by_slot.get(slot, ()))
        parts += [source[position : word.start()], tags, word.group()]
        position = word.end()
    closing = "".join(f" {tag}" for tag in by_slot.get(len(text.words), ()))
    placed = "".join(parts) + closing + source[position:]
    # A tag that lands inside escaped markup, as in \<a <emph> b>, ends its shape: then the backslash would become text.
    return placed if TaggedText.parse(placed) == text else text.format()


def _pieces(text: str) -> Iterator[tuple[str, str, int]]:
    """Split a text into ("text" | "tag", piece, offset); a tag is anything shaped like one, and escapes are removed."""
    literal: list[str] = []
    position = 0
    for start, end in markup(text, _NAMES):
        if backslashes(text, start):
            literal += [text[position : start - 1], text[start:end]]
        else:
            if before := "".join([*literal, text[position:start]]):
                yield "text", before, position
            literal = []
            yield "tag", text[start:end], start
        position = end
    if rest := "".join([*literal, text[position:]]):
        yield "text", rest, position


def _unknown(text: str, offset: int, piece: str) -> TagError:
    """Return the error for markup that is not one of the tags; it names the tag that was probably meant."""
    shown = " ".join(piece.split())
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
    close = meant(piece, _NAMES)
    advice = f"did you mean <{close}>? " if close else ""
    return _error(text, offset, f"unknown tag {shown}",
                  f"{advice}the tags are {' '.join(_BY_SPELLING)}; put a backslash before it to keep it as text")  # fmt: skip


def _error(text: str, offset: int, message: str, remedy: str) -> TagError:
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return TagError(message, line=line, column=column, remedy=remedy)


def printable(text: str) -> str:
    """Drop the characters that XML 1.0 does not allow.

    espeak interprets some of them: U+0001 starts an embedded command, U+0000 ends the text.
    """
    return _NOT_XML.sub("", text)
