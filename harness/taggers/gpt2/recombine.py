"""Make unlabelled sentences from a few training sentences: parts are exchanged, and words are replaced by others of their kind.

The sentences need not make sense. A teacher labels them (`harness.taggers.gpt2.distil`), and a student learns from its answers.
Words come from the training sentences and from the word list of the part-of-speech tagger in hibari-tts, so nothing of a
held-out fold can leak in.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence

from harness.taggers.hand.analysis import Analysis, known_words
from harness.taggers.hand.words import CLASSES, NUMBERS

MOST_WORDS, LEAST_WORDS = 30, 3  # of a sentence that is kept
SPLICED = 0.5  # share of sentences that get the end of another one
APPENDED = 0.1  # share of sentences that another one follows
REPLACED = 0.5  # share of content words that are replaced
EXCHANGED = 0.15  # share of words in the lists that are replaced by another word of the same list and part of speech
OUTSIDE = 0.7  # share of replacements that come from the word list, not from the training sentences
_CORE = re.compile(r"^(\W*)(.*?)(\W*)$", re.DOTALL)
_OPEN = ("noun", "name", "adjective", "verb", "adverb", "comparative", "superlative")


def recombine(texts: Sequence[Sequence[str]], count: int, seed: int = 0) -> list[tuple[str, ...]]:
    """Return different new sentences.

    Parameters
    ----------
    texts : sequence of sequences of str
        Words of the training sentences.
    count : int
        Number of sentences; fewer are returned if so many cannot be made.
    seed : int
        Random seed.
    """
    generator = random.Random(seed)
    source = [Analysis(words) for words in texts if words]
    inside: dict[tuple[str, str], list[str]] = defaultdict(list)  # training words by class and part of speech
    for text in source:
        for i, word in enumerate(text.bare):
            inside[text.kind[i], text.penn[i]].append(word)
    breaks: dict[str, list[tuple[Analysis, int]]] = defaultdict(list)  # places behind each punctuation mark
    for text in source:
        for i in range(1, len(text)):
            if text.mark[i - 1]:
                breaks[text.mark[i - 1]].append((text, i))
    made: dict[tuple[str, ...], None] = dict.fromkeys(map(tuple, texts))
    known = len(made)
    for _ in range(20 * count if source else 0):
        if len(made) == known + count:
            break
        text = generator.choice(source)
        words = _replaced(text, inside, generator)
        places = [i for i in range(1, len(text)) if text.mark[i - 1]]
        if places and generator.random() < SPLICED:
            at = generator.choice(places)
            other, start = generator.choice(breaks[text.mark[at - 1]])
            words = [*words[:at], *_replaced(other, inside, generator)[start:]]
        if generator.random() < APPENDED:
            words += _replaced(generator.choice(source), inside, generator)
        if LEAST_WORDS <= len(words) <= MOST_WORDS:
            made[tuple(words)] = None
    return list(made)[known:]


def _replaced(text: Analysis, inside: dict[tuple[str, str], list[str]], generator: random.Random) -> list[str]:
    """Return the words of a text, some replaced by others of their class and part of speech."""
    words = []
    for i, word in enumerate(text.words):
        before, core, after = _CORE.match(word).groups()  # type: ignore[union-attr]  # it matches every string
        kind, penn = text.kind[i], text.penn[i]
        if kind == "number":
            core = _other_number(core, generator) if generator.random() < REPLACED else core
        elif kind in CLASSES:
            if generator.random() < EXCHANGED:
                core = _as_written(generator.choice(inside[kind, penn]), core)
        elif kind in _OPEN and generator.random() < REPLACED:
            outside = known_words().get(penn, ())
            choices = outside if outside and generator.random() < OUTSIDE else inside[kind, penn]
            core = _as_written(generator.choice(choices), core)
        words.append(f"{before}{core}{after}")
    return words


def _other_number(core: str, generator: random.Random) -> str:
    """Return another number in the same form: digits for digits, a word for a word."""
    if any(map(str.isdigit, core)):
        return re.sub(r"\d", lambda digit: str(generator.randint(1, 9)), core)
    return _as_written(generator.choice(sorted(NUMBERS)), core)


def _as_written(word: str, model: str) -> str:
    """Return `word` with the capital of `model`."""
    word = _CORE.match(word).group(2)  # type: ignore[union-attr]
    return word[:1].upper() + word[1:] if model[:1].isupper() else word
