"""The files of a listening test: a page for listeners, and its key.

The page contains questions and audio. Only the key, a separate file, contains the right answers.
"""

from __future__ import annotations

import json
from dataclasses import replace as changed
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.audio import data_uri, read_audio
from harness.errors import DataError
from harness.experiment.folder import IDENTITY, is_complete
from harness.listening.disagreement import disagreements, place_of
from harness.listening.trials import (
    DEFAULT_TRIALS,
    Candidate,
    Chosen,
    Kind,
    Trial,
    answers_of,
    ask_pair,
    candidates,
    choose,
)
from harness.outputs import check_output
from harness.reading import first_problem
from harness.records import Arm, Clip, Outcome, digest
from harness.store import read_json, read_jsonl, write_atomic, write_json

CLIPS, OUTCOMES = "clips.jsonl", "outcomes.jsonl"
PAGE, KEY = "index.html", "key.json"
_TEMPLATE = Path(__file__).with_name("page.html")
_PLACE = "/*KIT*/"


class Kit(BaseModel):
    """The key of a listening test."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Literal["harness.listening-key/1"] = Field("harness.listening-key/1", alias="schema")
    kit: str = Field(pattern=r"^[0-9a-f]{16}$")
    run: str
    seed: int
    trials: tuple[Trial, ...]


def read_run(run: str | Path, disagree: str | None = None) -> tuple[str, list[Candidate]]:
    """Return the name of a finished run, and all trials that its clips allow.

    Parameters
    ----------
    run : path-like
    disagree : str, optional
        Name of a listener of words that judged the run. Only tags that it and the detector measured are then used, with their
        disagreement; see `harness.listening.disagreement`.

    Raises
    ------
    DataError
        If the folder does not contain a finished run, or the listener judged none of its tags.
    """
    run = Path(run)
    if not is_complete(run):
        raise DataError("this folder does not contain a finished run", path=run,
                        remedy="pass the folder that `harness run` wrote; an unfinished run resumes with the same command")  # fmt: skip
    name = str(read_json(run / IDENTITY).get("experiment", {}).get("name", run.name))
    outcomes = [o for o in read_jsonl(run / OUTCOMES, Outcome) if o.arm is Arm.TAGGED]
    found = candidates(read_jsonl(run / CLIPS, Clip), {place_of(o): o.verdict for o in outcomes})
    if disagree is None:
        return name, found
    distances = disagreements(outcomes, disagree)
    if not distances:
        raise DataError(f"the listener {disagree!r} judged no word of this run that a detector measured", path=run,
                        remedy=f"run the experiment with --listeners {disagree}, and use a listener of words")  # fmt: skip
    return name, [
        changed(one, disagreement=distances[place]) for one in found
        if (place := (one.tagged.engine, one.tagged.tagger, one.tagged.sentence, one.slot, one.tag)) in distances
    ]  # fmt: skip


def write_kit(
    run: str | Path,
    out: str | Path | None = None,
    *,
    trials: int = DEFAULT_TRIALS,
    seed: int = 0,
    replace: bool = False,
    disagree: str | None = None,
) -> Kit:
    """Write ``index.html`` and ``key.json`` for a finished run, and return the key.

    Parameters
    ----------
    run : path-like
        A run folder.
    out : path-like, optional
        Folder for the two files; ``RUN/listening`` by default.
    trials, seed : int
        Number of trials, and random seed for their choice.
    replace : bool
        Whether to overwrite the key of another test, whose results can then no longer be scored.
    disagree : str, optional
        Name of a listener of words: the clips on which it and the detectors disagree most are used.

    Raises
    ------
    DataError
        If the run cannot be used, or `out` contains another test or a page that is not part of a test.
    """
    run = Path(run)
    out = Path(out or run / "listening")
    name, found = read_run(run, disagree)
    try:
        chosen = choose(found, trials, seed)
    except DataError as error:
        raise error.at(run) from error
    encoded = {clip.id: _encoded(clip_file(run, clip.audio)) for one in chosen for clip in one.clips}
    asked = [_question(one, encoded) for one in chosen]
    kit = Kit(kit=digest(name, seed, json.dumps(asked), *(one.trial.model_dump_json() for one in chosen)),
              run=name, seed=seed, trials=tuple(one.trial for one in chosen))  # fmt: skip
    if not replace and (out / KEY).exists() and _other_kit(out / KEY, kit.kit):
        raise DataError("this folder contains the key of another listening test", path=out,
                        remedy="choose another --out, or add --replace if its results are no longer needed")  # fmt: skip
    if (out / PAGE).exists() and not (out / KEY).exists():
        check_output(out / PAGE, force=replace)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"the folder cannot be created: {error.strerror}", path=out, remedy="choose another --out"
        ) from error
    write_json(out / KEY, kit.model_dump(mode="json", by_alias=True))
    write_atomic(out / PAGE, page({"kit": kit.kit, "trials": asked}))
    return kit


def read_key(path: str | Path) -> Kit:
    """Read ``key.json``.

    Raises
    ------
    DataError
        If the file is missing or is not a key.
    """
    remedy = "pass the key.json that `harness listen` wrote with --key or --run"
    try:
        return Kit.model_validate(read_json(path))
    except DataError as error:
        raise DataError(error.message, path=path, line=error.line, remedy=remedy) from error
    except ValidationError as error:
        problem = first_problem(error, "file")[0]
        raise DataError(f"not the key of a listening test: {problem}", path=path, remedy=remedy) from error


def page(asked: dict[str, Any]) -> str:
    """Return the page for these trials, escaped so that no text can end the script block that contains them."""
    block = json.dumps(asked, ensure_ascii=True, allow_nan=False)
    for character in "<>&":
        block = block.replace(character, f"\\u{ord(character):04x}")
    return _TEMPLATE.read_text(encoding="utf-8").replace(_PLACE, block)


def _encoded(file: Path) -> str:
    audio = read_audio(file)
    return data_uri(audio.samples, audio.sample_rate, 0.5)


def _question(one: Chosen, encoded: dict[str, str]) -> dict[str, Any]:
    """Return what the page knows about a trial; a catch trial looks like the others."""
    kind, words = one.trial.kind, one.text.words
    shown: dict[str, Any] = {
        "trial": one.trial.trial,
        "words": list(words),
        "clips": [encoded[c.id] for c in one.clips],
    }
    if kind is Kind.WORD:
        return {**shown, "kind": "word", "question": "Which word stands out most?"}
    question, first, last = ask_pair(one.text, one.trial.slot, one.trial.tag)
    answers = answers_of(one.trial.tag)
    return {**shown, "kind": "pair", "question": question, "mark": [first, last], "answers": answers}


def clip_file(run: Path, audio: str) -> Path:
    """Return the path of a clip of a run.

    Raises
    ------
    DataError
        If it is outside the run folder.
    """
    path = run / audio
    if not path.resolve().is_relative_to(run.resolve()):
        raise DataError(f"a clip is outside the run folder: {audio}", path=run / CLIPS,
                        remedy="clips must be files inside the folder of their run")  # fmt: skip
    return path


def _other_kit(path: Path, kit: str) -> bool:
    try:
        return read_key(path).kit != kit
    except DataError:
        return True
