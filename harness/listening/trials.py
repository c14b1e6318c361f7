"""The trials of a listening test: their questions, clips and right answers.

*word*: the listener hears a clip with one tag on one word and picks the word that stands out. All other kinds compare the
tagged with the plain clip of one sentence, as the detectors do, and have the third answer "no difference". *pair*: in which
clip does the word stand out? *contour*: in which clip does the voice end higher? *pause*: is the pause that was added to the
second clip short or long? So a short pause that became too long is wrong for the listener and for the detector. *catch*
trials look like these, but both clips are the same plain one: an attentive listener hears no difference.

Keys from before had pairs without a third answer, for all tags, and *gap* trials that asked for the longest pause. They are
still scored.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import DataError
from harness.records import Arm, Clip, Verdict, digest
from harness.tagged import CONTOURS, PAUSES, WORD_TAGS, Tag, TaggedText

DEFAULT_TRIALS = 40
CATCH_SHARE = 0.1
SAME = 2  # the answer "no difference"
QUOTED_WORDS = 3  # words at the end of a phrase that its question quotes
_PUNCTUATION = ".,;:!?…—–-()[]\"'“”‘’"


class Kind(str, Enum):
    """The kind of question that the listener is asked."""

    WORD = "word"
    GAP = "gap"
    PAIR = "pair"
    CONTOUR = "contour"
    PAUSE = "pause"
    CATCH = "catch"


class Trial(BaseModel):
    """One trial in the key.

    `right` is the right answer. Of a *word* trial, it is the word's index, and of a *gap* trial the gap's (gap 0 follows
    word 0). The others have the answers 0 for clip A and 1 for clip B, or of a *pause* trial 0 for short and 1 for long, and
    then `SAME`, which is right in a catch trial. In old keys they have two `choices`, and catch trials have no right answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    trial: str = Field(pattern=r"^[0-9a-f]{16}$")
    kind: Kind
    engine: str
    tagger: str
    sentence: str
    tag: Tag
    slot: int = Field(ge=0)
    choices: int = Field(ge=2)
    right: int | None = Field(ge=0)
    verdict: Verdict | None = None
    clips: tuple[str, ...]

    @property
    def opposite(self) -> int | None:
        """The answer for the wrong direction: the other clip, or the other length of a pause; None if there is none."""
        has_one = self.kind not in (Kind.WORD, Kind.GAP, Kind.CATCH) and self.choices > SAME
        return 1 - self.right if has_one and self.right in (0, 1) else None


@dataclass(frozen=True)
class Candidate:
    """A trial that could be asked: one tag of one tagged clip, and its plain twin.

    Trials of more `disagreement` between detector and listener are chosen first.
    """

    kind: Kind
    tagged: Clip
    plain: Clip | None
    text: TaggedText
    slot: int
    tag: Tag
    verdict: Verdict | None
    disagreement: float = 0.0

    @property
    def cell(self) -> tuple[str, str, str]:
        """The cell of engine, tag and kind over which the choice is balanced."""
        return (self.tagged.engine, self.tag.value, self.kind.value)

    @property
    def clip(self) -> tuple[str, str]:
        """The clip and the kind of question: a clip is used once for each kind."""
        return (self.tagged.id, self.kind.value)


@dataclass(frozen=True)
class Chosen:
    """A trial of the kit, with what the page needs to ask it."""

    trial: Trial
    text: TaggedText
    clips: tuple[Clip, ...]


def candidates(
    clips: Sequence[Clip], verdicts: dict[tuple[str, str, str, int, Tag], Verdict] | None = None
) -> list[Candidate]:
    """Return every trial that the clips allow.

    Tags with nothing to hear at their slot (a word tag after the last word, a pause at either end) and tags that the engine's
    dialect cannot express are left out. Taggers that wrote the same text share a clip, which is used once.
    """
    plain: dict[tuple[str, str], list[Clip]] = {}
    for clip in clips:
        if clip.arm is Arm.PLAIN:
            plain.setdefault((clip.engine, clip.sentence), []).append(clip)
    found: list[Candidate] = []
    seen: set[str] = set()
    for clip in clips:
        if clip.arm is not Arm.TAGGED or clip.id in seen:
            continue
        seen.add(clip.id)
        text = TaggedText.parse(clip.text)
        twins = plain.get((clip.engine, clip.sentence), [])
        twin = next((one for one in twins if one.seed == clip.seed), twins[0] if twins else None)
        for slot, tag in dict.fromkeys(text.tags):
            verdict = (verdicts or {}).get((clip.engine, clip.tagger, clip.sentence, slot, tag))
            if verdict is Verdict.NOT_EXPRESSIBLE or not _audible_place(text, slot, tag):
                continue
            if twin is not None:
                found.append(Candidate(_compared(tag), clip, twin, text, slot, tag, verdict))
            if len(text.tags) == 1 and tag in WORD_TAGS and len(text.words) >= 2:
                found.append(Candidate(Kind.WORD, clip, None, text, slot, tag, verdict))
    return found


def choose(found: Sequence[Candidate], trials: int = DEFAULT_TRIALS, seed: int = 0) -> list[Chosen]:
    """Choose trials, balanced over engines, tags and kinds; the same seed gives the same trials.

    Within a cell, the least used sentences come first, and of those the largest disagreement. A tenth of the trials are catch
    trials. If the clips allow fewer trials, fewer are returned.

    Raises
    ------
    DataError
        If no trial is possible.
    """
    if not found:
        raise DataError("the run has no clip that a listener could be asked about",
                        remedy="its clips need tags that the engine can express")  # fmt: skip
    generator = random.Random(seed)
    pairs = [one for one in found if one.plain is not None]
    catch = round(trials * CATCH_SHARE) if pairs else 0
    chosen = _balanced(found, trials - catch, generator)
    sides = _balanced_sides(chosen, generator)
    made = [_trial(one, side, seed) for one, side in zip(chosen, sides, strict=True)]
    # If few trials were found, catch trials are a tenth of those.
    catch = min(catch, max(1, round(len(made) * CATCH_SHARE)))
    for number, one in enumerate(_balanced(pairs, catch, generator)):
        assert one.plain is not None
        made.append(_chosen(one, Kind.CATCH, (one.plain, one.plain), SAME + 1, SAME, None, seed, number))
    generator.shuffle(made)
    return made


def _compared(tag: Tag) -> Kind:
    """Return the kind of the trial that compares a tagged with a plain clip."""
    return Kind.PAUSE if tag in PAUSES else Kind.CONTOUR if tag in CONTOURS else Kind.PAIR


def _audible_place(text: TaggedText, slot: int, tag: Tag) -> bool:
    if tag in PAUSES:
        return 0 < slot < len(text.words)
    return slot < len(text.words) or (tag in CONTOURS and bool(text.words))


def _balanced(found: Sequence[Candidate], wanted: int, generator: random.Random) -> list[Candidate]:
    """Take candidates from each cell in turn until there are enough."""
    cells: dict[tuple[str, str, str], list[Candidate]] = {}
    for one in found:
        cells.setdefault(one.cell, []).append(one)
    order = sorted(cells)
    generator.shuffle(order)
    for name in order:
        generator.shuffle(cells[name])
        cells[name].sort(key=lambda one: -one.disagreement)
    used_clips: set[tuple[str, str]] = set()
    used_sentences: Counter[str] = Counter()
    chosen: list[Candidate] = []
    while order and len(chosen) < wanted:
        for name in list(order):
            free = [one for one in cells[name] if one.clip not in used_clips]
            if not free:
                order.remove(name)
                continue
            if len(chosen) == wanted:
                break
            taken = min(free, key=lambda one: used_sentences[one.tagged.sentence])
            used_clips.add(taken.clip)
            used_sentences[taken.tagged.sentence] += 1
            chosen.append(taken)
    return chosen


def _balanced_sides(chosen: Sequence[Candidate], generator: random.Random) -> list[int]:
    """Return the side of the tagged clip of each trial, balanced between A and B within a cell."""
    places: dict[tuple[str, str, str], list[int]] = {}
    for number, one in enumerate(chosen):
        places.setdefault(one.cell, []).append(number)
    sides = [0] * len(chosen)
    for numbers in places.values():
        first = generator.randrange(2)
        dealt = [(first + place) % 2 for place in range(len(numbers))]
        generator.shuffle(dealt)
        for number, side in zip(numbers, dealt, strict=True):
            sides[number] = side
    return sides


def _trial(one: Candidate, side: int, seed: int) -> Chosen:
    if one.kind is Kind.WORD:
        return _chosen(one, one.kind, (one.tagged,), len(one.text.words), one.slot, one.verdict, seed)
    assert one.plain is not None
    if one.kind is Kind.PAUSE:  # clip A is what a pause is added to
        clips, right = (one.plain, one.tagged), int(one.tag is Tag.PAUSE_LONG)
    else:
        clips = (one.tagged, one.plain) if side == 0 else (one.plain, one.tagged)
        right = 1 - side if one.tag is Tag.PITCH_FALLING else side  # a falling voice ends lower than in the plain clip
    return _chosen(one, one.kind, clips, SAME + 1, right, one.verdict, seed)


def _chosen(
    one: Candidate, kind: Kind, clips: tuple[Clip, ...], choices: int, right: int | None, verdict: Verdict | None,
    seed: int, *more: object,
) -> Chosen:  # fmt: skip
    name = digest("trial", seed, kind.value, one.tagged.id, one.tagged.sentence, one.slot, one.tag.value, *more)
    trial = Trial(
        trial=name, kind=kind, engine=one.tagged.engine, tagger=one.tagged.tagger, sentence=one.tagged.sentence,
        tag=one.tag, slot=one.slot, choices=choices, right=right, verdict=verdict, clips=tuple(clip.id for clip in clips),
    )  # fmt: skip
    return Chosen(trial, one.text, clips)


def ask_pair(text: TaggedText, slot: int, tag: Tag) -> tuple[str, int, int]:
    """Return the question about a pair of clips, and the first and last word to mark in the sentence.

    It does not say what is right: it is the same for both contours, and for both pauses.
    """
    if tag in CONTOURS:
        last = text.phrase_end(slot)
        first = max(min(slot, last), last - QUOTED_WORDS + 1)
        words = _quote(text.words[first : last + 1])
        return f"In which clip does the voice go up more, or down less, at the end of {words}?", first, last
    word = _quote(text.words[slot : slot + 1])
    if tag in PAUSES:
        return f"Compared with clip A, what was added before {word} in clip B?", slot, slot
    questions = {
        Tag.EMPH: f"In which clip is the word {word} more emphasised?",
        Tag.PITCH_HIGH: f"In which clip is the word {word} spoken at a higher pitch?",
        Tag.PITCH_LOW: f"In which clip is the word {word} spoken at a lower pitch?",
    }
    return questions[tag], slot, slot


def answers_of(tag: Tag) -> tuple[str, str, str]:
    """Return the answers to the question about a pair of clips; the last one is `SAME`."""
    if tag in PAUSES:
        return "A short pause, as at a comma", "A long pause, as between sentences", "No difference"
    return "Clip A", "Clip B", "No difference"


def _quote(words: Sequence[str]) -> str:
    """Return words in quotation marks, without the punctuation around them."""
    joined = " ".join(words)
    return f"“{joined.strip(_PUNCTUATION) or joined}”"
