"""The plan: from tagged text and the phones of its words to what must change in the sound, independent of any voice.

>>> text = TaggedText.parse("We <emph> guarantee <pause_short> it.")
>>> phones = [Phone(0, symbol) for symbol in "wi"] + [Phone(1, s) for s in "ɡɛɹəntˈi"] + [Phone(2, s) for s in "ɪt"]
>>> plan = make_plan(text, phones)
>>> plan.silence
{1: 0.06, 2: 0.4}
>>> [(phone.symbol, factor) for phone, factor in zip(plan.phones, plan.factors, strict=True) if factor > 1.2]
[('n', 1.45), ('t', 1.45), ('ˈ', 1.45), ('i', 1.45)]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby

from harness.tagged import CONTOURS, PAUSES, Tag, TaggedText

VOWELS = frozenset("aeiouyæɑɐɒɔəɚɛɜɝɞɘɨɪʉʊʌɯøœɤɵɶʏᵊᵻAIOQWY")  # IPA, and the capitals that hibari has for diphthongs
SONORANTS = frozenset("lɫɹrɾmnɱɲŋɴwjɻɥʎʟ")  # consonants that carry F0
STRESS = {"ˈ": 2, "ˌ": 1}
MARKS = frozenset(STRESS) | frozenset("ːˑʲʰʷ\u0303\u0329\u032f\u0361\u032a")  # they belong to the phone beside them
_MOST_ONSET = 2  # consonants before a stressed vowel that are lengthened with it


@dataclass(frozen=True)
class Phone:
    """A sound of a word, or a mark of stress or length if the voice gives these a length of their own.

    Parameters
    ----------
    word : int
        Index of the word in the text.
    symbol : str
        Character of the International Phonetic Alphabet, or several for a diphthong that the voice treats as one sound.
    """

    word: int
    symbol: str

    @property
    def vowel(self) -> bool:
        """Whether this is a vowel."""
        return self.symbol[:1] in VOWELS

    @property
    def sonorant(self) -> bool:
        """Whether F0 can be heard in it: vowels, nasals, liquids, glides."""
        return self.vowel or self.symbol[:1] in SONORANTS

    @property
    def mark(self) -> bool:
        """Whether this is a mark of stress, length or articulation, not a sound."""
        return self.symbol in MARKS


@dataclass(frozen=True)
class Doses:
    """How much of each change a tag asks for.

    The sizes come from a prototype and were then chosen on training sentences (`data/examples/train.jsonl`), as small as the
    detectors' floors allow; a voice may have its own (`dataclasses.replace`).

    Parameters
    ----------
    pause_short, pause_long : float
        Seconds of silence added; in the middle of the tag's range (0.15 to 0.7 s), and above its start (0.7 s).
    high, low : float
        Semitones by which a word is raised or lowered. 't Hart (1981): more than 3 play a part in communication.
    accent : float
        Semitones of the peak in the stressed vowel of an emphasised word.
    accent_level : float
        Decibels by which its stressed syllable is louder; the rest of the word gets 55 % of it.
    stressed, unstressed : float
        Factors of length of the stressed syllable and of the other phones of an emphasised word.
    lead : float
        Seconds of silence before an emphasised word; too short to be a pause.
    after, after_level : float
        Semitones and decibels of what follows an emphasised word, to the end of the phrase.
    rise : float
        Semitones above the median of the utterance at which a rise ends.
    rise_least, rise_most : float
        Semitones that a rise ends at least above the plain end, and at most above the median.
    rise_arrives, fall_arrives : float
        Share of the glide after which it has arrived and stays, so that its end can be heard.
    rise_level, fall_level : float
        Decibels by which the end of a rise or a fall is louder: plain ends fade, and what fades has no F0 to hear.
    fall : float
        Semitones re the median at which a fall ends.
    fall_least, fall_most : float
        Semitones that a fall ends at least below the plain end, and at most below the median (given as negative).
    fall_from : float
        Semitones by which what precedes a fall is raised, for `register` seconds: a fall needs a height to fall from.
    register : float
        Seconds before the last stressed vowel that are raised.
    glide : float
        Factor of length of the syllable that carries a glide.
    """

    pause_short: float = 0.40
    pause_long: float = 1.00
    high: float = 4.0
    low: float = -4.0
    accent: float = 4.0
    accent_level: float = 4.0
    stressed: float = 1.45
    unstressed: float = 1.15
    lead: float = 0.06
    after: float = -1.0
    after_level: float = -1.0
    rise: float = 8.0
    rise_least: float = 4.0
    rise_most: float = 10.0
    rise_arrives: float = 0.8
    rise_level: float = 4.0
    fall_level: float = 0.0
    fall: float = -7.0
    fall_least: float = 3.0
    fall_most: float = -10.0
    fall_arrives: float = 0.6
    fall_from: float = 2.0
    register: float = 1.2
    glide: float = 1.4


DOSES = Doses()


class Shape(str, Enum):
    """The shape of a movement over time."""

    LEVEL = "level"  # the whole word, with ramps
    ACCENT = "accent"  # a peak in the stressed vowel
    AFTER = "after"  # what follows an accent
    RISE = "rise"  # from the stressed vowel up, to the last phone that carries F0
    FALL = "fall"


@dataclass(frozen=True)
class Movement:
    """A movement of F0 and level that a tag asks for.

    Parameters
    ----------
    tag : Tag
    shape : Shape
    word : int
        Word that the tag acts on.
    first, last : int
        Indices of the first and last phone that the movement covers.
    syllable, vowel : (int, int)
        Indices of the first and last phone of the word's stressed syllable, and of its vowel.
    semitones : float
        Change of F0 where it is largest; of a rise or fall, where F0 ends relative to the median of the utterance.
    decibels : float
        Change of level where it is largest.
    """

    tag: Tag
    shape: Shape
    word: int
    first: int
    last: int
    syllable: tuple[int, int]
    vowel: tuple[int, int]
    semitones: float = 0.0
    decibels: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What must change in the sound of a text.

    Parameters
    ----------
    text : TaggedText
    phones : sequence of Phone
        Phones of all words in order.
    factors : sequence of float
        Factor of the length of each phone; 1 where nothing changes.
    silence : mapping of int to float
        Seconds of silence to add at each slot that gets any.
    movements : sequence of Movement
    lost : mapping of (int, Tag) to str
        Tags that cannot be obeyed, and why.
    doses : Doses
    """

    text: TaggedText
    phones: Sequence[Phone]
    factors: Sequence[float]
    silence: Mapping[int, float]
    movements: Sequence[Movement] = ()
    lost: Mapping[tuple[int, Tag], str] = field(default_factory=dict)
    doses: Doses = DOSES

    @property
    def changes(self) -> bool:
        """Whether anything changes."""
        return bool(self.silence or self.movements)


def make_plan(text: TaggedText, phones: Sequence[Phone], doses: Doses = DOSES) -> Plan:
    """Plan the sound of a tagged text.

    Parameters
    ----------
    text : TaggedText
    phones : sequence of Phone
        Phones of all words in order; a word that the voice does not say has none.
    doses : Doses
    """
    phones = tuple(phones)
    spoken = {word: [index for index, _ in run] for word, run in groupby(enumerate(phones), lambda item: item[1].word)}
    lost = lost_tags(text, spoken)
    factors = [1.0] * len(phones)
    silence: dict[int, float] = {}
    movements: list[Movement] = []
    for slot, tag in dict.fromkeys(text.tags):
        if (slot, tag) in lost:
            continue
        if tag in PAUSES:
            silence[slot] = doses.pause_short if tag is Tag.PAUSE_SHORT else doses.pause_long
            continue
        word = acted_on(text, slot, tag)
        inside = spoken[word]
        syllable, vowel = nucleus(phones, inside, last=tag in CONTOURS)
        for index in inside:
            stressed = syllable[0] <= index <= syllable[1]
            if tag is Tag.EMPH:
                factors[index] = max(factors[index], doses.stressed if stressed else doses.unstressed)
            elif tag in CONTOURS and stressed:
                factors[index] = max(factors[index], doses.glide)
        if tag is Tag.EMPH and slot and doses.lead:
            silence.setdefault(slot, doses.lead)
        movements += _movements(tag, text, spoken, phones, word, syllable, vowel, doses)
    return Plan(
        text, phones, tuple(factors), dict(sorted(silence.items())), tuple(dict.fromkeys(movements)), lost, doses
    )


def acted_on(text: TaggedText, slot: int, tag: Tag) -> int:
    """Return the word that a tag acts on: the last of its phrase for contours, else the next. Pauses act on the gap before it."""
    return text.phrase_end(slot) if tag in CONTOURS else slot


def lost_tags(text: TaggedText, spoken: Iterable[int]) -> dict[tuple[int, Tag], str]:
    """Return the tags that cannot be obeyed, and why.

    Parameters
    ----------
    text : TaggedText
    spoken : iterable of int
        Indices of the words that the voice says.
    """
    spoken, lost = set(spoken), dict[tuple[int, Tag], str]()
    deciding: dict[tuple[str, int], Tag] = {}  # the last tag of each kind in each place
    for slot, tag in text.tags:
        deciding[_kind(tag), acted_on(text, slot, tag)] = tag
    for slot, tag in dict.fromkeys(text.tags):
        word = acted_on(text, slot, tag)
        if tag not in PAUSES and not 0 <= word < len(text.words):
            lost[slot, tag] = "no word follows the tag"
        elif tag not in PAUSES and word not in spoken:
            lost[slot, tag] = f"the voice does not say the word {text.words[word]!r}"
        elif (other := deciding[_kind(tag), word]) is not tag:
            lost[slot, tag] = f"{other} in the same place asks for the opposite"
    return lost


def _kind(tag: Tag) -> str:
    """Return a name that opposite tags share."""
    if tag in PAUSES:
        return "pause"
    return "contour" if tag in CONTOURS else "emphasis" if tag is Tag.EMPH else "level"


def nucleus(phones: Sequence[Phone], inside: Sequence[int], *, last: bool) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the stressed syllable of a word and the vowel in it, as indices of the first and the last phone.

    Of several stressed syllables ("thirty percent") it is the last. Without a mark of stress, it is the first, or, if `last`, the
    last. A word without a vowel is all nucleus.

    Parameters
    ----------
    phones : sequence of Phone
        Phones of all words.
    inside : sequence of int
        Indices of the phones of the word, ascending.
    last : bool
    """
    stress, pending = dict[int, int](), 0
    for index in inside:
        if phones[index].vowel:
            stress[index], pending = pending, 0
        pending = STRESS.get(phones[index].symbol, pending)
    if not stress:
        return (inside[0], inside[-1]), (inside[0], inside[-1])
    strongest = max(stress.values())
    candidates = [index for index in stress if stress[index] == strongest]
    start = end = candidates[-1] if last or strongest else candidates[0]
    while end < inside[-1] and (
        (phones[end + 1].mark and phones[end + 1].symbol not in STRESS) or stress.get(end + 1) == 0
    ):
        end += 1  # length marks, and the second half of a diphthong
    while start > inside[0] and phones[start - 1].symbol in STRESS:
        start -= 1
    first, onset = start, 0
    while first > inside[0] and not phones[first - 1].vowel and onset < _MOST_ONSET:
        first -= 1
        onset += not phones[first].mark
    coda = end if any(index > end for index in stress) else inside[-1]
    return (first, coda), (start, end)


def _movements(
    tag: Tag,
    text: TaggedText,
    spoken: Mapping[int, Sequence[int]],
    phones: Sequence[Phone],
    word: int,
    syllable: tuple[int, int],
    vowel: tuple[int, int],
    doses: Doses,
) -> list[Movement]:
    inside = spoken[word]
    first, last = inside[0], inside[-1]
    if tag in (Tag.PITCH_HIGH, Tag.PITCH_LOW):
        semitones = doses.high if tag is Tag.PITCH_HIGH else doses.low
        return [Movement(tag, Shape.LEVEL, word, first, last, syllable, vowel, semitones)]
    if tag in CONTOURS:
        # F0 ends with the last phone that carries it: the nominal end of a word may lie in a stop, or in silence.
        carrying = [i for i in inside if i > vowel[1] and phones[i].vowel]
        end = carrying[-1] if carrying else vowel[1]
        while end < last and (phones[end + 1].sonorant or phones[end + 1].mark):
            end += 1
        rise = tag is Tag.PITCH_RISING
        shape, semitones = (Shape.RISE, doses.rise) if rise else (Shape.FALL, doses.fall)
        return [
            Movement(tag, shape, word, vowel[0], end, syllable, vowel, semitones, doses.rise_level if rise else 0.0)
        ]
    moves = [Movement(tag, Shape.ACCENT, word, first, last, syllable, vowel, doses.accent, doses.accent_level)]
    rest = [index for other in range(word + 1, text.phrase_end(word) + 1) for index in spoken.get(other, ())]
    if rest and (doses.after or doses.after_level):
        moves.append(
            Movement(tag, Shape.AFTER, word, rest[0], rest[-1], syllable, vowel, doses.after, doses.after_level)
        )
    return moves
