"""Many texts spoken to a folder, one file each; a stopped batch goes on where it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from harness.audio import write_audio
from harness.engines.base import SpeechEngine, SpeechRequest, lost_tags, speak
from harness.engines.control.targets import Targets
from harness.engines.inputs import Input, read_input
from harness.errors import DataError, HarnessError
from harness.records import Record, TextRecord, digest
from harness.store import Store, locked, parse_line
from harness.tagged import TaggedText

LIST = "spoken.jsonl"
_FILE_NAME = re.compile(r"[^\W_][\w.-]{0,99}")  # safe in every file system


class MarkedLine(TextRecord):
    """A line with an id and a text whose markup is not read here."""

    @cached_property
    def tagged(self) -> TaggedText:
        """The text, without looking for tags."""
        return TaggedText.from_plain(self.text)


class SpokenLine(Record):
    """A file of a batch: what was said, by which engine (`made_by` is a digest of all that decides its sound)."""

    SCHEMA: ClassVar[str] = "harness.spoken/1"

    schema_: Literal["harness.spoken/1"] = Field("harness.spoken/1", alias="schema")
    id: str
    text: str
    audio: str
    seconds: float
    sample_rate: int
    engine: str
    left_out: list[str] = Field(default_factory=list)
    made_by: str

    @property
    def key(self) -> tuple[str, ...]:
        return (self.id,)


@dataclass
class Batch:
    """What became of the lines: the ids that were spoken, those that were there already, and the errors of the others."""

    spoken: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: list[HarnessError] = field(default_factory=list)


def left_out(engine: SpeechEngine, text: TaggedText, targets: Targets | None) -> list[str]:
    """Return the tags and other markup that an engine cannot express, each with the reason."""
    lost = [f"{tag} at slot {slot} ({why})" for (slot, tag), why in lost_tags(engine, text).items()]
    return [*lost, *(targets.lost if targets else ())]


def speak_lines(
    lines: Iterable[bytes],
    place: str,
    engine: SpeechEngine,
    name: str,
    folder: Path,
    *,
    voice: str | None = None,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    how: Input = "tags",
    force: bool = False,
    report: Callable[[Batch, HarnessError | None], None] = lambda batch, error: None,
) -> Batch:
    """Speak each line of JSON Lines to ``ID.wav`` in a folder, and list the files in `LIST`.

    Parameters
    ----------
    lines : iterable of bytes
        Lines with the fields ``id`` and ``text``; others are ignored.
    place : str
        Name of the input, for messages.
    engine : SpeechEngine
    name : str
        Name of the engine, for messages.
    folder : Path
        An existing folder. Files that are already there are kept.
    voice, seed
        Voice and random seed of every request.
    options : mapping, optional
        Options that the engine was made with: a file that was spoken with others is not taken for this one.
    how : {"tags", "ssml", "higgs_v3"}
        Format of the texts.
    force : bool
        Whether to speak again what is already there.
    report : callable
        Called after each line, with its error if it has one.

    Returns
    -------
    Batch
        A line that cannot be read or spoken is among its errors, which name the line, and the others are spoken.

    Raises
    ------
    DataError
        If a file cannot be written, or another process writes into the folder.
    """
    batch, lines_of = Batch(), dict[str, int]()
    with locked(folder, "batch of speech"):
        store = Store(folder / LIST, SpokenLine)
        known = {record.id: record.made_by for record in store}
        for number, raw in enumerate(lines, start=1):
            if not raw.strip():
                continue
            try:
                line = parse_line(raw, MarkedLine, Path(place), number)
                target = folder / f"{_checked(line.id, lines_of)}.wav"
                made_by = digest(
                    engine.name, engine.revision, sorted((options or {}).items()), voice, seed, how, line.text
                )
                there = target.exists() and not force
                if there and known.get(line.id, made_by) != made_by:
                    raise DataError(f"{target} holds another text, or another engine or voice",
                                    remedy="add --force to speak it again, or choose another folder")  # fmt: skip
                if not there:
                    text, targets = read_input(line.text, how)
                    speech = speak(engine, SpeechRequest(text, voice, seed, word_times=False, targets=targets), name)
                    lost = left_out(engine, text, targets)
            except HarnessError as problem:
                error = _located(problem, place, number)
                batch.failed.append(error)
                report(batch, error)
                continue
            lines_of[line.id.casefold()] = number
            if there:
                batch.kept.append(line.id)
            else:
                write_audio(target, speech.audio)
                if (line.id,) in store:
                    store.keep(_other_than(line.id))
                store.add([SpokenLine(id=line.id, text=line.text, audio=target.name, seconds=round(speech.audio.seconds, 4),
                                      sample_rate=speech.audio.sample_rate, engine=name, left_out=lost, made_by=made_by)])  # fmt: skip
                batch.spoken.append(line.id)
            report(batch, None)
    return batch


def _other_than(name: str) -> Callable[[SpokenLine], bool]:
    return lambda record: record.id != name


def _checked(name: str, lines_of: dict[str, int]) -> str:
    """Return an id that can be the name of a file, and was not used before."""
    if not _FILE_NAME.fullmatch(name):
        raise DataError(f"the id {name[:40]!r} cannot be the name of a file",
                        remedy="use up to 100 letters, digits, and . _ -, beginning with a letter or digit")  # fmt: skip
    key = name.casefold()  # some file systems do not tell A.wav from a.wav
    if key in lines_of:
        raise DataError(f"the id {name!r} was already used on line {lines_of[key]}", remedy="give each line its own id")
    return name


def _located(error: HarnessError, place: str, number: int) -> HarnessError:
    if error.line == number and error.path == str(Path(place)):
        return error
    where = f"in the text at column {error.column}: " if error.column else ""
    where = f"in line {error.line} of the text, at column {error.column}: " if error.line and error.line > 1 else where
    return DataError(where + error.message, path=place, line=number, remedy=error.remedy)
