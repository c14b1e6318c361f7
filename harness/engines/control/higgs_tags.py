"""Control tags of Higgs Audio v3 as input: what Boson says they do becomes targets.

Its serving guide gives sizes for pauses, pitch and speed (sgl-project/sglang-omni, docs/cookbook/higgs_tts.md). Pauses are where they
are written; pitch and speed act on the sentence at whose start they are written, here from their place to its end. The other tags
(emotions, styles, sound effects, expressiveness) have no size, and are left out.

>>> text, targets = read_higgs_tags("<|prosody:pitch_high|>Good news. <|prosody:pause|> We <|emotion:pride|>won.")
>>> text.plain, targets.silence, targets.passages[0].semitones, targets.lost
('Good news. We won.', {2: 0.55}, 2.5, ('<|emotion:pride|> in line 1, column 55 (it has no size in lengths, pitch or level)',))
"""

from __future__ import annotations

import re
from bisect import bisect_left
from difflib import get_close_matches

from harness.engines.control.targets import Passage, Targets
from harness.engines.dialects import ends_sentence
from harness.errors import TagError
from harness.tagged import TaggedText

PAUSES = {"prosody:pause": 0.55, "prosody:long_pause": 1.1}  # seconds: the middle of 400-700 and of 700-1500 ms
PITCHES = {"prosody:pitch_high": 2.5, "prosody:pitch_low": -3.0}  # semitones
SPEEDS = {
    "prosody:speed_very_slow": 0.65,
    "prosody:speed_slow": 0.85,
    "prosody:speed_fast": 1.2,
    "prosody:speed_very_fast": 1.4,
}
_OTHERS = {
    "emotion": "elation amusement enthusiasm determination pride contentment affection relief contemplation confusion surprise awe "
               "longing arousal anger fear disgust bitterness sadness shame helplessness",
    "style": "singing shouting whispering",
    "sfx": "cough laughter crying screaming burping humming sigh sniff sneeze",
    "prosody": "expressive_high expressive_low",
}  # fmt: skip
KNOWN = frozenset(
    {*PAUSES, *PITCHES, *SPEEDS, *(f"{kind}:{name}" for kind, names in _OTHERS.items() for name in names.split())}
)
_CONTROL = re.compile(r"(?<!\\)<\|([^|<>]*)(\|>)?")


def read_higgs_tags(text: str) -> tuple[TaggedText, Targets]:
    """Read a text with control tags.

    Raises
    ------
    TagError
        For an unknown or unclosed control tag, and for other markup; with line and column.
    """
    found = list(_CONTROL.finditer(text))
    for tag in found:
        if not tag[2]:
            raise _error(
                text, tag.start(), f"the control tag {tag[0].strip()!r} is not closed", "write it as <|prosody:pause|>"
            )
        if tag[1] not in KNOWN:
            near = get_close_matches(tag[1], KNOWN, n=1)
            advice = f"did you mean <|{near[0]}|>? " if near else ""
            raise _error(text, tag.start(), f"unknown control tag {tag[0]}",
                         f"{advice}Higgs v3 has {len(KNOWN)} control tags, and reads others aloud")  # fmt: skip
    # A blank of the same length for each tag, so that the places of other markup are right.
    rest = TaggedText.parse(_CONTROL.sub(lambda tag: " " * len(tag[0]), text))
    if rest.tags:
        place = min(at for tag in {tag for _, tag in rest.tags} if (at := text.find(tag.value)) >= 0)
        raise _error(
            text, place, f"{rest.tags[0][1]} is not a control tag of Higgs v3", "it is one of the tags of --input tags"
        )
    silence: dict[int, float] = {}
    passages: dict[tuple[int, str], Passage] = {}  # by the end of the sentence, and what they change
    lost: list[str] = []
    ends = [index for index, word in enumerate(rest.words) if ends_sentence(word) or index == len(rest.words) - 1]
    slot, counted = 0, 0
    for tag in found:
        slot += len(TaggedText.parse(_CONTROL.sub(" ", text[counted : tag.start()])).words)
        counted = tag.end()
        where = f"<|{tag[1]}|> in line {_place(text, tag.start())[0]}, column {_place(text, tag.start())[1]}"
        if tag[1] in PAUSES:
            silence[slot] = silence.get(slot, 0.0) + PAUSES[tag[1]]
        elif tag[1] not in PITCHES and tag[1] not in SPEEDS:
            lost.append(f"{where} (it has no size in lengths, pitch or level)")
        elif slot >= len(rest.words):
            lost.append(f"{where} (no word follows it)")
        else:
            end = ends[bisect_left(ends, slot)]
            kind = "pitch" if tag[1] in PITCHES else "speed"
            if (end, kind) in passages:
                lost.append(f"{where} (the sentence already has a {kind})")
                continue
            passages[end, kind] = Passage(slot, end, semitones=PITCHES.get(tag[1], 0.0), rate=SPEEDS.get(tag[1], 1.0))
    return rest, Targets(silence, tuple(passages.values()), tuple(lost))


def _place(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _error(text: str, offset: int, message: str, remedy: str) -> TagError:
    line, column = _place(text, offset)
    return TagError(message, line=line, column=column, remedy=remedy)
