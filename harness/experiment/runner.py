"""Experiments: tag, speak, score; parallel, resumable, repeatable.

An experiment is a YAML file (`Experiment` lists its fields). Its run folder holds ``predictions.jsonl``, ``clips.jsonl``,
``clips/*.wav``, ``outcomes.jsonl`` and ``summary.json``; ``manifest.json`` is written last, so a folder that has one is
complete. A run may be killed at any moment: starting it again does what is left, and the finished files have the same bytes.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from filelock import FileLock, Timeout

from harness.engines import make_engine
from harness.errors import DataError
from harness.experiment.spec import GOLD, Experiment, data_checksums, load_sentences
from harness.experiment.summary import summarise
from harness.experiment.unit import Unit, UnitResult, run_unit
from harness.manifest import code_digest, git_state, machine, package_versions
from harness.records import Clip, Outcome, Prediction, Record, RunManifest, TextRecord
from harness.store import Store, read_json, write_json
from harness.tagged import TaggedText
from harness.taggers import make_tagger

IDENTITY = "experiment.json"  # what the folder belongs to


class UnitDone(Record):
    """Marks a sentence that an engine has finished."""

    SCHEMA: ClassVar[str] = "harness.unit/1"

    engine: str
    sentence: str
    failed: bool

    @property
    def key(self) -> tuple[str, ...]:
        return (self.engine, self.sentence)


def run(
    experiment: Experiment,
    folder: str | Path,
    *,
    jobs: int = -1,
    progress: Callable[[int, int], None] | None = None,
    replace: bool = False,
) -> dict[str, Any]:
    """Run an experiment, or what is left of it, and return its summary.

    Parameters
    ----------
    experiment : Experiment
    folder : path-like
        The run folder. If it holds a complete run of the same experiment, nothing is done.
    jobs : int
        Worker processes; -1 for one a core.
    progress : callable, optional
        Called with units done and units in all.
    replace : bool
        Whether a folder that holds something else is emptied and used, instead of refused.

    Raises
    ------
    DataError
        If the folder holds another experiment, or the same on other data or by other code, or if another run is
        writing into it.
    """
    folder = Path(folder)
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            return _run_locked(experiment, folder, jobs, progress or (lambda done, total: None), replace)
    except Timeout as error:
        raise DataError("another run is writing into this folder", path=folder,
                        remedy="wait for it, or choose another --out") from error  # fmt: skip


def _run_locked(experiment, folder: Path, jobs: int, progress, replace: bool) -> dict[str, Any]:
    _claim(experiment, folder, replace)
    if (folder / "manifest.json").exists():
        return read_json(folder / "summary.json")
    begun = time.monotonic()
    sentences = load_sentences(experiment)
    predictions = _predict(experiment, sentences, Store(folder / "predictions.jsonl", Prediction))
    clips = Store(folder / "clips.jsonl", Clip)
    outcomes = Store(folder / "outcomes.jsonl", Outcome)
    done = Store(folder / "units.jsonl", UnitDone)
    units = [
        Unit(engine, record.id, tuple((t.title, predictions[t.title, record.id]) for t in experiment.taggers), experiment,
             folder / "clips")
        for engine in experiment.engines for record in sentences
    ]  # fmt: skip
    left = [unit for unit in units if (unit.engine.title, unit.sentence) not in done]
    progress(len(units) - len(left), len(units))
    for count, result in enumerate(_in_parallel(left, jobs), start=len(units) - len(left) + 1):
        clips.add(result.clips)
        outcomes.add(result.outcomes)
        done.add([UnitDone(engine=result.unit.engine.title, sentence=result.unit.sentence, failed=result.failed)])
        progress(count, len(units))
    for store in (clips, outcomes):
        store.finish()
    failed = sum(record.failed for record in done.records())
    gold = {record.id: record.tagged for record in sentences}
    summary = summarise(experiment.name, gold, predictions, outcomes.records())
    summary["failed_units"] = failed
    write_json(folder / "summary.json", summary)
    _write_manifest(experiment, folder, len(sentences), len(clips), len(outcomes), failed, time.monotonic() - begun)
    (folder / "units.jsonl").unlink(missing_ok=True)
    return summary


def _claim(experiment, folder: Path, replace: bool) -> None:
    """Make the folder this experiment's: new, or begun by the same experiment on the same data by the same code."""
    identity = {
        "experiment": experiment.model_dump(mode="json", by_alias=True),
        "data": data_checksums(experiment),
        "code": code_digest(),
    }
    file = folder / IDENTITY
    if file.exists() and (found := read_json(file)) != identity:
        if not replace:
            differs = [name for name in identity if found.get(name) != identity[name]]
            what = {
                "experiment": "another experiment",
                "data": "results on other data",
                "code": "results of other code",
            }
            raise DataError(
                f"this folder holds {what[differs[0]]}",
                path=folder,
                remedy="choose another --out, or add --replace to start over",
            )
        for path in folder.iterdir():
            if path.is_file() and path.name != ".lock":
                path.unlink()
        shutil.rmtree(folder / "clips", ignore_errors=True)
        (folder / "clips").mkdir()
    write_json(file, identity)


def _predict(
    experiment, sentences: Sequence[TextRecord], store: Store[Prediction]
) -> dict[tuple[str, str], TaggedText]:
    """Tag all sentences by all taggers; a tagger whose predictions are stored is not asked again."""
    plain = [record.tagged.stripped() for record in sentences]
    for spec in experiment.taggers:
        if all((spec.title, record.id) in store for record in sentences):
            continue
        is_gold = spec.name == GOLD
        tagged = [r.tagged for r in sentences] if is_gold else make_tagger(spec.name, **spec.options).tag(plain)
        store.add(
            Prediction(tagger=spec.title, id=record.id, text=text.format())
            for record, text in zip(sentences, tagged, strict=True)
        )
    store.finish()
    return {record.key: TaggedText.parse(record.text) for record in store.records()}  # type: ignore[misc]


def _in_parallel(units: Sequence[Unit], jobs: int) -> Iterator[UnitResult]:
    """Results as they come; worker processes by joblib, or this process for one job."""
    if jobs == 1 or len(units) < 2:
        return map(run_unit, units)
    from joblib import Parallel, delayed

    return Parallel(n_jobs=jobs, backend="loky", return_as="generator_unordered")(delayed(run_unit)(u) for u in units)


def _write_manifest(
    experiment, folder: Path, sentences: int, clips: int, outcomes: int, failed: int, seconds: float
) -> None:
    revision, dirty = git_state()
    engines = {spec.title: make_engine(spec.name, **spec.options).revision for spec in experiment.engines}
    manifest = RunManifest(
        run=experiment.name, created=datetime.now(UTC).isoformat(timespec="seconds"),
        parameters=experiment.model_dump(mode="json", by_alias=True), packages=package_versions(), git_revision=revision,
        git_dirty=dirty, data=data_checksums(experiment), seeds=[experiment.seed], revisions=engines, machine=machine(),
        counts={"sentences": sentences, "clips": clips, "outcomes": outcomes, "failed": failed, "seconds": round(seconds)},
    )  # fmt: skip
    write_json(folder / "manifest.json", manifest.model_dump(mode="json", by_alias=True))
