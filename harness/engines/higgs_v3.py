"""The dialect of Higgs Audio v3: control tags like ``<|prosody:pause|>``.

Source: PROMPTING.md of bosonai/higgs-tts-3-4b, and "Tags" in docs.boson.ai, both read on 2026-11-23. The model recognises 43
control tags; any other "degrades output or gets read literally". Two are inline, at the place of the pause. Pitch belongs to
the sentence: its tag is at the start and acts on the whole sentence. There is no tag for the emphasis of a word, and none for
a rising or falling end.

>>> text = TaggedText.parse("We <emph> guarantee <pause_short> 30% <pitch_high> savings.")
>>> HIGGS_V3.render(text)
'<|prosody:pitch_high|>We guarantee <|prosody:pause|> 30% savings.'
>>> HIGGS_V3.lost(text)
[(1, <Tag.EMPH: '<emph>'>)]
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.engines.dialects import DIALECTS, Dialect, Layout, Page, ends_sentence
from harness.tagged import PAUSES, TAGS, WORD_TAGS, Tag, TaggedText, printable

CONTROL_TAGS: dict[Tag, str] = {
    Tag.PAUSE_SHORT: "<|prosody:pause|>",
    Tag.PAUSE_LONG: "<|prosody:long_pause|>",
    Tag.PITCH_HIGH: "<|prosody:pitch_high|>",
    Tag.PITCH_LOW: "<|prosody:pitch_low|>",
}


def reach(tag: Tag) -> str:
    """Return what becomes of a tag: "kept", "whole sentence" (it acts on more than was asked for) or "lost"."""
    if tag not in CONTROL_TAGS:
        return "lost"
    return "kept" if tag in PAUSES else "whole sentence"


def loss_table() -> list[dict[str, str]]:
    """Return a row for each tag: ``tag``, ``written as``, ``reach``."""
    return [{"tag": tag.value, "written as": CONTROL_TAGS.get(tag, "–"), "reach": reach(tag)} for tag in TAGS]


@dataclass(frozen=True)
class _SentenceDialect(Dialect):
    """A dialect with one pitch per sentence: of two pitch levels in a sentence, the first is kept."""

    def lost(self, text: TaggedText) -> list[tuple[int, Tag]]:
        """Return what `Dialect.lost` does, and each pitch level that contradicts an earlier one in its sentence."""
        starts, levels = _sentences(text), _levels(text)
        return [
            (slot, tag)
            for slot, tag in text.tags
            if tag not in self.expressible
            or (tag in WORD_TAGS and (slot == len(text.words) or levels[starts[slot]] != tag))
        ]


def _sentences(text: TaggedText) -> list[int]:
    """Return the index of the first word of its sentence, for each word."""
    starts, start = [], 0
    for place, word in enumerate(text.words):
        starts.append(start)
        if ends_sentence(word):
            start = place + 1
    return starts


def _levels(text: TaggedText) -> dict[int, Tag]:
    """Return the pitch level of each sentence that has one, by the index of its first word."""
    starts = _sentences(text)
    levels: dict[int, Tag] = {}
    for slot, tag in text.tags:
        if tag in (Tag.PITCH_HIGH, Tag.PITCH_LOW) and slot < len(starts):
            levels.setdefault(starts[slot], tag)
    return levels


def _lay_out(text: TaggedText) -> Layout:
    page, by_slot, levels = Page(), text.by_slot(), _levels(text)
    for slot in range(len(text.words) + 1):
        for tag in dict.fromkeys(by_slot.get(slot, ())):
            if tag in PAUSES:
                page.add(" " if page.parts else "", CONTROL_TAGS[tag])
        if slot == len(text.words):
            break
        page.add(" " if page.parts else "")
        if slot in levels:
            page.add(CONTROL_TAGS[levels[slot]])
        # The text itself must not hold control tags, which begin with "<|".
        page.add_word(printable(text.words[slot]).replace("<|", "< |"))
    return page.done()


# Boson's serving guide: 400 to 700 ms for a pause, 700 to 1500 ms for a long one (sgl-project/sglang-omni, docs/cookbook/higgs_tts.md).
# Its pitch controls (+2.5, -3 semitones) act on a whole sentence, and the detectors measure a word against its sentence.
PROMISES: dict[Tag, tuple[float, float]] = {Tag.PAUSE_SHORT: (0.4, 0.7), Tag.PAUSE_LONG: (0.7, 1.5)}
HIGGS_V3 = _SentenceDialect("higgs_v3", frozenset(CONTROL_TAGS), _lay_out, promises=PROMISES)
DIALECTS[HIGGS_V3.name] = HIGGS_V3
