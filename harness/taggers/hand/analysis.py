"""What the hand features know about a text: word classes, punctuation, clauses, sentences, types of questions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from harness.datasets import bare_word, is_closed_class
from harness.errors import HarnessError
from harness.taggers.hand import words as lists

_CLOSING = "\"'”’)]"
_MARKS = {",": ",", ";": ";", ":": ";", "—": "—", "–": "—", "-": "—", ".": ".", "…": ".", "?": "?", "!": "!"}
_SENTENCE_ENDS = (".", "?", "!")
_DIGITS = re.compile(r"[$€£]?\d")
_ENDINGS = ("ing", "ies", "ed", "es", "s", "'s")
LONGEST_ITEM = 4  # words between two commas of a list
# Parts of speech that an item of a list does not have.
_OF_CLAUSES = ("verb", "auxiliary", "personal", "negation", "modal")
OUTSIDE = "outside"  # class of the words before the first and after the last


class Analysis:
    """Word classes, clauses and sentences of a text.

    Parameters
    ----------
    words : sequence of str

    Attributes
    ----------
    bare : list of str
        The words in lower case without punctuation.
    mark : list of str
        Punctuation after each word: one of ``, ; — . ? !``, or "".
    penn : list of str
        Penn Treebank tags, from the tagger in the package hibari-tts.
    part : list of str
        Groups of these tags.
    kind : list of str
        Class of each word: the first of `lists.CLASSES` that has it, otherwise its part of speech.
    strong : list of str
        "" or the class that makes a word a likely bearer of emphasis: a number, a quantity, a promise, a time, a comparison.
    content : list of bool
        Whether it is a content word.
    sentence, clause : list of int
        Number of the sentence and of the clause that each word belongs to.
    sentences, clauses : list of (int, int)
        Their first and last words.
    types : list of str
        Type of each sentence: ``statement``, ``exclamation``, ``which`` (a question with a question word), ``whether`` (a yes/no
        question), ``check`` (a statement with a question tag: "right?").
    list_gaps : set of int
        Slots behind the commas of a list: at least two commas with short phrases between them, the last followed by "and" or "or".
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self.bare = [bare_word(word) or word for word in words]
        self.mark = [_MARKS.get(word.rstrip(_CLOSING)[-1:], "") for word in words]
        self.penn = penn_tags(words)
        self.part = [self._part(i) for i in range(len(words))]
        self.kind = [self._kind(i) for i in range(len(words))]
        self.strong = [self._strong(i) for i in range(len(words))]
        self.content = [not is_closed_class(w) or p == "number" for w, p in zip(words, self.part, strict=True)]
        self.clauses = _spans([bool(mark) for mark in self.mark])
        self.sentences = _spans([mark in _SENTENCE_ENDS for mark in self.mark])
        self.clause = [number for number, (first, last) in enumerate(self.clauses) for _ in range(first, last + 1)]
        self.sentence = [number for number, (first, last) in enumerate(self.sentences) for _ in range(first, last + 1)]
        self.types = [self._type(*span) for span in self.sentences]
        self.list_gaps = self._list_gaps()

    def __len__(self) -> int:
        return len(self.words)

    def kind_at(self, i: int) -> str:
        """Return the class of a word, or `OUTSIDE` if there is none."""
        return self.kind[i] if 0 <= i < len(self) else OUTSIDE

    def has(self, words: frozenset[str], first: int, last: int) -> bool:
        """Return whether one of these words is among the words from `first` to `last`."""
        return not words.isdisjoint(self.bare[max(first, 0) : last + 1])

    def _part(self, i: int) -> str:
        word = self.bare[i]
        if _DIGITS.match(word) or word in lists.NUMBERS:
            return "number"
        if word in lists.CONTRACTED_NOT:
            return "negation"
        if word in lists.AUXILIARIES:
            return "auxiliary"
        part = lists.PARTS_OF_SPEECH.get(self.penn[i], "other")
        return "personal" if part == "verb" and word in lists.CLASSES["pronoun"] else part

    def _kind(self, i: int) -> str:
        if self.part[i] == "number" and self.bare[i] not in lists.CLASSES["negation"]:
            return "number"
        return next((name for name, words in lists.CLASSES.items() if self.bare[i] in words), self.part[i])

    def _strong(self, i: int) -> str:
        if self.part[i] == "number":
            return "number"
        found = next((name for name in lists.STRONG if self.bare[i] in lists.CLASSES[name]), "")
        return found or (self.part[i] if self.part[i] in ("comparative", "superlative") else "")

    def _list_gaps(self) -> set[int]:
        found: set[int] = set()
        chain: set[int] = set()
        for first, last in self.clauses:
            # Is the clause an item, a phrase without a verb? The first item has the rest of its sentence before it.
            phrase = not any(part in _OF_CLAUSES for part in self.part[first : last + 1])
            if not (chain and phrase):
                chain = set()
            elif self.bare[first] in ("and", "or", "nor"):
                found |= chain if len(chain) > 1 else set()
                chain = set()
            elif last - first >= LONGEST_ITEM:
                chain = set()
            chain = chain | {last + 1} if self.mark[last] == "," else set()
        return found

    def _type(self, first: int, last: int) -> str:
        if self.mark[last] == "!":
            return "exclamation"
        if self.mark[last] != "?":
            return "statement"
        start = self.clauses[self.clause[last]][0]  # of the last clause
        opening = self.bare[first : min(first + 2, last + 1)]
        if self.bare[start] in lists.QUESTION or not lists.QUESTION.isdisjoint(opening):
            return "which"
        return "check" if last - start <= 1 and start != first else "whether"


def stem(word: str) -> str:
    """Return a word without a common ending, to find repeated words."""
    return next((word[: -len(end)] for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= 3), word)


def _spans(ends: Sequence[bool]) -> list[tuple[int, int]]:
    """Return the first and last word of each span that ends at a true element; the last span may be open."""
    lasts = [at for at, end in enumerate(ends) if end]
    if ends and not ends[-1]:
        lasts.append(len(ends) - 1)
    return list(zip([0, *[last + 1 for last in lasts[:-1]]], lasts, strict=True)) if lasts else []


def penn_tags(words: Sequence[str]) -> list[str]:
    """Return the Penn Treebank tag of each word: that of its first piece with a letter, digit or currency sign, otherwise "X"."""
    split, tag = _part_of_speech_tagger()
    pieces = [split(word) for word in words]
    tags = iter(tag([piece for parts in pieces for piece in parts]))
    found = [[(piece, next(tags)) for piece in parts] for parts in pieces]
    return [next((t for piece, t in pairs if t == "$" or any(map(str.isalnum, piece))), "X") for pairs in found]


@cache
def _part_of_speech_tagger() -> tuple[Any, Any]:
    """Return the tokenizer and the perceptron tagger of hibari-tts, which only look words up in tables."""
    try:
        from hibari.g2p import Tagger, Tokenizer, _load_json
    except ImportError as error:
        raise HarnessError("the tagger 'hand_features' needs the package 'hibari', for parts of speech",
                           remedy="install it: pip install hibari-tts") from error  # fmt: skip
    return Tokenizer(_load_json("tokenizer_exceptions.json")).split, Tagger(_load_json("tagger.json.gz"))


@cache
def known_words() -> dict[str, list[str]]:
    """Return the words that the tagger of hibari-tts knows with one part of speech, by Penn Treebank tag, in lower case."""
    found: dict[str, list[str]] = {}
    for word, tag in sorted(_part_of_speech_tagger()[1].tagdict.items()):
        if len(word) > 1 and word.isalpha() and word.islower() and not is_closed_class(word):
            found.setdefault(tag, []).append(word)
    return found
