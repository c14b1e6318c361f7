"""What is shaped like markup without being one of the tags, and the tag that was probably meant.

A voice reads such text aloud, so `harness.tagged` refuses it. Markup is what has the shape of an SSML or HTML element, a comment,
a declaration (``<?xml ?>``), a control tag of Higgs (``<|prosody:pause|>``) or, in square or curly brackets, a pause, an emphasis
or a pitch (``[pause]``, as for ElevenLabs). Ordinary ``<`` and brackets are text: ``a < b``, ``<3``, ``x<y``, ``[1]``, ``[laughs]``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

LONG_PAUSE = 0.7  # seconds; a longer break is a `pause_long` (DESIGN, section 4)
_NAME = r"[^\W\d][\w:-]*"
_UNCLOSED = "emph|emphasis|break|pause_short|pause_long|pitch_high|pitch_low|pitch_rising|pitch_falling"
# What may be markup. Nothing but the first character may be "<", so a search through any text takes linear time, and a tag
# inserted into the middle of a candidate ends it.
_CANDIDATE = re.compile(
    rf"<!--|<!\[CDATA\[|<\|[^<>|]*\|>|<[^<>]*>|<\s*{_NAME}\s+[\w:-]+\s*=\s*[\"'][^\"'<>]*|</?({_UNCLOSED})(?![\w:>-])"
    r"|\[[^][{}<>]*\]|\{[^][{}<>]*\}"
)
_HEAD = re.compile(_NAME)
_HEADLINE = re.compile(rf"<[\s!?/]*{_NAME}")
_QUOTED = re.compile(r"\s[\w:-]+\s*=\s*[\"']")
_TOKENS = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+")
_TIME = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?|\.\d+)\s*(m?)")

_PAUSES = frozenset("pause pauses paused pausing break breaks".split())
_EMPHASES = frozenset("emph emphasis emphasise emphasize emphasised emphasized".split())
_LONG = frozenset("long longer strong big large dramatic".split())
_DIRECTIONS = {
    **dict.fromkeys("high higher up raise raised".split(), "pitch_high"),
    **dict.fromkeys("low lower down lowered".split(), "pitch_low"),
    **dict.fromkeys("rising rise rises".split(), "pitch_rising"),
    **dict.fromkeys("falling fall falls".split(), "pitch_falling"),
}
_HEADS = _PAUSES | _EMPHASES | {"pitch"}
_AROUND = frozenset("short shorter medium small slight brief little tiny quick of for one two three half x end start "
                    "s ms sec secs second seconds millisecond milliseconds prosody".split())  # fmt: skip
_IN_BRACKETS = _HEADS | _LONG | _AROUND | _DIRECTIONS.keys()
_ELEMENTS = frozenset("break emphasis prosody speak voice mark sub audio phoneme say-as pause emph strong em".split())
_WORDS_OF_AN_ELEMENT = 3  # after a known name: "<pause for 2 seconds>"
_IN_BRACKETS_AT_MOST = 40  # characters
_SEARCHED = 200  # characters of markup that are searched for the tag that was meant
_CLOSE = 0.8  # similarity of a misspelled tag in brackets, and
_SIMILAR = 0.6  # of a name that is certainly markup: the default of difflib


def markup(text: str, tags: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the start and end of everything in `text` that is a tag or shaped like markup.

    White space counts as white space whatever its length, and backslashes before a place do not matter.

    Parameters
    ----------
    text : str
    tags : sequence of str
        Names of the tags, without brackets.
    """
    at = 0
    while found := _CANDIDATE.search(text, at):
        at = found.start() + 1
        before = found.start() - backslashes(text, found.start())
        inside_word = before > 0 and text[before - 1].isalnum()
        if _is_markup(found.group(), inside_word, tags):
            at = found.end()
            yield found.span()


def backslashes(text: str, end: int) -> int:
    """Count the backslashes directly before a position."""
    start = end
    while start and text[start - 1] == "\\":
        start -= 1
    return end - start


def meant(piece: str, tags: Sequence[str]) -> str | None:
    """Return the name of the tag that was probably meant by a piece of markup, or None.

    >>> meant('<break time="1s"/>', ["pause_short", "pause_long"])
    'pause_long'
    """
    piece = piece[:_SEARCHED].lower()
    tokens = _TOKENS.findall(piece)
    words = set(tokens)
    name = ""
    if words & _PAUSES:
        seconds = [float(value) / (1000 if unit else 1) for value, unit in _TIME.findall(piece)]
        name = "pause_long" if words & _LONG or max(seconds, default=0) >= LONG_PAUSE else "pause_short"
    elif words & _EMPHASES or words & {"strong", "em", "stress", "stressed"}:
        name = "emph"
    elif "pitch" in words:
        signs = {"+": "pitch_high", "-": "pitch_low"}
        directions = [_DIRECTIONS[token] for token in tokens if token in _DIRECTIONS]
        directions += [signs[sign] for sign in re.findall(r"([+-])\d", piece)]
        name = directions[0] if directions else ""
    if name in tags:
        return name
    return next(iter(difflib.get_close_matches("_".join(tokens[:3]), tags, n=1, cutoff=_SIMILAR)), None)


def _is_markup(piece: str, inside_word: bool, tags: Sequence[str]) -> bool:
    inside = piece[1:-1]
    if inside in tags and piece[0] == "<" and piece[-1] == ">":  # most of what is found
        return True
    if piece[0] in "[{":
        return _is_bracketed_tag(inside, tags)
    if piece.startswith("<!") or _QUOTED.search(piece):
        return piece.startswith(("<!--", "<![CDATA[")) or _HEADLINE.match(piece) is not None
    if piece.startswith("<?"):
        return _HEAD.match(inside, 1) is not None
    if piece.startswith("<|") and piece.endswith("|>"):  # "a <| b |> c" is a program
        return not (piece[2].isspace() and piece[-3].isspace()) or bool(_HEADS.intersection(piece.lower().split()))
    if piece[-1] != ">":
        return True
    return _is_element(inside, inside_word, tags) or _is_bracketed_tag(inside, tags)


def _is_element(inside: str, inside_word: bool, tags: Sequence[str]) -> bool:
    """Say whether what is between < and > makes an element, and not two comparisons such as "a<b and c>d"."""
    core = inside.strip()
    closing = core.startswith("/") or core.endswith("/")
    core = core.strip("/").strip()
    head = _HEAD.match(core)
    if head is None:
        return False
    name, rest = head.group(), core[head.end() :]
    first = re.split(r"[\W_]", name.lower())[0]
    if (name.lower() in tags or name.lower() in _ELEMENTS or first in _HEADS) and len(
        rest.split()
    ) <= _WORDS_OF_AN_ELEMENT:
        return True
    if rest and not rest[0].isspace():  # an address: <me@example.com>, <https://example.com>
        return False
    tight = not inside[0].isspace(), not inside[-1].isspace()
    if closing or (not rest and all(tight)):
        return True
    # One space too many ("< word>", "<word >"), or several words ("<sighs deeply>"); "x < y > z" is text.
    return len(name) > 1 and not inside_word and (all(tight) if rest else any(tight))


def _is_bracketed_tag(inside: str, tags: Sequence[str]) -> bool:
    """Say whether brackets hold only words of a pause, an emphasis or a pitch; "[emphasis added]" is text."""
    inside = " ".join(inside.lower().split())
    if len(inside) > _IN_BRACKETS_AT_MOST:
        return False
    words = _TOKENS.findall(inside)
    if any(word in _HEADS for word in words) and all(word in _IN_BRACKETS or word[0].isdigit() for word in words):
        return True
    return bool(difflib.get_close_matches(inside, tags, n=1, cutoff=_CLOSE))
