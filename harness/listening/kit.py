"""Choose the trials of a listening test, and write its page and its key.

Three kinds of trial. *word*: the listener hears a clip with one tag on one word and picks the word that stands out.
*gap*: the same for a clip with one pause tag. *pair*: the tagged and the plain clip of one sentence in random order
(two-interval forced choice). *catch* trials look like pairs, but both clips are the same plain one: they show whether
the listener leans to one side.

The page holds questions and audio. Which answer is right stands only in the key, a file beside the page.
"""

from __future__ import annotations

import base64
import io
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.audio import Audio, read_audio
from harness.errors import DataError
from harness.experiment.folder import IDENTITY, MANIFEST
from harness.records import Arm, Clip, Outcome, Verdict, digest
from harness.store import read_json, read_jsonl, write_atomic, write_json
from harness.tagged import CONTOURS, PAUSES, WORD_TAGS, Tag, TaggedText

CLIPS, OUTCOMES = "clips.jsonl", "outcomes.jsonl"
PAGE, KEY = "index.html", "key.json"
DEFAULT_TRIALS = 40
CATCH_SHARE = 0.1
QUOTED_WORDS = 3  # how many words at the end of a phrase its question quotes
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_TEMPLATE = Path(__file__).with_name("page.html")
_PLACE = "/*KIT*/"
_PUNCTUATION = ".,;:!?…—–-()[]\"'“”‘’"


class Kind(str, Enum):
    """What the listener is asked."""

    WORD = "word"
    GAP = "gap"
    PAIR = "pair"
    CATCH = "catch"


class Trial(BaseModel):
    """One trial as the key holds it.

    `right` is the answer that counts: a word's index, a gap's index (gap 0 follows word 0), or 0 for clip A and 1 for
    clip B. A catch trial has none.
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


class Kit(BaseModel):
    """The key of a listening test."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Literal["harness.listening-key/1"] = Field("harness.listening-key/1", alias="schema")
    kit: str = Field(pattern=r"^[0-9a-f]{16}$")
    run: str
    seed: int
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Candidate:
    """A trial that could be asked: one tag of one tagged clip, and its plain twin."""

    kind: Kind
    tagged: Clip
    plain: Clip | None
    text: TaggedText
    slot: int
    tag: Tag
    verdict: Verdict | None

    @property
    def cell(self) -> tuple[str, str, str]:
        """What the choice is balanced over."""
        return (self.tagged.engine, self.tag.value, self.kind.value)

    @property
    def clip(self) -> tuple[str, str]:
        """Of each clip one tag is asked about, once for each kind."""
        return (self.tagged.id, self.kind.value)


@dataclass(frozen=True)
class Chosen:
    """A trial of the kit, with what the page needs to ask it."""

    trial: Trial
    text: TaggedText
    clips: tuple[Clip, ...]


def read_run(run: str | Path) -> tuple[str, list[Candidate]]:
    """The name of a finished run, and every trial that its clips allow.

    Raises
    ------
    DataError
        If the folder holds no finished run.
    """
    run = Path(run)
    if not (run / MANIFEST).is_file():
        raise DataError("this folder holds no finished run", path=run,
                        remedy="give the folder that `harness run` wrote; an unfinished run goes on with the same command")  # fmt: skip
    name = str(read_json(run / IDENTITY).get("experiment", {}).get("name", run.name))
    outcomes = {
        (o.engine, o.tagger, o.sentence, o.slot, o.tag): o.verdict
        for o in read_jsonl(run / OUTCOMES, Outcome)
        if o.arm is Arm.TAGGED
    }
    return name, candidates(read_jsonl(run / CLIPS, Clip), outcomes)


def candidates(
    clips: Sequence[Clip], verdicts: dict[tuple[str, str, str, int, Tag], Verdict] | None = None
) -> list[Candidate]:
    """Every trial that the clips allow.

    Left out: tags with nothing to hear in their place (a word tag after the last word, a pause at either end), and
    tags that the engine's dialect cannot express. Taggers that made the same text share a clip; it is taken once.
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
                found.append(Candidate(Kind.PAIR, clip, twin, text, slot, tag, verdict))
            if len(text.tags) == 1 and tag in WORD_TAGS and len(text.words) >= 2:
                found.append(Candidate(Kind.WORD, clip, None, text, slot, tag, verdict))
            if len(text.tags) == 1 and tag in PAUSES and len(text.words) >= 3:
                found.append(Candidate(Kind.GAP, clip, None, text, slot, tag, verdict))
    return found


def choose(found: Sequence[Candidate], trials: int = DEFAULT_TRIALS, seed: int = 0) -> list[Chosen]:
    """Choose trials, balanced over engines, tags and kinds; the same seed gives the same trials.

    Within a cell, sentences that were used least come first. A tenth of the trials are catch trials. Fewer trials are
    given if the clips do not allow more.

    Raises
    ------
    DataError
        If there is nothing to ask.
    """
    if not found:
        raise DataError("the run holds no clip that a listener could be asked about",
                        remedy="its clips need tags that the engine can express")  # fmt: skip
    generator = random.Random(seed)
    pairs = [one for one in found if one.kind is Kind.PAIR]
    catch = round(trials * CATCH_SHARE) if pairs else 0
    chosen = _balanced(found, trials - catch, generator)
    sides = _balanced_sides(chosen, generator)
    made = [_trial(one, side, seed) for one, side in zip(chosen, sides, strict=True)]
    # No more catch trials than a tenth of what could be found, if that is little.
    catch = min(catch, max(1, round(len(made) * CATCH_SHARE)))
    for number, one in enumerate(_balanced(pairs, catch, generator)):
        made.append(_catch(one, seed, number))
    generator.shuffle(made)
    return made


def write_kit(
    run: str | Path,
    out: str | Path | None = None,
    *,
    trials: int = DEFAULT_TRIALS,
    seed: int = 0,
    replace: bool = False,
) -> Kit:
    """Write ``index.html`` and ``key.json`` for a finished run, and return the key.

    Parameters
    ----------
    run : path-like
        A run folder.
    out : path-like, optional
        Where the two files go; ``RUN/listening`` by default.
    trials, seed : int
        How many, and which.
    replace : bool
        Overwrite the key of another test. Results of that test can then no longer be scored.

    Raises
    ------
    DataError
        If the run cannot be used, or `out` holds another test.
    """
    run = Path(run)
    out = Path(out) if out is not None else run / "listening"
    name, found = read_run(run)
    try:
        chosen = choose(found, trials, seed)
    except DataError as error:
        raise error.at(run) from error
    encoded = {clip.id: data_uri(read_audio(_inside(run, clip.audio))) for one in chosen for clip in one.clips}
    asked = [_question(one, encoded) for one in chosen]
    kit = Kit(kit=digest(name, seed, json.dumps(asked), *(one.trial.model_dump_json() for one in chosen)),
              run=name, seed=seed, trials=tuple(one.trial for one in chosen))  # fmt: skip
    if not replace and (out / KEY).exists() and _other_kit(out / KEY, kit.kit):
        raise DataError("this folder holds the key of another listening test", path=out,
                        remedy="choose another --out, or add --replace if its results are no longer needed")  # fmt: skip
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"the folder cannot be made: {error.strerror}", path=out, remedy="choose another --out"
        ) from error
    write_json(out / KEY, kit.model_dump(mode="json", by_alias=True))
    write_atomic(out / PAGE, page({"kit": kit.kit, "trials": asked}))
    return kit


def read_key(path: str | Path) -> Kit:
    """Read ``key.json``.

    Raises
    ------
    DataError
        If it is missing, or not a key.
    """
    remedy = "give the key.json that `harness listen` wrote, with --key or --run"
    try:
        return Kit.model_validate(read_json(path))
    except DataError as error:
        raise DataError(error.message, path=path, remedy=remedy) from error
    except (ValidationError, ValueError, RecursionError) as error:
        raise DataError("not the key of a listening test", path=path, remedy=remedy) from error


def page(asked: dict[str, Any]) -> str:
    """The page that asks these trials; nothing in their text can end the script block that holds them."""
    block = json.dumps(asked, ensure_ascii=True, allow_nan=False)
    for character in "<>&":
        block = block.replace(character, f"\\u{ord(character):04x}")
    return _TEMPLATE.read_text(encoding="utf-8").replace(_PLACE, block)


def data_uri(audio: Audio) -> str:
    """A clip as MP3 in a data URI; loudness is left alone, because it is a cue."""
    import numpy as np
    import soundfile
    from scipy.signal import resample_poly

    samples, rate = audio.samples, audio.sample_rate
    if rate not in _MP3_RATES:
        samples, rate = resample_poly(samples, 24000, rate).astype("float32"), 24000
    buffer = io.BytesIO()
    if mp3 := "MP3" in soundfile.available_formats():  # since libsndfile 1.1; every browser plays it
        soundfile.write(buffer, np.clip(samples, -1, 1), rate, format="MP3", compression_level=0.5)
    else:
        soundfile.write(buffer, np.clip(samples, -1, 1), rate, format="WAV")
    content = base64.b64encode(buffer.getvalue()).decode()
    return f"data:audio/{'mpeg' if mp3 else 'wav'};base64,{content}"


def _audible_place(text: TaggedText, slot: int, tag: Tag) -> bool:
    if tag in PAUSES:
        return 0 < slot < len(text.words)
    return slot < len(text.words) or (tag in CONTOURS and bool(text.words))


def _balanced(found: Sequence[Candidate], wanted: int, generator: random.Random) -> list[Candidate]:
    """Take one of each cell in turn, until there are enough."""
    cells: dict[tuple[str, str, str], list[Candidate]] = {}
    for one in found:
        cells.setdefault(one.cell, []).append(one)
    order = sorted(cells)
    generator.shuffle(order)
    for name in order:
        generator.shuffle(cells[name])
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
    """For each trial the side of its tagged clip: as often A as B within a cell."""
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
    clips: tuple[Clip, ...] = (one.tagged,)
    if one.kind is Kind.PAIR:
        assert one.plain is not None
        clips = (one.tagged, one.plain) if side == 0 else (one.plain, one.tagged)
        choices, right = 2, side
    elif one.kind is Kind.WORD:
        choices, right = len(one.text.words), one.slot
    else:
        choices, right = len(one.text.words) - 1, one.slot - 1
    return _chosen(one, one.kind, clips, choices, right, one.verdict, seed)


def _catch(one: Candidate, seed: int, number: int) -> Chosen:
    assert one.plain is not None
    return _chosen(one, Kind.CATCH, (one.plain, one.plain), 2, None, None, seed, number)


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


def _question(one: Chosen, encoded: dict[str, str]) -> dict[str, Any]:
    """What the page is told about a trial. A catch trial is told as a pair."""
    kind, words = one.trial.kind, one.text.words
    shown: dict[str, Any] = {
        "trial": one.trial.trial,
        "words": list(words),
        "clips": [encoded[c.id] for c in one.clips],
    }
    if kind is Kind.WORD:
        return {**shown, "kind": "word", "question": "Which word stands out most?"}
    if kind is Kind.GAP:
        return {**shown, "kind": "gap", "question": "Where is the longest pause that you did not expect?"}
    question, first, last = ask_pair(one.text, one.trial.slot, one.trial.tag)
    return {**shown, "kind": "pair", "question": question, "mark": [first, last]}


def ask_pair(text: TaggedText, slot: int, tag: Tag) -> tuple[str, int, int]:
    """The question about a pair of clips, and the first and last word to mark in the sentence."""
    if tag in CONTOURS:
        last = text.phrase_end(slot)
        first = max(min(slot, last), last - QUOTED_WORDS + 1)
        verb = "rise" if tag is Tag.PITCH_RISING else "fall"
        return (
            f"In which clip does the voice {verb} more at the end of {_quote(text.words[first : last + 1])}?",
            first,
            last,
        )
    word = _quote(text.words[slot : slot + 1])
    questions = {
        Tag.EMPH: f"In which clip is the word {word} more emphasised?",
        Tag.PITCH_HIGH: f"In which clip is the word {word} spoken at a higher pitch?",
        Tag.PITCH_LOW: f"In which clip is the word {word} spoken at a lower pitch?",
        Tag.PAUSE_SHORT: f"In which clip is there an added short pause before {word}?",
        Tag.PAUSE_LONG: f"In which clip is there an added long pause before {word}?",
    }
    return questions[tag], slot, slot


def _quote(words: Sequence[str]) -> str:
    """Words in quotation marks, without the punctuation around them."""
    joined = " ".join(words)
    return f"“{joined.strip(_PUNCTUATION) or joined}”"


def _inside(run: Path, audio: str) -> Path:
    path = run / audio
    if not path.resolve().is_relative_to(run.resolve()):
        raise DataError(f"a clip lies outside the run folder: {audio}", path=run / CLIPS,
                        remedy="clips are files in the folder of their run")  # fmt: skip
    return path


def _other_kit(path: Path, kit: str) -> bool:
    try:
        return read_key(path).kit != kit
    except DataError:
        return True
