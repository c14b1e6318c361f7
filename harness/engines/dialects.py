"""Dialects: how an engine is told the tags.

A dialect turns a `TaggedText` into the string that an engine reads; in the dialects "controls" and "edit" the engine reads the words,
and the tags become changes of their sound. A dialect knows which tags it can express, and where each word is
in that string. To add a dialect, write a function from `TaggedText` to `Layout` (the helper `Page` counts the offsets), and
add a `Dialect` to `DIALECTS`.

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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from harness.tagged import CONTOURS, PAUSES, TAGS, WORD_TAGS, Tag, TaggedText, printable

# The SSML doses, pinned: what each tag becomes, before and after the word it acts on. One dose per tag and slot,
# however often the tag is repeated there. SSML 1.1 (W3C Recommendation, 2010), section 3.2, defines the elements.
# What they do in espeak-ng 1.52.0 (espeakng-loader 0.2.4), en-us at 165 words per minute, tagged minus plain,
# on the 102 held-out sentences; median [10th, 90th percentile]:
#   break 400 ms      +407 ms of silence, also after punctuation and at the first and last slot; +285 before words that
#                     espeak puts a pause of 122 ms before by itself ("who", "or", "and")
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
    # espeak ignores `contour`, so the last word of the phrase is raised or lowered as a whole.
    Tag.PITCH_RISING: ('<prosody pitch="+30%">', "</prosody>"),
    Tag.PITCH_FALLING: ('<prosody pitch="-30%">', "</prosody>"),
}
# What SSML 1.1 says that these doses do, as differences from the plain clip: `time` is the length of the break, a pitch of "+30%" is
# 12 log2(1.3) = 4.5 semitones, one of "-30%" is 12 log2(0.7) = -6.2. The bands are as wide as the floors of the detectors (0.15 s,
# 1.5 semitones), since a smaller deviation would not be noticed. SSML gives no size for `emphasis`.
_SSML_PROMISES: dict[Tag, tuple[float, float]] = {
    Tag.PAUSE_SHORT: (0.25, 0.55),
    Tag.PAUSE_LONG: (0.85, 1.15),
    Tag.PITCH_HIGH: (3.0, 6.0),
    Tag.PITCH_LOW: (-7.7, -4.7),
}
# What a voice that is told lengths and F0 (`harness.engines.control`) is asked for, with the same tolerances.
_CONTROLS_PROMISES: dict[Tag, tuple[float, float]] = {
    Tag.PAUSE_SHORT: (0.25, 0.55),
    Tag.PAUSE_LONG: (0.85, 1.15),
    Tag.PITCH_HIGH: (2.5, 5.5),
    Tag.PITCH_LOW: (-5.5, -2.5),
}
# Order of several tags on a word, from the outside in: break, then prosody around emphasis around the word.
_NESTING = (*sorted(PAUSES, reverse=True), *sorted(CONTOURS), Tag.PITCH_HIGH, Tag.PITCH_LOW, Tag.EMPH)

# In espeak the gap at a break alone is the *longer* of the break and the pause of the punctuation: 400 ms after a full stop
# (345 ms) adds 66 ms, after a comma (179 ms) 232 ms. With a zero-length break between them the two add up. At the last slot
# that goes between the break and the silence with which </speak> ends (332 ms, tagged or not).
_ADDITIVE = '<break strength="none"/>'

_CUT = re.compile(r"""(?s)([("'“‘\[{]*)(.*?)([,;:.!?…—"'”’)\]}]*)""")


@dataclass(frozen=True)
class Layout:
    """A rendered text, and the places of its words in it.

    Parameters
    ----------
    text : str
        String that the engine reads.
    spans : tuple of (int, int)
        Start and end of each word in `text`, including the markup around the word and the escapes in it.
    """

    text: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Dialect:
    """A way of writing tags.

    Parameters
    ----------
    name : str
    expressible : frozenset of Tag
        Tags that change the rendered string.
    lay_out : callable from TaggedText to Layout
    by_word : bool
        Whether tags become markup around words, so that a tag without a word to act on has no effect.
    promises : mapping from Tag to (float, float)
        Smallest and largest difference from the plain clip, in the unit of the tag's detector, that whoever defined the markup
        says it makes. Tags without such a statement are left out.
    """

    name: str
    expressible: frozenset[Tag]
    lay_out: Callable[[TaggedText], Layout]
    by_word: bool = True
    promises: Mapping[Tag, tuple[float, float]] = field(default_factory=dict, compare=False)

    def render(self, text: TaggedText) -> str:
        """Return the string that the engine reads."""
        return self.lay_out(text).text

    def lost(self, text: TaggedText) -> list[tuple[int, Tag]]:
        """Return slot and tag of each tag that the rendered string does not express.

        These are tags that the dialect cannot express, emphasis and pitch level at the last slot, where no word follows,
        and contours in a text without words.
        """
        last = len(text.words)
        nothing_follows = WORD_TAGS if last else WORD_TAGS | CONTOURS
        return [
            (slot, tag)
            for slot, tag in text.tags
            if tag not in self.expressible or (slot == last and tag in nothing_follows and self.by_word)
        ]


@dataclass
class Page:
    """A string under construction that remembers the places of its words."""

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
    page = Page()
    for slot, word in enumerate(text.words):
        page.add(" " if slot else "")
        page.add_word(printable(word))
    return page.done()


def _prompted(text: TaggedText) -> Layout:
    page = Page()
    by_slot = text.by_slot()
    for slot in range(len(text.words) + 1):
        for tag in by_slot.get(slot, ()):
            page.add(" " if page.parts else "", tag.value)
        if slot < len(text.words):
            page.add(" " if page.parts else "")
            page.add_word(printable(text.words[slot]))
    return page.done()


def _controls(text: TaggedText) -> Layout:
    last = len(text.words)
    nothing_follows = WORD_TAGS if last else WORD_TAGS | CONTOURS
    return _prompted(
        TaggedText(text.words, [(slot, tag) for slot, tag in text.tags if slot < last or tag not in nothing_follows])
    )


def _ssml(text: TaggedText) -> Layout:
    page = Page()
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
    """Return the tags that act on each word: contours on the last word of their phrase, others on the word after them."""
    acting: dict[int, set[Tag]] = {}
    for slot, tag in text.tags:
        acting.setdefault(text.phrase_end(slot) if tag in CONTOURS else slot, set()).add(tag)
    return acting


def _wrapped(word: str, around: list[tuple[str, str]], last: bool) -> list[str]:
    """Return the word, escaped, inside its elements; its punctuation stays outside, unless the word is the last.

    With "yes.</emphasis> He", espeak 1.52 loses the full stop and then the end of the emphasis. With "yes</prosody>." at the
    end, it loses the fall at the end of the sentence: the last word of 25 sentences was 4 semitones higher than requested.
    """
    found = _CUT.fullmatch(word)
    before, core, after = found.groups() if around and found and found.group(2) else ("", word, "")
    if last:
        core, after = core + after, ""
    opening = [tag for tag, _ in around]
    closing = [tag for _, tag in reversed(around)]
    return [escape(before), *opening, escape(core), *closing, escape(after)]


def _gap(before: str, after: str) -> str:
    """Return the white space between a word and the markup in front of the next.

    After "yes. <", espeak 1.52 looks past the markup for a capital letter. If it finds one, it misplaces the markup and the
    letter, and the tag has no effect. A line break instead of the space avoids that.
    """
    return "\n" if printable(before).endswith(".") and not printable(after)[:1].islower() else " "


DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        Dialect("ssml", frozenset(DOSES), _ssml, promises=_SSML_PROMISES),
        Dialect("prompted", frozenset(TAGS), _prompted, by_word=False),
        Dialect("ignore", frozenset(), _plain),
        Dialect("controls", frozenset(TAGS), _controls, promises=_CONTROLS_PROMISES),
        Dialect("edit", frozenset(TAGS), _controls, promises=_CONTROLS_PROMISES),
    )
}
_CLOSING = r"[\"'”’)\]]*$"
_END = re.compile(r"[.!?…]" + _CLOSING)
_CLAUSE = re.compile(r"[,;:—]" + _CLOSING)
_ABBREVIATION = re.compile(r"(?i)\(?(?:[a-z]|mr|mrs|ms|dr|st|prof|e\.g|i\.e|vs|no|etc)\.$")


def ends_sentence(word: str) -> bool:
    """Return whether a sentence ends with this word; a full stop after an initial or a common abbreviation does not count.

    >>> [word for word in ("Dr.", "Smith", "said:", '"Go!"') if ends_sentence(word)]
    ['"Go!"']
    """
    return _END.search(word) is not None and _ABBREVIATION.match(word) is None


def ends_clause(word: str) -> bool:
    """Return whether this word ends with clause punctuation."""
    return _CLAUSE.search(word) is not None


def part(text: TaggedText, start: int, end: int) -> TaggedText:
    """Return the words `start` to `end` (exclusive) with their tags; a tag at a cut belongs to the later part."""
    last = end == len(text.words)
    tags = [(slot - start, tag) for slot, tag in text.tags if start <= slot < end or (last and slot == end)]
    return TaggedText(text.words[start:end], tags)


EXPLANATION = (
    "The text holds tags in angle brackets. They say how to speak; never speak a tag itself. "
    "<emph>: emphasise the next word. "
    "<pause_short>: add about 0.5 s of silence. "
    "<pause_long>: add about 1.5 s of silence. "
    "<pitch_high>: speak the next word at a higher pitch. "
    "<pitch_low>: speak the next word at a lower pitch. "
    "<pitch_rising>: let the pitch rise at the end of this phrase. "
    "<pitch_falling>: let the pitch fall at the end of this phrase."
)
