"""The run folder: the experiment it belongs to, and the files that a run writes into it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.datasets import sha256
from harness.engines.base import ENGINES
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
# Only in an unfinished run: the sentences that are done, and scores without verdicts.
UNITS, SCORES = "units.jsonl", "scores.jsonl"
AUDIO = "clips"
# What a unit returns: each name is a field of `UnitResult` and a file NAME.jsonl.
UNIT_RECORDS: dict[str, type[Record]] = {
    "clips": Clip, "scores": TagScore, "nulls": NullSample, "contrasts": Contrast, "crosstalk": CrossTalk, "doses": Dose,
}  # fmt: skip
# What a finished run holds, in the order of the manifest's counts: scores have become outcomes.
RECORDS: dict[str, type[Record]] = {
    "clips": Clip, "outcomes": Outcome, "nulls": NullSample, "contrasts": Contrast, "crosstalk": CrossTalk, "doses": Dose,
}  # fmt: skip
# In order of deletion: without its manifest the folder counts as unfinished; the experiment is deleted last, so it stays known.
FILES = (MANIFEST, SUMMARY, UNITS, SCORES, *(f"{name}.jsonl" for name in RECORDS), PREDICTIONS, IDENTITY)
START_OVER = "choose another --out, or add --replace to start over"


@dataclass(frozen=True)
class RunData:
    """Everything a run has measured, for the summary. Records are read one engine at a time, to save memory."""

    experiment: Experiment
    items: Sequence[Item]
    predictions: Mapping[tuple[str, str], TaggedText]
    thresholds: Mapping[str, Thresholds]
    records: Mapping[str, Iterable[Any]]

    def of(self, name: str, engine: str) -> list[Any]:
        """Return the records of one kind and one engine."""
        return [record for record in self.records[name] if record.engine == engine]


def prepare(folder: Path) -> None:
    """Create the run folder.

    Raises
    ------
    DataError
        If it cannot be created, for instance because a file has its name.
    """
    try:
        (folder / AUDIO).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"the run folder cannot be created: {error.strerror}", path=folder, remedy="choose another --out"
        ) from error


def is_complete(folder: Path) -> bool:
    """Return whether a folder holds a complete run, since the manifest is written last. Some sentences may have failed."""
    return (folder / MANIFEST).is_file()


def sweep(folder: Path) -> None:
    """Delete the half-written files of processes that were killed."""
    for path in [*folder.glob(".*.part"), *(folder / AUDIO).glob("*.part")]:
        path.unlink(missing_ok=True)


def claim(identity: Mapping[str, Any], folder: Path, replace: bool, check: Callable[[], None]) -> bool:
    """Reserve a folder for an experiment: it must be empty, or hold a run of the same experiment, data and code.

    Parameters
    ----------
    identity : mapping
        Result of `identify`.
    folder : Path
        Run folder.
    replace : bool
        Whether to empty a folder that holds something else.
    check : callable
        Function that raises if the experiment cannot run at all. It is called before anything is deleted or written, so that a
        misspelled option costs no results.

    Returns
    -------
    bool
        Whether the folder holds a finished run of this experiment without failures, so that nothing is left to do.

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
    """Return what identifies a run: the experiment, its data, the code, and the source files of the user's own classes."""
    return {
        "experiment": experiment.model_dump(mode="json", by_alias=True),
        "data": data_checksums(experiment),
        "code": code_digest(),
        "own classes": {
            name: sha256(source)
            for name in [
                *(spec.name for spec in experiment.taggers),
                *(ENGINES.inside(spec.name) or spec.name for spec in experiment.engines),
                *experiment.listening,
            ]
            if (source := own_source(name))
        },
    }


def empty(folder: Path) -> None:
    """Delete the files that runs write, and no others."""
    for name in FILES:
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
                return f"a damaged run: {path.name} has {lines} lines, but its manifest counted {counts[name]}"
    except (DataError, KeyError, TypeError):
        return "a damaged run: its manifest cannot be read"
    return ""


def _what_else(folder: Path, identity: Mapping[str, Any]) -> str:
    """Return what the folder holds instead of this experiment; an empty string if nothing else."""
    if not (folder / IDENTITY).exists():
        return "parts of an unknown run" if any((folder / name).exists() for name in FILES) else ""
    try:
        found = read_json(folder / IDENTITY)
    except DataError:
        return "a run whose experiment.json cannot be read"
    what = {"experiment": "another experiment", "data": "results on other data", "code": "results of other code",
            "own classes": "results of another version of your class"}  # fmt: skip
    return next((message for name, message in what.items() if found.get(name, {}) != identity[name]), "")
