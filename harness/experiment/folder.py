"""The run folder: the experiment it belongs to, and the files that a run writes into it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from harness.datasets import sha256
from harness.engines.base import ENGINES
from harness.errors import DataError
from harness.experiment.sentences import Item, grouped
from harness.experiment.spec import Experiment, data_checksums
from harness.prosody.null import Thresholds
from harness.prosody.scorer import TagScore, unjudged
from harness.provenance import code_digest
from harness.records import Clip, Contrast, CrossTalk, Dose, NullSample, Outcome, Record, digest
from harness.registry import own_sources
from harness.store import Store, iterate_unique, read_json, write_json
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


class UnitDone(Record):
    """Marks a sentence that an engine has finished without failure."""

    SCHEMA: ClassVar[str] = "harness.unit/1"

    engine: str
    sentence: str

    @property
    def key(self) -> tuple[str, ...]:
        return (self.engine, self.sentence)


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

    A run of fewer sentences is opened again, so that the others can be added.

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
    before = {} if problem else _texts(_identity(folder).get("experiment"))
    now = _texts(identity["experiment"])
    if before.keys() - now.keys():
        texts = [len({name for _, name in one}) for one in (before, now)]
        problem = f"a run of more sentences than this limit allows: {texts[0]} texts, not {texts[1]}"
    if finished and not problem and before == now:
        return True
    if problem and not replace:
        raise DataError(f"this folder holds {problem}", path=folder, remedy=START_OVER)
    check()
    if problem:
        empty(folder)
    elif before and before != now:
        _reopen(folder, before, now)
    write_json(folder / IDENTITY, identity)
    return False


def _texts(fields: Mapping[str, Any] | None) -> dict[tuple[str, str], Item]:
    """Return what each engine of an experiment speaks, by its title and the id of the text."""
    if fields is None:
        return {}
    experiment = Experiment.model_validate(fields)
    groups = list(grouped(experiment.items()).values())
    return {
        (spec.title, item.id): item for spec in experiment.engines for group in groups[: spec.limit] for item in group
    }


def _reopen(folder: Path, before: Mapping[tuple[str, str], Item], now: Mapping[tuple[str, str], Item]) -> None:
    """Make a run of fewer sentences an unfinished run; a sentence that has more texts now is not done.

    Verdicts become scores again, because the thresholds depend on all sentences. The manifest is deleted last, so if this is
    interrupted, it is done again.
    """
    units = Store(folder / UNITS, UnitDone)
    if is_complete(folder) and not (folder / UNITS).exists():
        Store(folder / SCORES, TagScore).replace(unjudged(one) for one in iterate_unique(folder / OUTCOMES, Outcome))
        units.replace(UnitDone(engine=engine, sentence=item.group) for (engine, _), item in before.items())
    grown = {(engine, item.group) for (engine, name), item in now.items() if before.get((engine, name)) != item}
    units.keep(lambda unit: unit.key not in grown)
    (folder / MANIFEST).unlink(missing_ok=True)


def identify(experiment: Experiment) -> dict[str, Any]:
    """Return what identifies a run: the experiment, its data, the code, and the sources of the user's own classes."""
    return {
        "experiment": experiment.model_dump(mode="json", by_alias=True),
        "data": data_checksums(experiment),
        "code": code_digest(),
        "own classes": {
            name: digest(*map(sha256, sources)) if sources[1:] else sha256(sources[0])
            for name in [
                *(spec.name for spec in experiment.taggers),
                *(ENGINES.inside(spec.name) or spec.name for spec in experiment.engines),
                *experiment.listening,
            ]
            if (sources := own_sources(name))
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
        found = _identity(folder)
    except DataError:
        return "a run whose experiment.json cannot be read"
    found, identity = ({**one, "experiment": _without_limits(one.get("experiment", {}))} for one in (found, identity))
    what = {"experiment": "another experiment", "data": "results on other data", "code": "results of other code",
            "own classes": "results of another version of your class, or of a module that it imports"}  # fmt: skip
    return next((message for name, message in what.items() if found.get(name, {}) != identity[name]), "")


def _identity(folder: Path) -> dict[str, Any]:
    return read_json(folder / IDENTITY) if (folder / IDENTITY).exists() else {}


def _without_limits(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an experiment without the numbers of sentences, because a run can be extended."""
    engines = [{**engine, "limit": None} for engine in experiment.get("engines", [])]
    return {**experiment, "limit": None, "engines": engines}
