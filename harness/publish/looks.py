"""One colour, marker and line for each engine, tagger and arm, in every figure of the book.

The colours are Okabe and Ito's (2008), which people with any kind of colour blindness can tell apart. Three of them are too pale
for a thin mark on white (less than 3 : 1, WCAG 2.1, criterion 1.4.11) and stand here darkened: sky, orange (a brown) and grey.
There are eight, so where a family is larger a marker tells its members apart; nothing is said by colour alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from zlib import crc32

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, BROWN, GREY, INK = "#3E9BD6", "#7A4F00", "#737373", "#222222"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, SKY, BROWN, GREY, INK)
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*", "<", ">")
LINES = ("-", "--", ":", "-.")
# Text is read at a smaller contrast than a mark is seen: WCAG 2.1, criterion 1.4.3.
TEXT_CONTRAST = 4.5


class Look(NamedTuple):
    """How one thing is drawn."""

    colour: str
    marker: str = "o"
    line: str = "-"


FAMILIES: dict[str, dict[str, Look]] = {
    "engines": {
        "espeak": Look(VERMILLION, "o"), "piper": Look(BLUE, "s"), "hibari": Look(GREEN, "D"),
        "higgs_native": Look(PURPLE, "^", "--"), "higgs_boson": Look(BROWN, "v"), "openai_speech": Look(INK, "P"),
    },
    "taggers": {
        "gold": Look(INK, "*"), "second pass": Look(PURPLE, "D"), "gpt2": Look(BLUE, "o"), "lm_slots": Look(SKY, "s"),
        "lm_features": Look(SKY, "^", "--"), "logistic": Look(VERMILLION, "P"), "majority": Look(GREEN, "v"),
        "rules": Look(BROWN, "s"), "random": Look(GREY, "X"), "none": Look(GREY, "<"),
    },
    "arms": {
        "tagged": Look(VERMILLION, "o"), "plain": Look(BLUE, "s"), "placebo": Look(GREY, "X"),
        "contrast": Look(PURPLE, "^"), "null": Look(INK, "D"), "stripped": Look(GREEN, "v"),
    },
}  # fmt: skip
KNOWN = {name: look for family in FAMILIES.values() for name, look in family.items()}
# The two stacks of chapters 03, 04 and 08 are the engines that stand on them.
KNOWN |= {"boson": KNOWN["higgs_boson"], "native": KNOWN["higgs_native"]}


def look(name: str) -> Look:
    """How `name` is drawn.

    "espeak:en-us", "gpt2, espeak" and "lm_slots on SmolLM2-135M" look like what stands first in them. A name that nobody knows
    has a look of its own, the same in every figure and on every machine.
    """
    for known in (name, re.split(r"[:,]| on | with ", name)[0].strip()):
        if known in KNOWN:
            return KNOWN[known]
    number = crc32(name.encode())
    return Look(PALETTE[number % len(PALETTE)], MARKERS[number // len(PALETTE) % len(MARKERS)])


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Looks of things that stand in one figure: where two would have the same colour and marker, the later one gets others."""
    chosen: dict[str, Look] = {}
    for name in names:
        wanted = look(name)
        if any(one[:2] == wanted[:2] for one in chosen.values()):
            taken = [one.marker for one in chosen.values()]
            free = next((sign for sign in MARKERS if sign not in taken), wanted.marker)
            wanted = Look(wanted.colour, free, LINES[(LINES.index(wanted.line) + 1) % len(LINES)])
        chosen[name] = wanted
    return chosen


def contrast(colour: str, ground: str = "#FFFFFF") -> float:
    """Contrast of two colours, 1 to 21 (WCAG 2.1, relative luminance)."""
    lighter, darker = sorted((_luminance(colour), _luminance(ground)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def ink(colour: str) -> str:
    """`colour`, darkened until text in it can be read on white."""
    while contrast(colour) < TEXT_CONTRAST:
        colour = "#" + "".join(f"{int(0.96 * level):02X}" for level in _levels(colour))
    return colour


def on(ground: str) -> str:
    """White or nearly black, whichever is read better on `ground`."""
    return "#FFFFFF" if contrast("#FFFFFF", ground) >= contrast(INK, ground) else INK


def _levels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _luminance(colour: str) -> float:
    shares = [level / 255 for level in _levels(colour)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
