"""Readings of written forms: how a voice may say "$2.5M", "10–15%", "Q3" or "9:30am".

Each reading is a string of words, the likeliest first. Numbers are written out by `num2words`; tables give the words for
units, currencies and periods. Voices differ, so a form has several readings, and the aligner takes the one that fits the audio.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from harness.prosody.spoken_numbers import (
    MONTHS,
    cardinals,
    decades,
    digits,
    fractions,
    half_amounts,
    ordinals,
    pair,
    roman,
    times,
    years,
)
from harness.prosody.spoken_tables import BEFORE, CURRENCIES, PER, PERIODS, SCALES, UNITS, WORDS

MAX_READINGS = 24  # of one form
MAX_LENGTH = 40  # characters; longer forms are not looked up
_NUMBER = r"\d[\d,]*(?:\.\d+)?|\.\d+"
_FRACTIONS = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
_OPENING, _CLOSING = "([{“‘\"'*_`«¿¡", ")]}”’*_`»,;:!?…"


def _any(table: Iterable[str]) -> str:
    """Return a regular expression that matches any of the keys, the longest first."""
    return "|".join(re.escape(key) for key in sorted(table, key=len, reverse=True))


_QUANTITY = re.compile(
    rf"(?P<before>{_any(BEFORE)})?(?P<sign>[-−+±])?(?P<currency>{_any(CURRENCIES)})?(?P<number>{_NUMBER})?(?P<fraction>[{_FRACTIONS}])?"
    rf"(?P<scale>(?i:{_any(SCALES)}))?-?(?P<unit>{_any(UNITS | CURRENCIES)})?(?P<plus>\+)?(?:/(?P<per>[A-Za-z²]+))?"
)
_RANGE = re.compile(r"(.*\d.*?)[-–—‑](.*\d.*)")
_DATE = re.compile(r"(\d{1,2})[/.](\d{1,2})(?:[/.](\d{4}|\d\d))?|(\d{4})-(\d\d)-(\d\d)")
_TIME = re.compile(r"(?i)(\d{1,2})(?:[:.](\d\d))?\s*(a\.?m\.?|p\.?m\.?|h)?")
_SIDES = re.compile(rf"({_NUMBER})\s*([x×:/])\s*({_NUMBER})(.*)")
_CODE = re.compile(r"([A-Za-z]{1,3})[-'’]?(\d{1,4})(?:['’](\d\d))?")
_PLACE = re.compile(r"(?=.*[A-Za-z])[\w-]+(?:[.@/:]+[\w-]+)+/?")


def readings(token: str) -> list[str]:
    """Return what a voice may say for a written token, likeliest first; nothing for an ordinary word.

    >>> readings("$2.5M")[:2]
    ['two point five million dollars', 'two and a half million dollars']
    """
    if len(token) > MAX_LENGTH:
        return []
    token = token.replace("\u00ad", "").lstrip(_OPENING)
    bare = token.rstrip(_CLOSING)
    if bare[-1:] in ("'", '"') and not re.search(r"\d['\"]$", bare):
        bare = bare.rstrip("'\"").rstrip(_CLOSING)
    forms = (bare, bare.rstrip(".") if bare.rstrip(".") != bare else "", bare + ")" if "(" in bare else "")
    found = itertools.chain.from_iterable(_readings(form) for form in forms if form)
    said = dict.fromkeys(" ".join(one.split()) for one in found)
    return [one for one in said if one][:MAX_READINGS]


def after(before: str, token: str) -> list[str]:
    """Return the readings that a token has only because of the one before it.

    In "$5 million" the second word is "million dollars", in "20 kg" it is "kilograms", and in "May 4" it is "fourth".
    """
    bare, before = token.strip("".join(_CLOSING) + _OPENING).rstrip("."), before.lstrip(_OPENING)
    money = re.match(_any(CURRENCIES), before)
    if money and re.fullmatch(r"(?i)thousand|million|billion|trillion|[kmb]|bn|mn|tn", bare):
        scale = SCALES.get(bare.lower(), bare).split("|")[0]
        return [f"{scale} {name}" for name in CURRENCIES[money.group()].split("|")]
    if before[-1:].isdecimal() and (bare in UNITS or bare in SCALES):
        return [*_names(bare), *SCALES.get(bare, "").split("|")][: MAX_READINGS // 2]
    if before.rstrip(".,").lower()[:3] in MONTHS and re.fullmatch(r"\d\d?", bare) and 1 <= int(bare) <= 31:
        return [*ordinals(bare), *(f"the {one}" for one in ordinals(bare))]
    return []


def _readings(bare: str) -> Iterator[str]:
    yield from WORDS.get(bare.lower(), "").split("|") if bare.lower() in WORDS else ()
    if not any(c.isdecimal() or c in _FRACTIONS for c in bare):
        if re.fullmatch(r"[IVXLC]{2,}", bare) and (value := roman(bare)):
            yield from (*cardinals(str(value)), *(f"the {one}" for one in ordinals(str(value))))
        if re.fullmatch(r"[A-Z]{2,6}", bare):
            yield from (" ".join(bare), bare.lower())
        if "&" in bare and len(bare) > 1:
            yield " ".join(_letters(part) for part in re.split("(&)", bare)).replace("&", "and")
        if (sides := re.split("[-–/]", bare)) and len(sides) == 2 and all(sides):
            if all(f"{side.lower()}." in WORDS and side[0].isupper() for side in sides):  # "Mon–Fri"
                yield from _product(WORDS[f"{sides[0].lower()}."].split("|"), ["to", "through", ""],
                                    WORDS[f"{sides[1].lower()}."].split("|"))  # fmt: skip
            elif "/" in bare:
                ways = [[" ".join(side) if side.isupper() else side] for side in sides]
                yield from _product(ways[0], ["", "and", "or"], ways[1])
        if _PLACE.fullmatch(bare) and ("@" in bare or (bare.count(".") and not bare.isupper())):
            yield " ".join(
                {".": "dot", "@": "at", "/": "slash"}.get(part, part) for part in re.findall(r"\w+|[.@/]", bare)
            )
        return
    if bare.isdecimal():
        yield from _bare_number(bare)
        return
    for way in (_ordinal_or_decade, _date, _time, _sides, _code, _quantity, _range, _version, _long_code):
        yield from way(bare)


def _bare_number(bare: str) -> Iterator[str]:
    if (len(bare) == 4 and bare[0] in "12") or bare.startswith("0"):
        yield from years(bare)
    yield from cardinals(bare)
    if len(bare) >= 3:
        yield from pair(bare)
        yield from digits(bare)


def _ordinal_or_decade(bare: str) -> Iterator[str]:
    if found := re.fullmatch(r"(?i)(\d[\d,]*)(st|nd|rd|th)", bare):
        yield from ordinals(found[1].replace(",", ""))
    elif found := re.fullmatch(r"['’‘]?(\d0|\d\d\d0)['’]?s", bare):
        yield from decades(found[1])


def _date(bare: str) -> Iterator[str]:
    if not (found := _DATE.fullmatch(bare)):
        return
    first, second, year, iso_year, month, day = found.groups()
    if "." in bare and not year:
        return
    orders = [(int(month), int(day))] if iso_year else [(int(first), int(second)), (int(second), int(first))]
    year = iso_year or year
    tails = [f" {one}" for one in [*years(f"20{year}" if year and len(year) == 2 else year)][:3]] if year else [""]
    for (month_number, day_number), tail in itertools.product(orders, tails):
        if 1 <= month_number <= 12 and 1 <= day_number <= 31:
            name, one = list(MONTHS.values())[month_number - 1], next(iter(ordinals(str(day_number))))
            yield f"{name} {one}{tail}"
            yield f"the {one} of {name}{tail}"


def _time(bare: str) -> Iterator[str]:
    if (
        (found := _TIME.fullmatch(bare))
        and (found[3] or ":" in bare)
        and int(found[1]) < 25
        and int(found[2] or 0) < 60
    ):
        yield from times(int(found[1]), found[2], (found[3] or "").lower().replace(".", ""))


def _sides(bare: str) -> Iterator[str]:
    """Yield the readings of "1/2", "16:9", "1920x1080" and the like."""
    if found := re.fullmatch(r"(\d{1,2})['’′](\d{1,2})[\"”″]?", bare):  # 5'10"
        feet, inches = next(cardinals(found[1])), next(cardinals(found[2]))
        yield from (
            f"{feet} foot {inches}",
            f"{feet} {inches}",
            f"{feet} feet {inches} inches",
            f"{feet} feet {inches}",
        )
    if not (found := _SIDES.fullmatch(bare)):
        return
    left, sign, right, rest = found.groups()
    tails = [one for one in _quantity("2" + rest) if one.startswith("two ")] if rest else [""]
    tails = [one.removeprefix("two") for one in tails]
    if sign == "/":
        yield from _product(list(fractions(left, right)), tails)
    middles = {
        "x": ["by", "x", "times"],
        "×": ["by", "times"],
        ":": ["to", "", "by"],
        "/": ["over", "", "out of", "slash"],
    }[sign]
    yield from _product([*_amounts(left)][:3], middles, [*_amounts(right)][:3], tails)


def _code(bare: str) -> Iterator[str]:
    """Yield the readings of "Q3", "FY2024", "I-95" and the like."""
    if turned := re.fullmatch(r"(\d)([HQ])['’]?(\d\d)", bare):  # "1H24"
        bare = f"{turned[2]}{turned[1]}'{turned[3]}"
    if not (found := _CODE.fullmatch(bare)):
        return
    letters, number, year = found.groups()
    shapes = PERIODS.get(letters.upper()) if letters.isupper() else None
    ways = [*years(number)] if len(number) == 4 else []
    ways += [*years(f"20{number}")][:2] if letters == "FY" and len(number) == 2 else []
    ways += [*_bare_number(number)]
    tails = [next(years(f"20{year}")), *cardinals(year)] if year else [""]
    for number_said, shape, tail in itertools.product(ways[:5], shapes or [f"{_letters(letters)} {{n}}"], tails):
        yield shape.format(n=number_said, q=next(iter(ordinals(number)))) + (f" {tail}" if tail else "")
    yield from _product([letters], ways[:2])


def _quantity(bare: str) -> Iterator[str]:
    """Yield the readings of a number with its sign, currency, scale, unit and rate."""
    if not (found := _QUANTITY.fullmatch(bare)) or not (found["number"] or found["fraction"]):
        return
    number, scale, unit, currency = found["number"], found["scale"], found["unit"], found["currency"]
    if scale and unit is None and not currency and scale in UNITS and scale not in ("k", "K", "M"):
        splits = [("", scale), (scale, "")]  # "50m" is a length; in money and after a k it is not
    elif scale and unit is None and not currency and scale in UNITS:
        splits = [(scale, ""), ("", scale)]
    elif scale and unit and scale + unit in UNITS:
        splits = [("", scale + unit)]
    else:
        splits = [(scale or "", unit or "")]
    before = [one for key in (found["before"], found["sign"]) if key for one in BEFORE.get(key, "").split("|")] or [""]
    plus = ["plus", "or more", "and more"] if found["plus"] else [""]
    per = PER.get(found["per"] or "", found["per"])
    rate = [f"per {per}", f"a {per}", f"an {per}", f"slash {per}", f"{per}"] if per else [""]
    for scale, unit in splits:
        amounts = [*_amounts(number, found["fraction"], bool(scale))]
        names = _names(unit) if unit else [""]
        if currency:
            if not scale and not unit:
                yield from _product(before, [*_price(number, CURRENCIES[currency].split("|"))], plus, rate)
            names = [*CURRENCIES[currency].split("|"), *_names(currency, "")]
            if number in ("1", "1.00"):
                names = [name.removesuffix("s") for name in names]
            names += [f"{one} {name}".strip() for one in names for name in _names(unit)] if unit else []
        scales = next((SCALES[key] for key in (scale, scale.lower()) if key in SCALES), "").split("|")
        if found["plus"]:
            yield from _product(["over", "more than"], amounts, scales, names, rate)
            yield from _product(before, amounts, scales, plus, names, rate)
        yield from _product(before, amounts, scales, names, plus, rate)


def _price(number: str | None, currency: Sequence[str]) -> Iterator[str]:
    """Yield "nineteen ninety nine", "nineteen dollars and ninety nine cents" and the like."""
    whole, _, cents = (number or "").partition(".")
    if len(cents) != 2:
        return
    coins = next(iter(cardinals(cents)))
    small = "pence" if currency[0] == "pounds" else "cents"
    if whole.strip("0"):
        name = currency[0].removesuffix("s") if whole == "1" else currency[0]
        if whole == "1" and cents != "00":
            yield f"a {name} {coins}"
        for large in itertools.islice(cardinals(whole), 2):
            if cents == "00":
                yield f"{large} {name}"
            else:
                low = f"oh {coins}" if cents[0] == "0" else coins
                yield from (
                    f"{large} {name} and {coins} {small}",
                    f"{large} {low}",
                    f"{large} {name} {coins}",
                    f"{large} {name} {coins} {small}",
                )
    else:
        yield f"{coins} {small}"


def _range(bare: str) -> Iterator[str]:
    if not (found := _RANGE.fullmatch(bare)):
        return
    left, right = found.groups()
    bare_left = re.match(rf"({_any(CURRENCIES)})(.*)", left)
    lefts = [left]
    if bare_left and not re.match(_any(CURRENCIES), right):  # "$5-10M": five to ten million dollars
        right, lefts = bare_left[1] + right, [bare_left[2]]
    elif bare_left:
        lefts = [bare_left[2], left]
    ways = [way for one in lefts for way in _part(one)[: 4 // len(lefts)]]
    yield from _product(ways, ["to", "", "through", "minus", "dash"], _part(right)[:4])


def _part(one: str) -> list[str]:
    return list(dict.fromkeys(itertools.islice(_readings(one), 8)))


def _version(bare: str) -> Iterator[str]:
    found = re.fullmatch(r"(?i)(v|version|r)?\.?(\d+(?:\.\d+)+)([a-z]\d*)?", bare)
    if found and (found[1] or found[2].count(".") > 1):
        numbers = [next(iter(cardinals(one))) for one in found[2].split(".")]
        names = ["version", "v"] if (found[1] or "").lower() in ("v", "version") else [""]
        yield from _product(names, [" point ".join(numbers), " dot ".join(numbers), " ".join(numbers)])


def _long_code(bare: str) -> Iterator[str]:
    """Yield letters and digits one by one ("EM398"), in groups of runs, and digits alone of telephone numbers."""
    runs = re.findall(r"[A-Za-z]+|\d+", bare)
    if not 1 < len(runs) < 6 or not re.fullmatch(r"[+(]?[\w().-]+", bare):
        return
    said = [[_letters(run), run] if run.isalpha() else [*_bare_number(run)][:3] for run in runs]
    yield from _product(*said)
    single = [[*digits(run)] if run.isdecimal() else [_letters(run)] for run in runs]
    yield from (" ".join(ways[which] for ways in single) for which in (0, -1))


def _amounts(number: str | None, fraction: str | None = None, scaled: bool = False) -> Iterator[str]:
    if fraction:
        yield from half_amounts(number, fraction)
        return
    assert number is not None
    yield from cardinals(number)
    if not scaled and len(number.replace(",", "")) >= 3 and "." not in number:
        yield from pair(number.replace(",", ""))


def _names(unit: str, letters: str | None = None) -> list[str]:
    """Return the readings of a unit: plurals, singulars, and the names of its letters."""
    plurals = (UNITS | CURRENCIES).get(unit, "").split("|")
    singular = {"feet": "foot", "inches": "inch"}
    singulars = [" ".join(singular.get(word, re.sub(r"(?<=[a-z]{2})s$", "", word)) if at == 0 or word != "Celsius" else word
                          for at, word in enumerate(name.split())) for name in plurals]  # fmt: skip
    spelled = [" ".join(unit.upper())] if letters is None and unit.isalpha() and unit.isascii() else []
    return list(dict.fromkeys(name for name in (*plurals, *singulars, *spelled) if name))


def _letters(run: str) -> str:
    return " ".join(run.upper()) if len(run) <= 4 or run.isupper() else run


def _product(*parts: Iterable[str]) -> Iterator[str]:
    """Yield one choice of each part, joined; those with the likeliest parts first."""
    lists = [list(dict.fromkeys(part))[:8] for part in parts]
    ranks = sorted(itertools.product(*(range(len(part)) for part in lists)), key=sum)
    for choice in ranks[: 2 * MAX_READINGS]:
        yield " ".join(part[at] for part, at in zip(lists, choice, strict=True) if part[at])
