"""The phones of a voice, and how a plan changes them: which word each belongs to, longer phones, pauses, a question mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.engines.control.plan import MARKS, STRESS, VOWELS, Movement, Phone, Plan, Shape

PAUSE_MARKS = frozenset(",;:.!?—…")  # a voice is silent at these
_PUNCTUATION = PAUSE_MARKS | frozenset("\"“”‘’'()[]{}-–¿¡«»")
SHORTEST_PAUSE = (
    0.15  # seconds; less is not a pause (`harness.prosody.detectors`), and lengthens the space before a word
)
LEAST_ADDED = 0.10  # seconds that a new comma is lengthened at least, whatever gap it is expected to make by itself
# Costs of an alignment: of leaving out a phone, of taking one vowel or consonant for another, of a vowel for a consonant, and of a
# space inside a word. They matter only relative to each other.
_GAP, _OTHER, _CLASS, _SPACE = 0.8, 0.6, 1.3, 0.3


@dataclass
class Chunk:
    """A stretch of text that a voice renders at once, usually a sentence.

    Parameters
    ----------
    tokens : list of str
        What the voice reads: phones, marks of stress and length, spaces, punctuation.
    words : list of int
        Index of the word that each token belongs to; -1 between words.
    factors, extra : list of float
        Factor of each token's length, and seconds to add to it.
    """

    tokens: list[str]
    words: list[int]
    factors: list[float]
    extra: list[float]

    @classmethod
    def plain(cls, tokens: Sequence[str], words: Sequence[int]) -> Chunk:
        """Return a chunk in which nothing is changed."""
        return cls([*tokens], [*words], [1.0] * len(tokens), [0.0] * len(tokens))

    @property
    def changed(self) -> bool:
        """Whether any length is changed."""
        return any(factor != 1 for factor in self.factors) or any(self.extra)

    def insert(self, at: int, symbols: Sequence[str]) -> None:
        """Insert tokens that belong to no word."""
        self.tokens[at:at] = symbols
        self.words[at:at] = [-1] * len(symbols)
        self.factors[at:at] = [1.0] * len(symbols)
        self.extra[at:at] = [0.0] * len(symbols)


def chunks_of(sentences: Sequence[Sequence[str]], alone: Sequence[Sequence[str]]) -> list[Chunk]:
    """Find the word of each token.

    Parameters
    ----------
    sentences : sequence of sequences of str
        Tokens of the whole text, sentence by sentence.
    alone : sequence of sequences of str
        Tokens of each word, spoken alone.
    """
    owners = owners_of([token for sentence in sentences for token in sentence], alone)
    chunks, at = [], 0
    for sentence in sentences:
        chunks.append(Chunk.plain(sentence, owners[at : at + len(sentence)]))
        at += len(sentence)
    return chunks


def owners_of(tokens: Sequence[str], alone: Sequence[Sequence[str]]) -> list[int]:
    """Return the word of each token, -1 for spaces and punctuation.

    The phones of the text are aligned with those of its words one by one, because a voice may reduce a word in its sentence, join two
    of them ("of the"), or make two words of one ("30%").
    """
    places = [place for place, token in enumerate(tokens) if _sounds(token)]
    single = [(word, token) for word, pieces in enumerate(alone) for token in pieces if _sounds(token)]
    owners = [-1] * len(tokens)
    if not places or not single:
        return owners
    begins = [k == 0 or " " in tokens[places[k - 1] + 1 : place] for k, place in enumerate(places)]
    first = [k == 0 or single[k - 1][0] != word for k, (word, _) in enumerate(single)]
    costs = _costs([tokens[place] for place in places], [token for _, token in single])
    costs += _SPACE * (np.array(begins)[:, None] != np.array(first)[None, :])
    matches = _align(costs)
    previous = single[matches[min(matches)]][0] if matches else 0
    for index, place in enumerate(places):
        previous = single[matches[index]][0] if index in matches else previous
        owners[place] = previous
    for place in reversed(range(len(tokens))):  # a mark of stress belongs to what follows it
        if tokens[place] in STRESS:
            owners[place] = next((owners[later] for later in range(place + 1, len(tokens)) if owners[later] >= 0), -1)
    for place, token in enumerate(tokens):  # other marks to what precedes them
        if owners[place] < 0 and place and token in MARKS:
            owners[place] = owners[place - 1]
    return owners


def _sounds(token: str) -> bool:
    return token not in MARKS and not token.isspace() and not all(sign in _PUNCTUATION for sign in token)


def _costs(one: Sequence[str], other: Sequence[str]) -> np.ndarray:
    """Return the cost of taking each token for each other, shape (one, other)."""
    symbols, vowels = [], []
    for tokens in (one, other):
        symbols.append(np.array(tokens))
        vowels.append(np.array([token[0] in VOWELS for token in tokens]))
    costs = np.where(vowels[0][:, None] == vowels[1][None, :], _OTHER, _CLASS)
    return np.where(symbols[0][:, None] == symbols[1][None, :], 0.0, costs)


def _align(costs: np.ndarray) -> dict[int, int]:
    """Return which columns match which rows in the cheapest global alignment (Needleman and Wunsch 1970)."""
    rows, columns = costs.shape
    steps = _GAP * np.arange(columns + 1)
    table = np.empty((rows + 1, columns + 1))
    table[0] = steps
    for row in range(rows):  # a row at once: the cheapest run of left-out columns is a running minimum
        best = np.minimum(table[row, 1:] + _GAP, table[row, :-1] + costs[row])
        best = np.concatenate([[table[row, 0] + _GAP], best])
        table[row + 1] = np.minimum.accumulate(best - steps) + steps
    matches, row, column = {}, rows, columns
    while row and column:
        here = table[row, column]
        if np.isclose(table[row - 1, column - 1] + costs[row - 1, column - 1], here):
            row, column = row - 1, column - 1
            matches[row] = column
        elif np.isclose(table[row - 1, column] + _GAP, here):
            row -= 1
        else:
            column -= 1
    return matches


def phones_of(chunks: Sequence[Chunk]) -> list[Phone]:
    """Return the phones of all words, in order."""
    return [
        Phone(word, token)
        for chunk in chunks
        for token, word in zip(chunk.tokens, chunk.words, strict=True)
        if word >= 0
    ]


def arrange(plan: Plan, chunks: Sequence[Chunk], natural_gap: float) -> dict[int, float]:
    """Change the chunks as a plan asks: lengths, pauses inside a chunk, and a question mark after a rise.

    Parameters
    ----------
    plan : Plan
        Made from `phones_of(chunks)`.
    chunks : sequence of Chunk
        Changed in place.
    natural_gap : float
        Seconds of silence that this voice makes at a comma.

    Returns
    -------
    dict of int to float
        Seconds of silence still to be added at slots: between chunks, at the first and at the last slot.
    """
    places = [(chunk, at) for chunk in chunks for at, word in enumerate(chunk.words) if word >= 0]
    for (chunk, at), factor in zip(places, plan.factors, strict=True):
        chunk.factors[at] = factor
    bounds: dict[int, tuple[int, int]] = {}  # indices of the first and the last phone of each word
    for index, phone in enumerate(plan.phones):
        bounds[phone.word] = (bounds.get(phone.word, (index, index))[0], index)
    for movement in plan.movements:
        if movement.shape is Shape.RISE:
            _ask(places, bounds, movement)
    remaining: dict[int, float] = {}
    for slot in sorted(plan.silence, reverse=True):
        seconds = plan.silence[slot]
        before = max((word for word in bounds if word < slot), default=None)
        after = min((word for word in bounds if word >= slot), default=None)
        if before is None or after is None or places[bounds[before][1]][0] is not places[bounds[after][0]][0]:
            if seconds >= SHORTEST_PAUSE:
                remaining[slot] = seconds
            continue
        chunk, last = places[bounds[before][1]]
        _pause(chunk, last + 1, places[bounds[after][0]][1], seconds, natural_gap)
    for movement in plan.movements:
        if movement.shape is Shape.ACCENT and movement.semitones > 0:  # less than no emphasis needs no stress
            _stress(chunks, movement)
    return remaining


def _stress(chunks: Sequence[Chunk], movement: Movement) -> None:
    """Give an emphasised word the mark of stress that it lacks: function words have none in a sentence."""
    for chunk in chunks:
        inside = [at for at, word in enumerate(chunk.words) if word == movement.word]
        vowels = [at for at in inside if chunk.tokens[at][0] in VOWELS]
        if vowels and not any(chunk.tokens[at] in STRESS for at in inside):
            chunk.insert(vowels[0], ["ˈ"])


def _ask(places: Sequence[tuple[Chunk, int]], bounds: dict[int, tuple[int, int]], movement: Movement) -> None:
    """Let a sentence that ends in a rise end with a question mark."""
    chunk, at = places[bounds[movement.word][1]]
    if at + 1 < len(chunk.tokens) and chunk.tokens[at + 1] in {".", "!"}:
        chunk.tokens[at + 1] = "?"


def _pause(chunk: Chunk, start: int, stop: int, seconds: float, natural_gap: float) -> None:
    """Add silence between two words of a chunk, whose gap has the tokens `start` to `stop`."""
    if seconds < SHORTEST_PAUSE:
        if start < stop:
            chunk.extra[stop - 1] += seconds
        return
    marks = [at for at in range(start, stop) if chunk.tokens[at] in PAUSE_MARKS]
    if marks:
        chunk.extra[marks[0]] += seconds
        return
    chunk.insert(start, [","] if start < stop else [",", " "])
    chunk.extra[start] += max(seconds - natural_gap, LEAST_ADDED)
