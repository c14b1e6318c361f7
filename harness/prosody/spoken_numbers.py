"""Numbers in words: cardinals, ordinals, years, decades, fractions, times. Written out by `num2words` (LGPL)."""

from __future__ import annotations

import re
from collections.abc import Iterator

MONTHS = {
    name[:3].lower(): name
    for name in "January February March April May June July August September October November December".split()
}
MAX_DIGITS = 15  # longer numbers are said digit by digit
ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
_PARTS = {"½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5), "⅗": (3, 5), "⅘": (4, 5),
          "⅙": (1, 6), "⅚": (5, 6), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8)}  # fmt: skip


def _words(number: int, to: str = "cardinal") -> str:
    from num2words import num2words

    return re.sub(r"[-,]", " ", num2words(number, to=to)).replace("  ", " ")


def cardinals(number: str) -> Iterator[str]:
    """Yield the readings of a number such as "1,250" or "2.5"."""
    whole, point, decimals = number.replace(",", "").partition(".")
    if len(whole) > MAX_DIGITS:
        yield from digits(whole)
        return
    value = int(whole or 0)
    plain = _words(value)
    wholes = [plain.replace(" and ", " "), plain]
    if whole in ("100", "1000", "1000000"):
        wholes.insert(1, f"a {plain.removeprefix('one ')}")
    if not point:
        if len(whole) == 4 and value % 1000 and value % 100 == 0:
            wholes.insert(1, f"{_words(value // 100)} hundred")
        yield from dict.fromkeys(wholes)
        return
    after = " ".join(_words(int(digit)) for digit in decimals)
    starts = wholes if value else ["zero", "", "oh"]
    for start in dict.fromkeys(starts):
        yield f"{start} point {after}".strip()
        if decimals == "5" and value:
            yield f"{start} and a half"
    if decimals == "5" and not value:
        yield from ("half a", "half", "a half")
    if len(decimals) == 2 and decimals[0] != "0":
        yield f"{starts[0]} point {_words(int(decimals))}".strip()


def ordinals(number: str) -> Iterator[str]:
    """Yield the readings of an ordinal: "twenty first"."""
    if len(number) <= MAX_DIGITS:
        words = _words(int(number), "ordinal")
        yield from dict.fromkeys((words.replace(" and ", " "), words))


def years(number: str) -> Iterator[str]:
    """Yield the readings of a year: "nineteen oh five", "two thousand five"."""
    if len(number) == 4 and number[0] != "0":
        first, last = int(number[:2]), int(number[2:])
        if number[1:3] != "00":
            yield f"{_words(first)} " + ("hundred" if not last else f"oh {_words(last)}" if last < 10 else _words(last))
            if 0 < last < 10:
                yield f"{_words(first)} hundred {_words(last)}"
        yield from cardinals(number)
        if number[1:3] == "00" and last:
            yield f"{_words(first)} oh {_words(last)}"
    elif number.startswith("0"):
        yield from digits(number)


def pair(number: str) -> Iterator[str]:
    """Yield a number in groups of two digits: "three fifty", "ten eighty"."""
    groups = [number[max(0, end - 2) : end] for end in range(len(number), 0, -2)][::-1]
    if len(groups) <= 2 and len(number) > 2:
        first, last = groups
        if last == "00":
            yield f"{_words(int(first))} hundred"
        else:
            yield f"{_words(int(first))} " + (f"oh {_words(int(last))}" if last[0] == "0" else _words(int(last)))


def digits(number: str) -> Iterator[str]:
    """Yield a number digit by digit, its zeros as "zero" and as "oh"."""
    said = " ".join(_words(int(digit)) for digit in number if digit.isdecimal())
    yield from dict.fromkeys((said, said.replace("zero", "oh")))


def decades(number: str) -> Iterator[str]:
    """Yield the readings of "1980s" and "90s"."""
    starts = [*years(number)] if len(number) == 4 else [_words(int(number))]
    for start in starts:
        yield start.removesuffix("y") + "ies" if start.endswith("y") else f"{start}s"


def fractions(left: str, right: str) -> Iterator[str]:
    """Yield the readings of "2/3" as a fraction: "two thirds"."""
    if not (
        left.isdecimal()
        and right.isdecimal()
        and len(left) < 3
        and 2 <= int(right[:4]) <= 100
        and int(left) < int(right)
    ):
        return
    many, above = int(left) > 1, _words(int(left))
    name = {2: "half", 4: "quarter"}.get(int(right), _words(int(right), "ordinal"))
    plural = "halves" if name == "half" else f"{name}s"
    yield f"{above} {plural if many else name}"
    if not many:
        yield from (f"a {name}", f"{name} a", name) if name == "half" else (f"a {name}",)
    elif int(right) == 4:
        yield f"{above} fourths"


def half_amounts(number: str | None, sign: str) -> Iterator[str]:
    """Yield the readings of "½" and "1½"."""
    parts = [*fractions(*map(str, _PARTS[sign]))]
    if number is None:
        yield from parts
    else:
        for part in sorted(parts, key=lambda one: not one.startswith("a ")):
            yield f"{next(cardinals(number))} and {part}"


def times(hour: int, minutes: str | None, half: str) -> Iterator[str]:
    """Yield the readings of a time of day; `half` is "am", "pm", "h" or empty."""
    tails = {
        "am": ["A M", "in the morning"], "pm": ["P M", "in the afternoon", "in the evening"], "h": ["hours", "o'clock", ""],
    }.get(half, [""])  # fmt: skip
    hours = [hour, *([hour - 12] if hour > 12 else [])]
    minute = int(minutes or 0)
    for number in hours:
        name = _words(number)
        said = ([f"{name} o'clock", name, f"{name} hundred", f"{name} hundred hours"] if half in ("", "h") else [name]) if not minute else [
            f"{name} oh {_words(minute)}" if minute < 10 else f"{name} {_words(minute)}"
        ]  # fmt: skip
        if minutes == "00" and half not in ("", "h"):
            said += [f"{name} o'clock"]
        if minute in (15, 30, 45):
            following = _words(number % 12 + 1)
            said += {15: [f"quarter past {name}", f"a quarter past {name}"], 30: [f"half past {name}"],
                     45: [f"quarter to {following}", f"a quarter to {following}"]}[minute]  # fmt: skip
        for one in said:
            for tail in tails if number <= 12 else [*tails, "" if half == "h" else "hours"]:
                yield f"{one} {tail}".strip()
        if half == "" and number != hour:
            yield from (f"{one} P M" for one in said)


def roman(text: str) -> int:
    """Return the value of a Roman numeral, or 0 if it is not written as one."""
    values = [ROMAN[letter] for letter in text]
    value = sum(-one if any(one < later for later in values[at + 1 : at + 2]) else one for at, one in enumerate(values))
    tens, ones = divmod(value, 10)
    spelled = "C" * (tens // 10) + ["", "X", "XX", "XXX", "XL", "L", "LX", "LXX", "LXXX", "XC"][tens % 10]
    spelled += ["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"][ones]
    return value if spelled == text else 0
