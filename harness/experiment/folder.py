"""The run folder: which experiment it belongs to, and which files in it a run writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.datasets import sha256
from harness.errors import DataError
from harness.experiment.sentences import Item
from harness.experiment.spec import Experiment, data_checksums
from harness.prosody.null import Thresholds
from harness.prosody.scorer import TagScore
from harness.provenance import code_digest
from harness.records import Clip, Contrast, CrossTalk, Dose, NullSample, Outcome, Record
from harness.registry import own_source
from harness.store import read_json, write_json
from harness.tagged import TaggedText

IDENTITY, MANIFEST, SUMMARY = "experiment.json", "manifest.json", "summary.json"
PREDICTIONS, OUTCOMES = "predictions.jsonl", "outcomes.jsonl"
UNITS, SCORES = (
    "units.jsonl",
    "scores.jsonl",
)  # of an unfinished run: sentences that are done, and scores without verdicts
AUDIO = "clips"
# What units return: each name is a field of `UnitResult` and a file NAME.jsonl.
UNIT_RECORDS: dict[str, type[Record]] = {
    "clips": Clip, "scores": TagScore, "nulls": NullSample, "contrasts": Contrast, "crosstalk": CrossTalk, "doses": Dose,
}  # fmt: skip
# What a finished run holds, in the order of the manifest's counts: the scores have become outcomes.
RECORDS: dict[str, type[Record]] = {
    "outcomes" if name == "scores" else name: Outcome if name == "scores" else model
    for name, model in UNIT_RECORDS.items()
}
# In the order in which a folder is emptied: without a manifest it is unfinished, and its experiment is known to the last.
_OURS = (MANIFEST, SUMMARY, UNITS, SCORES, *(f"{name}.jsonl" for name in RECORDS), PREDICTIONS, IDENTITY)
START_OVER = "choose another --out, or add --replace to start over"


@dataclass(frozen=True)
class RunData:
    """Everything a run has measured, as the summary reads it. Records are read engine by engine, so memory does not hold them all."""

    experiment: Experiment
    items: Sequence[Item]
    predictions: Mapping[tuple[str, str], TaggedText]
    thresholds: Mapping[str, Thresholds]
    records: Mapping[str, Iterable[Any]]

    def of(self, name: str, engine: str) -> list[Any]:
        """Return the records of one file and one engine."""
        return [record for record in self.records[name] if record.engine == engine]


def prepare(folder: Path) -> None:
    """Make the folder.

    Raises
    ------
    DataError
        If something else is in its place.
    """
    try:
        (folder / AUDIO).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"the run folder cannot be made: {error.strerror}", path=folder, remedy="choose another --out"
        ) from error


def is_complete(folder: Path) -> bool:
    """Return whether a folder holds a complete run: its manifest is written last. Some sentences may have failed."""
    return (folder / MANIFEST).is_file()


def sweep(folder: Path) -> None:
    """Remove the half-written files of processes that were killed."""
    for path in [*folder.glob(".*.part"), *(folder / AUDIO).glob("*.part")]:
        path.unlink(missing_ok=True)


def claim(identity: Mapping[str, Any], folder: Path, replace: bool, check: Callable[[], None]) -> bool:
    """Reserve the folder for an experiment: it is empty, or was begun by the same experiment on the same data with the same code.

    Parameters
    ----------
    identity : mapping
        From `identify`.
    folder : Path
    replace : bool
    check : callable
        Raises if the experiment cannot run at all. It is called before anything is emptied or written, so that a misspelled option
        costs no results.

    Returns
    -------
    bool
        Whether it holds a finished run of this experiment without failures, so that there is nothing to do.

    Raises
    ------
    DataError
        If it holds something else, and `replace` is False.
    """
    problem = _what_else(folder, identity)
    finished = is_complete(folder) and (folder / SUMMARY).is_file() and not (folder / UNITS).exists()
    if finished and not problem:
        problem = _damage(folder)
        if not problem:
            return True
    if problem and not replace:
        raise DataError(f"this folder holds {problem}", path=folder, remedy=START_OVER)
    check()
    if problem:
        empty(folder)
    write_json(folder / IDENTITY, identity)
    return False


def identify(experiment: Experiment) -> dict[str, Any]:
    """Return what makes two runs the same: the experiment, its data, the code, and the sources of the user's own classes."""
    return {
        "experiment": experiment.model_dump(mode="json", by_alias=True),
        "data": data_checksums(experiment),
        "code": code_digest(),
        "own classes": {
            name: sha256(source)
            for name in [spec.name for spec in experiment.taggers] + [spec.name for spec in experiment.engines]
            if (source := own_source(name))
        },
    }


def empty(folder: Path) -> None:
    """Remove the files that runs write, and no others."""
    for name in _OURS:
        (folder / name).unlink(missing_ok=True)
    for path in (folder / AUDIO).iterdir():
        if path.suffix in (".wav", ".part"):
            path.unlink()


def _damage(folder: Path) -> str:
    """Return which records a finished run has lost or gained since its manifest was written; empty if none."""
    try:
        counts = read_json(folder / MANIFEST)["counts"]
        for name in RECORDS:
            path = folder / f"{name}.jsonl"
            lines = path.read_bytes().count(b"\n") if path.is_file() else 0
            if lines != counts[name]:
                return f"a damaged run: {path.name} has {lines} lines, and its manifest counted {counts[name]}"
    except (DataError, KeyError, TypeError):
        return "a damaged run: its manifest cannot be read"
    return ""


def _what_else(folder: Path, identity: Mapping[str, Any]) -> str:
    """Return what the folder holds if not this experiment; empty if it does."""
    if not (folder / IDENTITY).exists():
        return "parts of a run, but not which" if any((folder / name).exists() for name in _OURS) else ""
    try:
        found = read_json(folder / IDENTITY)
    except DataError:
        return "a run whose experiment.json cannot be read"
    what = {"experiment": "another experiment", "data": "results on other data", "code": "results of other code",
            "own classes": "results of another version of your class"}  # fmt: skip
    return next((words for name, words in what.items() if found.get(name, {}) != identity[name]), "")
