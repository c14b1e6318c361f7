"""Pronunciations of written words, in the phone set of the en-us model of pocketsphinx (ARPAbet without stress).

The dictionary that comes with pocketsphinx (CMUdict, 134,860 lines) is used first. What it does not contain
(names, numbers, "30%") is pronounced by espeak, whose IPA is mapped to the phone set. A word has several
pronunciations if voices differ: "$49" is "dollar forty nine" in espeak, "forty nine dollars" elsewhere. The readings of
written forms come from `harness.prosody.spoken`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from pathlib import Path

from harness.errors import NotAvailable
from harness.prosody.spoken import MAX_READINGS, after, readings

Pronunciation = tuple[str, ...]

MAX_CHOICES = 8  # of the dictionary and espeak for one word; "a-the-a" already has eight
MAX_PRONUNCIATIONS = MAX_CHOICES + 4 * MAX_READINGS  # with the readings of a written form, and those after another word
_REDUCED: dict[str, Pronunciation] = {
    "and": ("AH", "N", "D"), "to": ("T", "AH"), "of": ("AH", "V"), "or": ("ER",), "the": ("DH", "IY"), "than": ("DH", "AH", "N"),
}  # fmt: skip
_OUTER = re.compile(r"^(?:(?![-−]\d)[^\w$€£%&@#+'])+|[^\w$€£%&@#+']+$")  # the sign of "-5" is spoken
_PARTS = re.compile(r"(?<=.)[-‐‑–—/_]+")
_MONEY = re.compile(r"(?P<sign>[$€£])(?P<whole>\d[\d,]*)(?:\.(?P<cents>\d\d))?(?P<scale>[kKmMbB]?[nN]?)")
_CURRENCY = {"$": "dollars", "€": "euros", "£": "pounds"}
_SCALE = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion"}
_YEAR = re.compile(r"(1[1-9]|20)(\d\d)")

# From espeak's American IPA to ARPAbet; the longest symbol that fits is taken. CMUdict writes the flap as T or D;
# here it is always T. Foreign sounds become the most similar phone.
_IPA: dict[str, str] = {
    "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "oʊ": "OW", "əʊ": "OW", "ɔɪ": "OY", "tʃ": "CH", "dʒ": "JH",
    "aɪə": "AY AH", "aɪɚ": "AY ER", "aʊɚ": "AW ER", "ɔːɹ": "AO R", "oːɹ": "AO R", "ɜː": "ER", "ɚ": "ER", "ɝ": "ER", "ɜ": "ER",
    "n̩": "AH N", "m̩": "AH M", "l̩": "AH L", "ɑ̃": "AA N", "ɔ̃": "AO N", "æ̃": "AE N", "ɛ̃": "EH N",
    "a": "AE", "æ": "AE", "ɑ": "AA", "ɒ": "AA", "ɐ": "AH", "ʌ": "AH", "ə": "AH", "ɔ": "AO", "o": "OW", "e": "EY", "ɛ": "EH",
    "i": "IY", "ɪ": "IH", "ᵻ": "IH", "ɨ": "IH", "u": "UW", "ʊ": "UH", "ʉ": "UW", "y": "UW", "ø": "ER", "œ": "ER",
    "b": "B", "d": "D", "f": "F", "g": "G", "ɡ": "G", "ɣ": "G", "h": "HH", "ɦ": "HH", "ç": "HH", "x": "K", "j": "Y", "k": "K",
    "l": "L", "ɫ": "L", "ɬ": "L", "ʎ": "L Y", "m": "M", "n": "N", "ŋ": "NG", "ɲ": "N Y", "p": "P", "q": "K", "ɹ": "R", "r": "R",
    "ʁ": "R", "ɾ": "T", "s": "S", "ʃ": "SH", "ɕ": "SH", "t": "T", "ʔ": "T", "θ": "TH", "ð": "DH", "v": "V", "β": "V",
    "w": "W", "ʍ": "W", "z": "Z", "ʒ": "ZH", "ʑ": "ZH",
}  # fmt: skip
PHONES = tuple(sorted({phone for phones in _IPA.values() for phone in phones.split()}))
_LONGEST = max(map(len, _IPA))


@lru_cache(maxsize=10_000)  # a sentence is aligned many times
def pronounce(word: str) -> tuple[Pronunciation, ...]:
    """Return the pronunciations of a written word, best first.

    Parameters
    ----------
    word : str
        Word with its punctuation, as in the text.

    Returns
    -------
    tuple of tuple of str
        At most `MAX_PRONUNCIATIONS` sequences of phones; none if nothing in the word is speakable ("-").

    Raises
    ------
    NotAvailable
        If the word is not in the dictionary and espeak is not installed.

    Examples
    --------
    >>> pronounce("“Hello,”")
    (('HH', 'AH', 'L', 'OW'), ('HH', 'EH', 'L', 'OW'))
    >>> pronounce("—")
    ()
    """
    return tuple(dict.fromkeys(_ways(word, readings(word))))


def pronounce_all(words: Sequence[str]) -> list[tuple[Pronunciation, ...]]:
    """Return the pronunciations of each word of a text; those of "million" in "$5 million" include "million dollars"."""
    found = [pronounce(word) for word in words]
    for at in range(1, len(words)):
        if further := [phones for said in after(words[at - 1], words[at]) for phones in _phones(said)]:
            found[at] = tuple(dict.fromkeys((*found[at], *further)))
    return found


def _ways(word: str, said: Sequence[str]) -> Iterable[Pronunciation]:
    straight = word.replace("’", "'").replace("‘", "'")
    yield from itertools.islice(dict.fromkeys(_pronunciations(straight)), MAX_CHOICES)
    for one in said:
        yield from _phones(one)


def _phones(said: str) -> Iterable[Pronunciation]:
    """Yield the phones of a reading, word for word, with full and with reduced function words."""
    for reduced in (False, True):
        phones = [(reduced and _REDUCED.get(word)) or _said(word) for word in said.split()]
        if any(phones):
            yield tuple(itertools.chain.from_iterable(phones))


@cache
def _said(word: str) -> Pronunciation:
    return ("AH",) if word == "a" else next(iter(_by_espeak(word)), ())


def _pronunciations(word: str) -> Iterable[Pronunciation]:
    bare = _OUTER.sub("", word)
    if not re.search(r"\w|[$€£%&@#+]", bare):
        return
    if listed := _listed(word, bare):
        yield from listed
        if bare.isupper() and len(bare) > 1:  # "US" may be "us" or two letters
            yield from _by_espeak(bare)
        return
    parts = [part for part in _PARTS.split(bare) if part]
    if len(parts) > 1:
        choices = itertools.product(*(pronounce(part) or ((),) for part in parts))
        for choice in _likeliest(parts) if any(map(str.isdigit, bare)) else choices:
            if any(choice):
                yield tuple(itertools.chain.from_iterable(choice))
        if "/" in bare:
            yield from _by_espeak(bare)  # espeak says "slash"
        return
    for spelling in _spellings(bare):
        yield from _by_espeak(spelling)


def _likeliest(parts: Sequence[str]) -> Iterable[tuple[Pronunciation, ...]]:
    """Yield a pronunciation of each part; those with the likeliest ones first."""
    lists = [pronounce(part)[:MAX_CHOICES] or ((),) for part in parts[:4]]
    lists += [pronounce(part)[:1] or ((),) for part in parts[4:]]
    for ranks in sorted(itertools.product(*(range(len(ways)) for ways in lists)), key=sum):
        yield tuple(ways[rank] for rank, ways in zip(ranks, lists, strict=True))


def _listed(word: str, bare: str) -> tuple[Pronunciation, ...]:
    """Return the dictionary entry of a word, with its full stop if there is one ("u.s." is not "u.s")."""
    entries = _dictionary()
    bare = bare.lower()
    forms = (f"{bare}.", bare) if f"{bare}." in word.lower() else (bare,)
    return next((entries[form] for form in (*forms, bare.strip("'")) if form in entries), ())


def _spellings(bare: str) -> Iterable[str]:
    """Yield the written-out forms of money and years, which voices read differently, and then the word itself."""
    if money := _MONEY.fullmatch(bare):
        scale = _SCALE.get(money["scale"].lower(), "")
        unit = _CURRENCY[money["sign"]]
        yield f"{money['whole']} {scale} {unit} {money['cents'] or ''}"
        if money["cents"]:
            yield f"{money['whole']} {unit} and {money['cents']} cents"
    elif year := _YEAR.fullmatch(bare):
        yield f"{year[1]} {year[2]}" if year[2] != "00" else f"{year[1]} hundred"
    yield bare


def _by_espeak(text: str) -> Iterable[Pronunciation]:
    """Yield the pronunciation by espeak, if there is one."""
    from harness.phonemes import phonemes

    if phones := from_ipa(phonemes(text)):
        yield phones


def from_ipa(ipa: str) -> Pronunciation:
    """Map IPA to the phone set; stress, length, tie bars and unknown symbols are ignored.

    >>> from_ipa("hˈɑːɹbɚɹɪŋ")
    ('HH', 'AA', 'R', 'B', 'ER', 'R', 'IH', 'NG')
    """
    ipa = re.sub(r"\([a-z-]+\)|[ˈˌ͡]", "", ipa)  # espeak marks a switch of language as (en)
    phones: list[str] = []
    at = 0
    while at < len(ipa):
        for size in range(_LONGEST, 0, -1):
            if ipa[at : at + size] in _IPA:
                phones.extend(_IPA[ipa[at : at + size]].split())
                break
        at += size
    return tuple(phones)


@cache
def _dictionary() -> dict[str, tuple[Pronunciation, ...]]:
    """Return the en-us dictionary: the pronunciations of each word, the main one first."""
    entries: dict[str, list[Pronunciation]] = {}
    with (model_folder() / "cmudict-en-us.dict").open(encoding="utf-8") as lines:
        for line in lines:
            word, *phones = line.split()
            entries.setdefault(re.sub(r"\(\d+\)$", "", word), []).append(tuple(phones))
    return {word: tuple(pronunciations) for word, pronunciations in entries.items()}


def model_folder() -> Path:
    """Return the folder of the en-us model inside the pocketsphinx package."""
    try:
        import pocketsphinx
    except ImportError as error:
        raise NotAvailable("pocketsphinx is not installed: audio cannot be aligned",
                           remedy='pip install "prosody-harness[audio]"') from error  # fmt: skip
    return Path(pocketsphinx.get_model_path()) / "en-us"
