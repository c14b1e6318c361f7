r"""Marks that the local voices would read aloud, although they are meant for the eye: markdown and emoji.

espeak and Piper read ``*really*`` as "asterisk really asterisk", and an emoji by its name. The aligner expects neither. The words
of a text stay as they are in every record; only the text sent to these voices leaves out

- asterisks and pairs of tildes around words (``*a*``, ``**a b**``, ``~~a~~``), not within them (``5*3``);
- a lone ``*``, except between numbers (``2 * 3``);
- the mark of a heading, list or quotation before a text (``# a``, ``- a``, ``• a``, ``> a``), except before a number;
- emoji and dingbats.

>>> spoken(TaggedText.from_plain("It is *really* good 🚀 news"))[0].plain
'It is really good news'
"""

from __future__ import annotations

import re

from harness.tagged import TaggedText

_BEFORE = re.compile(r"^([\"'“‘(\[]*)(?:\*+|~~)+")
_AFTER = re.compile(r"(?:\*+|~~)+([\"'”’)\].,;:!?…—-]*)$")
_LINE_MARK = re.compile(r"#{1,6}|[-•‣>]|\*+")
_OF_NUMBERS = frozenset("0123456789.$€£¥")  # "- 5 degrees" and "# 1" are no list and no heading
# Pictures (with U+FE0F, which asks for a colourful form, and the modifiers that are joined to them by U+200D), and dingbats
# except the circled digits. Signs in ordinary use, such as "→" and "©", are not among them.
_EMOJI = re.compile("[\U0001f000-\U0001f0ff\U0001f1e6-\U0001faff\u2600-\u2775\u2794-\u27bf\u2b50\u2b55]")
_JOINED = re.compile("[\u200d\ufe0e\ufe0f\u20e3\U000e0020-\U000e007f]")


def spoken(text: TaggedText) -> tuple[TaggedText, list[int]]:
    """Return a text without these marks, and for each of its words the index of the original one.

    Tags stay before the same word. If nothing but marks would remain, the text is unchanged.
    """
    kept: list[int] = []
    words: list[str] = []
    for index in range(len(text.words)):
        if word := _spoken_word(text.words, index):
            kept.append(index)
            words.append(word)
    if not words:
        return text, list(range(len(text.words)))
    tags = [(sum(index < slot for index in kept), tag) for slot, tag in text.tags]
    return TaggedText(words, tags), kept


def _spoken_word(words: tuple[str, ...], index: int) -> str:
    word = words[index]
    if index == 0 and len(words) > 1 and _LINE_MARK.fullmatch(word) and words[1][0] not in _OF_NUMBERS:
        return ""
    if set(word) == {"*"}:
        around = [*words[max(index - 1, 0) : index], *words[index + 1 : index + 2]]
        between_numbers = len(around) == 2 and all(any(map(str.isdigit, one)) for one in around)
        return word if between_numbers and len(word) == 1 else ""
    if "*" in word or "~~" in word:
        word = _AFTER.sub(r"\1", _BEFORE.sub(r"\1", word))
    if _EMOJI.search(word):
        word = _JOINED.sub("", _EMOJI.sub("", word))
    return word if re.search(r"\w", word) or word == words[index] else ""
