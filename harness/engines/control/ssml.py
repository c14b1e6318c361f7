"""SSML as input: its breaks, emphases and prosody become targets, with the sizes that it gives.

Elements and values are those of SSML 1.1 (W3C Recommendation, 2010), sections 3.2.2 to 3.2.4, and of its schema. It leaves the sizes of
the labels ("weak", "x-slow", "loud") to the voice; the tables below have their sources.

>>> text, targets = read_ssml('<speak>We <emphasis>guarantee</emphasis> <break time="250ms"/> 30% savings.</speak>')
>>> text.plain, targets.silence, targets.passages[0].emphasis
('We guarantee 30% savings.', {2: 0.25}, 0.5)
"""

from __future__ import annotations

import io
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log2, log10
from typing import Any
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import InputSource

from harness.engines.control.targets import SILENT_DB, Passage, Targets
from harness.errors import NotAvailable, TagError
from harness.tagged import TaggedText

# Seconds, from Azure's documentation of `break`; "none" only asks to leave out a pause, which nothing here can do.
STRENGTHS = {"none": 0.0, "x-weak": 0.25, "weak": 0.5, "medium": 0.75, "strong": 1.0, "x-strong": 1.25}
LONGEST_BREAK = 20.0  # seconds, as in Azure; a longer one is a slip
LONGEST_SILENCE = 600.0  # seconds of all breaks
# Shares of the accent of <emph>. SSML only orders them; without a level it is moderate.
LEVELS = {"strong": 1.0, "moderate": 0.5, "none": 0.0, "reduced": -0.5}
# Shares of the plain value, from espeak-ng 1.52 (ssml.c).
RATES = {"x-slow": 0.6, "slow": 0.8, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6}
PITCHES = {"x-low": 0.7, "low": 0.85, "medium": 1.0, "default": 1.0, "high": 1.1, "x-high": 1.2}
VOLUMES = {"silent": 0.0, "x-soft": 0.3, "soft": 0.65, "medium": 1.0, "default": 1.0, "loud": 1.5, "x-loud": 2.3}
# What overlap-add and the voices can do without breaking up.
RATE_LIMITS, SEMITONE_LIMITS, DECIBEL_LIMITS = (0.25, 4.0), (-12.0, 12.0), (SILENT_DB, 20.0)

_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "speak": ("version", "xmlns", "xml:lang", "xml:base", "xmlns:xsi", "xsi:schemaLocation"),
    "p": ("xml:lang",),
    "s": ("xml:lang",),
    "break": ("strength", "time"),
    "emphasis": ("level",),
    "prosody": ("pitch", "rate", "volume"),
}
_NUMBER = r"(\d+\.?\d*|\.\d+)"
_TIME = re.compile(_NUMBER + r"(ms|s)")
_PERCENT = re.compile(_NUMBER + "%")
_PITCH = re.compile(rf"([+-]?)({_NUMBER})(%|st)")
_VOLUME = re.compile(rf"[+-]({_NUMBER})dB")
_SPOKEN = re.compile(r"\w")
_OPENING = re.compile(r"(?s)(?>\s|<!--.*?-->)*+<(\?xml\b|speak\b|!DOCTYPE)")
_ROOT = "<speak>"


@dataclass
class _Element:
    """An element: its name, its place, what it asks for, and where its text begins."""

    name: str
    line: int
    column: int
    asks: Mapping[str, float]
    start: int


class _Reader(ContentHandler):
    """Collects the text, the places of breaks in it, and the passages of elements."""

    def __init__(self, indent: int) -> None:
        super().__init__()
        self.indent = indent  # characters that were put before the first line
        self.parts: list[str] = []
        self.length = 0
        self.open: list[_Element] = []
        self.passages: list[tuple[_Element, int]] = []  # with the end of the text
        self.breaks: list[tuple[int, float]] = []  # place in the text, and seconds
        self.locator: Any = None

    def setDocumentLocator(self, locator: Any) -> None:
        self.locator = locator

    @property
    def place(self) -> tuple[int, int]:
        line, column = self.locator.getLineNumber(), self.locator.getColumnNumber() + 1
        return line, column - self.indent if line == 1 else column

    def error(self, message: str, remedy: str = "", place: tuple[int, int] | None = None) -> TagError:
        line, column = place or self.place
        return TagError(message, line=line, column=max(1, column), remedy=remedy or None)

    def characters(self, content: str) -> None:
        if self.open and self.open[-1].name == "break" and content.strip():
            element = self.open[-1]
            raise self.error("a <break> with text in it", "a break is empty: <break/>", (element.line, element.column))
        self.parts.append(content)
        self.length += len(content)

    def startElement(self, name: str, attrs: Any) -> None:
        line, column = self.place
        if name not in _ATTRIBUTES:
            known = " ".join(f"<{one}>" for one in _ATTRIBUTES)
            raise self.error(
                f"the element <{name}> is not supported", f"use {known}, and write a < that is text as &lt;"
            )
        if name == "speak" and self.open:
            raise self.error("a <speak> inside another element", "it is the outermost element")
        if self.open and self.open[-1].name == "break":
            raise self.error(f"a <{name}> inside a <break>", "a break is empty: <break/>")
        if not self.open and name != "speak":
            raise self.error(f"the outermost element is <{name}>", "expected <speak>")
        for attribute in attrs.getNames():
            if attribute not in _ATTRIBUTES[name]:
                raise self.error(f"the attribute {attribute!r} of <{name}> is not supported",
                                 f"supported: {', '.join(_ATTRIBUTES[name])}")  # fmt: skip
        asks = {
            attribute: self.value(name, attribute, attrs.getValue(attribute).strip())
            for attribute in attrs.getNames()
            if attribute in _VALUES
        }
        if name == "prosody" and not asks:
            raise self.error("a <prosody> without an attribute", "give pitch, rate or volume")
        if name == "break":
            seconds = asks.get("time", asks.get("strength", STRENGTHS["medium"]))
            self.breaks.append((self.length, seconds))
        if name in ("p", "s"):
            self.characters("\n")
        self.open.append(_Element(name, line, column, asks, self.length))

    def endElement(self, name: str) -> None:
        element = self.open.pop()
        if name in ("emphasis", "prosody"):
            self.passages.append((element, self.length))
        if name in ("p", "s"):
            self.characters("\n")

    def skippedEntity(self, name: str) -> None:
        raise self.error(f"the entity &{name}; is not defined", "write the character itself")

    def value(self, element: str, attribute: str, text: str) -> float:
        """Return the size that an attribute asks for."""
        read, expected = _VALUES[attribute]
        found = read(text)
        if found is None:
            raise self.error(f'{attribute}="{text}" of <{element}> is not valid', f"expected {expected}")
        return found


def read_ssml(text: str) -> tuple[TaggedText, Targets]:
    """Read SSML, with or without `<speak>` around it.

    Returns
    -------
    TaggedText
        The words, without tags.
    Targets

    Raises
    ------
    TagError
        If it is not well-formed, declares entities, or has an element, attribute or value that is not supported; with line and column.
    """
    try:
        from defusedxml import DefusedXmlException
        from defusedxml.sax import make_parser
    except ImportError as error:
        raise NotAvailable(
            "SSML needs the package defusedxml", remedy="pip install 'prosody-harness[audio]'"
        ) from error
    indent = 0 if _OPENING.match(text) else len(_ROOT)
    reader = _Reader(indent)
    whole = f"{_ROOT}{text}</speak>" if indent else text
    source = InputSource()
    source.setByteStream(io.BytesIO(whole.encode("utf-8", "surrogatepass")))
    source.setEncoding("utf-8")  # whatever the document declares: it was decoded before
    parser = make_parser()
    parser.forbid_dtd = True
    parser.setContentHandler(reader)
    try:
        parser.parse(source)
    except DefusedXmlException as error:
        raise reader.error("a document type or entity is declared", "leave <!DOCTYPE> out") from error
    except SAXParseException as error:
        raise _malformed(reader, error) from error
    return _targets(reader)


def _malformed(reader: _Reader, error: SAXParseException) -> TagError:
    """Return an error that says what is wrong, and where: for an element that is not closed, where it begins."""
    line, column = error.getLineNumber() or 1, (error.getColumnNumber() or 0) + 1
    place = line, column - reader.indent if line == 1 else column
    what = error.getMessage()
    unclosed = [element for element in reader.open if not (element.name == "speak" and reader.indent)]
    if what in ("mismatched tag", "no element found", "unclosed token") and unclosed:
        element = unclosed[-1]
        return reader.error(f"the element <{element.name}> is not closed", f"write </{element.name}>",
                            (element.line, element.column))  # fmt: skip
    if what == "mismatched tag":
        return reader.error("a closing tag that closes nothing", "remove it, or open the element before it", place)
    return reader.error(f"not well-formed XML: {what}", "write & as &amp; and < as &lt;, and close each element", place)


def _targets(reader: _Reader) -> tuple[TaggedText, Targets]:
    text = "".join(reader.parts)
    words = list(_words(text, sorted({place for place, _ in reader.breaks})))
    begins, silence = [_begin(text, word) for word in words], dict[int, float]()
    for place, seconds in reader.breaks:
        if seconds:
            slot = bisect_left(begins, place)
            silence[slot] = silence.get(slot, 0.0) + seconds
    if (total := sum(silence.values())) > LONGEST_SILENCE:
        raise TagError(
            f"the breaks add up to {total:.0f} s of silence", remedy=f"at most {LONGEST_SILENCE:.0f} s are added"
        )
    starts, ends = [start for start, _ in words], [end for _, end in words]
    passages, lost = [], []
    for element, end in sorted(reader.passages, key=lambda one: (one[0].line, one[0].column)):
        first, last = bisect_right(ends, element.start), bisect_left(starts, end) - 1
        while first <= last and not _covered(reader, text, words[first], element, end):
            first += 1
        while first <= last and not _covered(reader, text, words[last], element, end):
            last -= 1
        if first > last:
            lost.append(f"<{element.name}> in line {element.line}, column {element.column} (no word is inside it)")
            continue
        passages.append(
            Passage(
                first, last, semitones=element.asks.get("pitch", 0.0), decibels=element.asks.get("volume", 0.0),
                rate=element.asks.get("rate", 1.0),
                emphasis=element.asks.get("level", LEVELS["moderate"]) if element.name == "emphasis" else 0.0,
            )
        )  # fmt: skip
    return TaggedText([text[start:end] for start, end in words]), Targets(silence, tuple(passages), tuple(lost))


def _words(text: str, breaks: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield start and end of each word. A break between two letters separates words, one beside punctuation does not."""
    for token in re.finditer(r"\S+", text):
        start, end = token.span()
        for place in breaks[bisect_right(breaks, start) : bisect_left(breaks, end)]:
            if _SPOKEN.search(text, start, place) and _SPOKEN.search(text, place, end):
                yield start, place
                start = place
        yield start, end


def _begin(text: str, word: tuple[int, int]) -> int:
    """Return the place of the first letter of a word."""
    found = _SPOKEN.search(text, *word)
    return found.start() if found else word[0]


def _covered(reader: _Reader, text: str, word: tuple[int, int], element: _Element, end: int) -> bool:
    """Return whether a word is inside an element, whose punctuation may be outside."""
    letters = [found.start() for found in _SPOKEN.finditer(text, *word)] or [*range(*word)]
    inside = [element.start <= place < end for place in letters]
    if any(inside) and not all(inside):
        raise reader.error(f"the element <{element.name}> begins or ends inside the word {text[slice(*word)]!r}",
                           "put it around whole words", (element.line, element.column))  # fmt: skip
    return all(inside)


def _seconds(text: str) -> float | None:
    found = _TIME.fullmatch(text)
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else None
    return seconds if seconds is not None and seconds <= LONGEST_BREAK else None


def _semitones(text: str) -> float | None:
    if text in PITCHES:
        return 12 * log2(PITCHES[text])
    found = _PITCH.fullmatch(text)
    if not found or not found[1]:
        return None
    size = float(found[1] + found[2])
    semitones = size if found[4] == "st" else 12 * log2(1 + size / 100) if size > -100 else SEMITONE_LIMITS[0] - 1
    return semitones if SEMITONE_LIMITS[0] <= semitones <= SEMITONE_LIMITS[1] else None


def _rate(text: str) -> float | None:
    found = _PERCENT.fullmatch(text)
    rate = RATES[text] if text in RATES else float(found[1]) / 100 if found else 0.0
    return rate if RATE_LIMITS[0] <= rate <= RATE_LIMITS[1] else None


def _decibels(text: str) -> float | None:
    if text in VOLUMES:
        return max(SILENT_DB, 20 * log10(max(VOLUMES[text], 1e-9)))
    decibels = float(text.removesuffix("dB")) if _VOLUME.fullmatch(text) else DECIBEL_LIMITS[1] + 1
    return decibels if DECIBEL_LIMITS[0] <= decibels <= DECIBEL_LIMITS[1] else None


_VALUES: dict[str, tuple[Callable[[str], float | None], str]] = {
    "strength": (STRENGTHS.get, ", ".join(STRENGTHS)),
    "time": (_seconds, f"a time such as 250ms or 1.5s, at most {LONGEST_BREAK:g}s"),
    "level": (LEVELS.get, ", ".join(LEVELS)),
    "pitch": (_semitones, "a change of at most an octave, such as +20% or -2st, or one of: " + ", ".join(PITCHES)
              + "; Hz cannot be done, because the pitch of the voice is not known"),
    "rate": (_rate, f"a share of the plain pace from {RATE_LIMITS[0]:.0%} to {RATE_LIMITS[1]:.0%}, or one of: " + ", ".join(RATES)),
    "volume": (_decibels, f"a change such as +6dB or -3.5dB, from {DECIBEL_LIMITS[0]:g} to +{DECIBEL_LIMITS[1]:g}, or one of: "
               + ", ".join(VOLUMES)),
}  # fmt: skip
