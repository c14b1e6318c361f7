"""Dialects: how an engine is told the tags.

A dialect turns a `TaggedText` into the string an engine reads, knows which tags it can say at all, and
where each word lies in that string. To add one, write a function from `TaggedText` to `Layout` (the `_Page`
helper keeps count of the offsets) and enter a `Dialect` in `DIALECTS`.

>>> text = TaggedText.parse("We <emph> guarantee <pause_short> 30% savings.")
>>> DIALECTS["ssml"].render(text)
'<speak>We <emphasis level="strong">guarantee</emphasis> <break strength="none"/><break time="400ms"/> 30% savings.</speak>'
>>> DIALECTS["ignore"].lost(text)
[(1, <Tag.EMPH: '<emph>'>), (2, <Tag.PAUSE_SHORT: '<pause_short>'>)]
>>> DIALECTS["ignore"].render(text)
'We guarantee 30% savings.'
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from harness.tagged import CONTOURS, PAUSES, TAGS, WORD_TAGS, Tag, TaggedText, printable

# The SSML doses, pinned: what each tag becomes, before and after the word it acts on. One dose per tag and slot,
# however often the tag is repeated there. SSML 1.1 (W3C Recommendation, 2010), section 3.2, defines the elements.
# What they do in espeak-ng 1.52.0 (espeakng-loader 0.2.4), en-us at 165 words a minute, tagged minus plain,
# on the 102 held-out sentences; median [10th, 90th percentile]:
#   break 400 ms      +407 ms of silence, also after punctuation and at the first and last slot; +285 before "who",
#                     "or", "and" and others that espeak puts a pause of 122 ms before by itself
#   break 1000 ms     +1006 ms, and +884 before those
#   prosody +30 %     +2.6 semitones [2.4, 2.8]; by voice 1.7 (en-us+Annie) to 3.0 (en-us+linda); next word 0.0
#   prosody -30 %     -2.4 semitones [-2.6, -2.1]; by voice -1.5 to -2.9
#   emphasis strong   +5.1 dB [4.0, 8.1], +17 % duration [10, 75], and a *lower* F0: -1.6 semitones [-3.6, 0.2]
DOSES: dict[Tag, tuple[str, str]] = {
    Tag.PAUSE_SHORT: ('<break time="400ms"/>', ""),
    Tag.PAUSE_LONG: ('<break time="1000ms"/>', ""),
    Tag.PITCH_HIGH: ('<prosody pitch="+30%">', "</prosody>"),
    Tag.PITCH_LOW: ('<prosody pitch="-30%">', "</prosody>"),
    Tag.EMPH: ('<emphasis level="strong">', "</emphasis>"),
    # espeak ignores `contour`, so the end of a phrase is raised or lowered as a whole: its last word is.
    Tag.PITCH_RISING: ('<prosody pitch="+30%">', "</prosody>"),
    Tag.PITCH_FALLING: ('<prosody pitch="-30%">', "</prosody>"),
}
# From the outside in, when several tags meet on a word: break, then prosody around emphasis around the word.
_NESTING = (*sorted(PAUSES, reverse=True), *sorted(CONTOURS), Tag.PITCH_HIGH, Tag.PITCH_LOW, Tag.EMPH)

# Alone, a break in espeak makes the gap the *longer* of the two, its own and the punctuation's: 400 ms after a full
# stop (345 ms) adds 66, after a comma (179 ms) 232. With a zero-length break between them the two add up; at the
# last slot it stands between the break and the silence with which </speak> ends (332 ms, tagged or not).
_ADDITIVE = '<break strength="none"/>'

_CUT = re.compile(r"""(?s)([("'“‘\[{]*)(.*?)([,;:.!?…—"'”’)\]}]*)""")


@dataclass(frozen=True)
class Layout:
    """A rendered text and where its words lie in it.

    Parameters
    ----------
    text : str
        What the engine reads.
    spans : tuple of (int, int)
        Per word, the offsets in `text` of its first character and past its last, counting the markup that
        encloses it and the escapes in it.
    """

    text: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Dialect:
    """One way of writing tags down.

    Parameters
    ----------
    name : str
    expressible : frozenset of Tag
        Tags that leave a mark in the rendered string.
    lay_out : callable from TaggedText to Layout
    by_word : bool
        Whether tags become markup around words, so that a tag without a word to act on leaves no mark.
    """

    name: str
    expressible: frozenset[Tag]
    lay_out: Callable[[TaggedText], Layout]
    by_word: bool = True

    def render(self, text: TaggedText) -> str:
        """The string the engine reads."""
        return self.lay_out(text).text

    def lost(self, text: TaggedText) -> list[tuple[int, Tag]]:
        """Slot and tag of everything in `text` that the rendered string does not express.

        Besides tags the dialect has no words for, these are emphasis and pitch level at the last slot,
        where there is no next word to act on, and contours in a text without words.
        """
        last = len(text.words)
        nothing_follows = WORD_TAGS if last else WORD_TAGS | CONTOURS
        return [
            (slot, tag)
            for slot, tag in text.tags
            if tag not in self.expressible or (slot == last and tag in nothing_follows and self.by_word)
        ]


@dataclass
class _Page:
    """A string under construction that remembers where its words lie."""

    parts: list[str] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    length: int = 0

    def add(self, *parts: str) -> None:
        self.parts.extend(parts)
        self.length += sum(map(len, parts))

    def add_word(self, *parts: str) -> None:
        start = self.length
        self.add(*parts)
        self.spans.append((start, self.length))

    def done(self) -> Layout:
        return Layout("".join(self.parts), tuple(self.spans))


def _plain(text: TaggedText) -> Layout:
    page = _Page()
    for slot, word in enumerate(text.words):
        page.add(" " if slot else "")
        page.add_word(printable(word))
    return page.done()


def _prompted(text: TaggedText) -> Layout:
    page = _Page()
    by_slot = text.by_slot()
    for slot in range(len(text.words) + 1):
        for tag in by_slot.get(slot, ()):
            page.add(" " if page.parts else "", tag.value)
        if slot < len(text.words):
            page.add(" " if page.parts else "")
            page.add_word(printable(text.words[slot]))
    return page.done()


def _ssml(text: TaggedText) -> Layout:
    page = _Page()
    page.add("<speak>")
    by_slot = text.by_slot()
    acting = _acting(text)
    for slot in range(len(text.words) + 1):
        tags = [tag for tag in _NESTING if tag in acting.get(slot, ())]
        word = text.words[slot] if slot < len(text.words) else ""
        last = slot == len(text.words) - 1 and not PAUSES & {*by_slot.get(slot + 1, ())}
        pauses = [DOSES[tag][0] for tag in tags if tag in PAUSES]
        around = [DOSES[tag] for tag in tags if tag not in PAUSES] if word else []
        if slot and (word or pauses):
            page.add(_gap(text.words[slot - 1], word) if pauses or around else " ")
        if pauses:
            page.add(*([_ADDITIVE, *pauses, " "] if word else [*pauses, _ADDITIVE]))
        if word:
            page.add_word(*_wrapped(printable(word), around, last))
    page.add("</speak>")
    return page.done()


def _acting(text: TaggedText) -> dict[int, set[Tag]]:
    """Tags by the word they act on: contours on the last word of their phrase, the others on the word after their slot."""
    acting: dict[int, set[Tag]] = {}
    for slot, tag in text.tags:
        acting.setdefault(text.phrase_end(slot) if tag in CONTOURS else slot, set()).add(tag)
    return acting


def _wrapped(word: str, around: list[tuple[str, str]], last: bool) -> list[str]:
    """The word, escaped, inside its elements; its punctuation stays outside, unless it is the last thing said.

    With "yes.</emphasis> He" espeak 1.52 loses the full stop and then the end of the emphasis. With "yes</prosody>." at the
    end it loses the fall with which a sentence ends: the last word of 25 sentences came out 4 semitones higher than asked.
    """
    found = _CUT.fullmatch(word)
    before, core, after = found.groups() if around and found and found.group(2) else ("", word, "")
    if last:
        core, after = core + after, ""
    opening = [tag for tag, _ in around]
    closing = [tag for _, tag in reversed(around)]
    return [escape(before), *opening, escape(core), *closing, escape(after)]


def _gap(before: str, after: str) -> str:
    """White space between a word and the markup in front of the next.

    After "yes. <" espeak 1.52 looks past the markup for a capital letter, and on finding one misplaces the
    markup and the letter: the tag has no effect. A line break instead of the space avoids the search.
    """
    return "\n" if printable(before).endswith(".") and not printable(after)[:1].islower() else " "


DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        Dialect("ssml", frozenset(DOSES), _ssml),
        Dialect("prompted", frozenset(TAGS), _prompted, by_word=False),
        Dialect("ignore", frozenset(), _plain),
    )
}
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


EXPLANATION = (
    "The text holds tags in angle brackets. They say how to speak; never speak a tag itself. "
    "<emph>: emphasise the next word. "
    "<pause_short>: be silent for about 0.5 s. "
    "<pause_long>: be silent for about 1.5 s. "
    "<pitch_high>: speak the next word at a higher pitch. "
    "<pitch_low>: speak the next word at a lower pitch. "
    "<pitch_rising>: let the pitch rise at the end of this phrase. "
    "<pitch_falling>: let the pitch fall at the end of this phrase."
)
