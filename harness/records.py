"""Pydantic models of all records on disk. A record is one line of JSON with its schema and version.

Unknown fields are refused (``extra="forbid"``), so a misspelled field is an error, not a silent default.
"""

from __future__ import annotations

import hashlib
import json
import operator
from abc import ABC, abstractmethod
from enum import Enum
from functools import cached_property
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from harness.tagged import Tag, TaggedText


def digest(*parts: object, length: int = 16) -> str:
    """Return a short stable hash of `parts` that is safe in a file name; for ids, never for security."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:length]


def is_none(value: object) -> bool:
    """Return whether a field is left out of a line, because it does not apply."""
    return value is None


def _id(value: Any) -> str | int:
    """Return an id if it is text or a whole number: others, such as 0.0 and "0.0", would become the same text."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"expected text or a whole number, got {json.dumps(value)[:40]}")
    if value == "":
        raise ValueError("expected text or a whole number, got an empty text")
    return value


class Record(BaseModel, ABC):
    """Base class of all records."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)
    SCHEMA: ClassVar[str]

    @property
    @abstractmethod
    def key(self) -> tuple[str, ...]:
        """Key that identifies the record in its file and defines its order."""

    def line(self) -> str:
        """Return the record as one line of JSON without the newline; equal records give equal bytes."""
        return self.model_dump_json(by_alias=True)


class SentenceRecord(Record):
    """A record about one tagged sentence, keyed by its id."""

    id: str = Field(min_length=1)
    text: str

    @field_validator("id", mode="before")
    @classmethod
    def _text_or_whole_number(cls, value: Any) -> Any:
        return str(_id(value))

    @field_validator("id", "text")
    @classmethod
    def _encodable(cls, value: Any) -> Any:
        try:
            str(value).encode()
        except UnicodeEncodeError:
            raise ValueError("half of a surrogate pair is not a character") from None
        return value

    @property
    def key(self) -> tuple[str, ...]:
        return (self.id,)

    @cached_property
    def tagged(self) -> TaggedText:
        """The text, parsed once."""
        return TaggedText.parse(self.text)


class TextRecord(SentenceRecord):
    """A line with an id and a tagged text, as `harness score placement` reads it; other fields are ignored."""

    model_config = ConfigDict(extra="ignore")
    SCHEMA: ClassVar[str] = '{"id", "text"}'

    group: str | None = None

    @field_validator("group", mode="before")
    @classmethod
    def _group(cls, value: Any) -> Any:
        return value if value in (None, "") else str(_id(value))


class InputLine(TextRecord):
    """A line of JSON to tag. It may have no id; a number stays a number, so that the output has the same id."""

    SCHEMA: ClassVar[str] = '{"id", "text"}'

    id: str | int | None = Field(None)  # type: ignore[assignment]

    @field_validator("id", mode="before")
    @classmethod
    def _text_or_whole_number(cls, value: Any) -> Any:
        return _id(value)


class Example(SentenceRecord):
    """A reference sentence: tagged text, its split, and the group that must stay in one fold."""

    SCHEMA: ClassVar[str] = "harness.example/1"

    schema_: Literal["harness.example/1"] = Field("harness.example/1", alias="schema")
    group: str
    split: Literal["train", "heldout", "development", "test", "seed"]


class Prediction(Record):
    """The output of a tagger for one text."""

    SCHEMA: ClassVar[str] = "harness.prediction/1"

    schema_: Literal["harness.prediction/1"] = Field("harness.prediction/1", alias="schema")
    tagger: str
    id: str
    text: str

    @property
    def key(self) -> tuple[str, ...]:
        return (self.tagger, self.id)

    @property
    def tagged(self) -> TaggedText:
        """The text, parsed."""
        return TaggedText.parse(self.text)


class Arm(str, Enum):
    """The version of a sentence that a clip or outcome belongs to (see the glossary)."""

    TAGGED = "tagged"
    PLAIN = "plain"
    PLACEBO = "placebo"
    CONTRAST = "contrast"


class WordTime(BaseModel):
    """A word and its start and end in a clip, in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    word: str
    start: float = Field(ge=0)
    end: float = Field(ge=0)


class Clip(Record):
    """One rendered clip: the request, the audio file, and how long synthesis took."""

    SCHEMA: ClassVar[str] = "harness.clip/1"

    schema_: Literal["harness.clip/1"] = Field("harness.clip/1", alias="schema")
    id: str = Field(pattern=r"^[0-9a-f]{8,64}$")
    engine: str
    tagger: str
    sentence: str
    arm: Arm
    text: str
    dialect: str
    voice: str
    seed: int
    audio: str
    sample_rate: int = Field(gt=0)
    seconds: float = Field(ge=0)

    @property
    def key(self) -> tuple[str, ...]:
        return (self.engine, self.tagger, self.sentence, self.arm.value, f"{self.seed:06d}")


class Verdict(str, Enum):
    """The verdict on one tag in one clip."""

    HIT = "hit"
    MISS = "miss"
    WRONG_DIRECTION = "wrong_direction"
    LEAKED = "leaked"
    UNMEASURABLE = "unmeasurable"
    NOT_EXPRESSIBLE = "not_expressible"


class Judgement(BaseModel):
    """What one listener (`harness.prosody.listeners`) says about one tag of one clip.

    Parameters
    ----------
    unit : "word" or "clip"
        What was judged: the word of the tag, or the whole clip.
    score : float, optional
        Score of the word or clip.
    rise : float, optional
        `score` minus its mean over the plain clips of the sentence.
    rose_most : float, optional
        Of a word: 1 if it rose most among `words` words, 1/m if m words rose as much, else 0. Words that another tag acts on are
        not among them.
    words : int, optional
    reason : str
        Why there is no score, or no rise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    unit: Literal["word", "clip"]
    score: float | None = None
    rise: float | None = None
    rose_most: float | None = None
    words: int | None = None
    reason: str = ""


class Outcome(Record):
    """The verdict on one tag (or placebo) of one clip, with the measurement behind it.

    For a pause, `length` is the whole silence in the gap of the clip in seconds, of which `value` is the part that the plain clips do not
    have, and `at_punctuation` tells whether the gap follows clause punctuation.
    """

    SCHEMA: ClassVar[str] = "harness.outcome/1"

    schema_: Literal["harness.outcome/1"] = Field("harness.outcome/1", alias="schema")
    engine: str
    tagger: str
    sentence: str
    arm: Arm
    slot: int = Field(ge=0)
    tag: Tag
    verdict: Verdict
    value: float | None = None
    unit: str = ""
    threshold: float | None = None
    reason: str = ""
    paired: bool = True
    length: float | None = Field(None, exclude_if=is_none)
    at_punctuation: bool | None = Field(None, exclude_if=is_none)
    listeners: dict[str, Judgement] = Field(default_factory=dict, exclude_if=operator.not_)

    @property
    def key(self) -> tuple[str, ...]:
        return (self.engine, self.tagger, self.sentence, self.arm.value, f"{self.slot:04d}", self.tag.value)


class NullSample(Record):
    """Differences between plain clips of a sentence in one cue: each clip minus the mean of the others.

    `cue` may also be the name of a listener.
    """

    SCHEMA: ClassVar[str] = "harness.null/1"

    schema_: Literal["harness.null/1"] = Field("harness.null/1", alias="schema")
    engine: str
    sentence: str
    cue: str
    values: list[float]

    @property
    def key(self) -> tuple[str, ...]:
        return (self.engine, self.sentence, self.cue)


class Contrast(Record):
    """One tag on each of K slots of a sentence in turn: the cue's value at each slot (columns) of each rendering (rows).

    With a `listener`, the values are its scores.
    """

    SCHEMA: ClassVar[str] = "harness.contrast/1"

    schema_: Literal["harness.contrast/1"] = Field("harness.contrast/1", alias="schema")
    engine: str
    sentence: str
    group: str
    tag: Tag
    slots: list[int]
    values: list[list[float | None]]
    listener: str = Field("", exclude_if=operator.not_)

    @property
    def key(self) -> tuple[str, ...]:
        return (self.engine, self.sentence, self.tag.value, *filter(None, [self.listener]))


class CrossTalk(Record):
    """Every cue at the slot of one tag: tagged minus plain, None where it could not be measured."""

    SCHEMA: ClassVar[str] = "harness.crosstalk/1"

    schema_: Literal["harness.crosstalk/1"] = Field("harness.crosstalk/1", alias="schema")
    engine: str
    sentence: str
    tag: Tag
    values: dict[str, float | None]

    @property
    def key(self) -> tuple[str, ...]:
        return (self.engine, self.sentence, self.tag.value)


class Dose(Record):
    """A plain clip edited by a known amount, and the difference that the detector measured."""

    SCHEMA: ClassVar[str] = "harness.dose/1"

    schema_: Literal["harness.dose/1"] = Field("harness.dose/1", alias="schema")
    engine: str
    sentence: str
    edit: str
    dose: float
    tag: Tag
    value: float | None = None

    @property
    def key(self) -> tuple[str, ...]:
        return (self.engine, self.sentence, self.edit, self.tag.value, f"{self.dose:+09.4f}")


class RunManifest(Record):
    """Provenance of a finished run; written last, so if it exists, the run is complete."""

    SCHEMA: ClassVar[str] = "harness.run/1"

    schema_: Literal["harness.run/1"] = Field("harness.run/1", alias="schema")
    run: str
    created: str
    parameters: dict[str, Any]
    packages: dict[str, str]
    git_revision: str
    git_dirty: bool | None
    data: dict[str, str]
    seeds: list[int]
    revisions: dict[str, str]
    machine: str
    counts: dict[str, int]

    @property
    def key(self) -> tuple[str, ...]:
        return (self.run,)
