"""Experiments: tag, speak, score; parallel, resumable, repeatable.

An experiment is a YAML file (`Experiment` lists its fields). Its run folder holds ``predictions.jsonl``, ``clips.jsonl``,
``clips/*.wav``, ``outcomes.jsonl`` and ``summary.json``; ``manifest.json`` is written last, so a folder that has one is
complete. A run may be killed at any moment: starting it again does what is left, and the finished files have the same bytes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar

from filelock import FileLock, Timeout

from harness.engines import make_engine
from harness.errors import DataError
from harness.experiment.folder import (
    AUDIO,
    CLIPS,
    MANIFEST,
    OUTCOMES,
    PREDICTIONS,
    START_OVER,
    SUMMARY,
    UNITS,
    claim,
    prepare,
)
from harness.experiment.spec import GOLD, Experiment, data_checksums, load_sentences
from harness.experiment.summary import summarise
from harness.experiment.unit import Unit, UnitResult, run_unit
from harness.manifest import git_state, machine, package_versions
from harness.records import Clip, Outcome, Prediction, Record, RunManifest, TextRecord
from harness.store import Store, read_json, write_json
from harness.tagged import TaggedText
from harness.taggers import make_tagger


class UnitDone(Record):
    """Marks a sentence that an engine has finished without failure."""

    SCHEMA: ClassVar[str] = "harness.unit/1"

    engine: str
    sentence: str

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
    if jobs < -1 or jobs == 0:
        raise DataError(
            f"{jobs} worker processes are not possible", remedy="--jobs takes 1 or more, or -1 for one a core"
        )
    prepare(folder)
    try:
        with FileLock(folder / ".lock", timeout=0):
            return _run_locked(experiment, folder, jobs, progress or (lambda done, total: None), replace)
    except Timeout as error:
        raise DataError("another run is writing into this folder", path=folder,
                        remedy="wait for it, or choose another --out") from error  # fmt: skip


def _run_locked(experiment, folder: Path, jobs: int, progress, replace: bool) -> dict[str, Any]:
    claim(experiment, folder, replace)
    if (folder / MANIFEST).exists() and (folder / SUMMARY).exists() and not (folder / UNITS).exists():
        return read_json(folder / SUMMARY)
    (folder / MANIFEST).unlink(missing_ok=True)
    begun = time.monotonic()
    sentences = load_sentences(experiment)
    _check_voices(experiment)
    try:
        predictions = _predict(experiment, sentences, Store(folder / PREDICTIONS, Prediction))
        clips, outcomes, done = (
            Store(folder / CLIPS, Clip),
            Store(folder / OUTCOMES, Outcome),
            Store(folder / UNITS, UnitDone),
        )
    except DataError as error:
        raise DataError(error.message, path=error.path, line=error.line, remedy=START_OVER) from error
    units = [
        Unit(engine, record.id, tuple((t.title, predictions[t.title, record.id]) for t in experiment.taggers), experiment,
             folder / AUDIO)
        for engine in experiment.engines for record in sentences
    ]  # fmt: skip
    failed = _work(units, clips, outcomes, done, jobs, progress)
    gold = {record.id: record.tagged for record in sentences}
    summary = summarise(experiment.name, gold, predictions, outcomes.records())
    summary["failed_units"] = len(failed)
    summary["failures"] = dict(Counter(result.reason for result in failed))
    write_json(folder / SUMMARY, summary)
    _write_manifest(
        experiment, folder, len(sentences), len(clips), len(outcomes), len(failed), time.monotonic() - begun
    )
    if failed:
        done.finish()
    else:
        (folder / UNITS).unlink(missing_ok=True)
    return summary


def _work(
    units: Sequence[Unit], clips: Store[Clip], outcomes: Store[Outcome], done: Store[UnitDone], jobs: int, progress
):
    """Do the units that are left, store what they give, and return the results of those that failed.

    A unit is marked as done after its outcomes are on disk, so a kill costs at most the units in work. Failed units
    are counted in this run's figures, but not marked: the next call tries them again.
    """
    for store in (clips, outcomes):  # leftovers of units that were interrupted, or that failed last time
        store.keep(lambda record: (record.engine, record.sentence) in done)
    left = [unit for unit in units if (unit.engine.title, unit.sentence) not in done]
    failed: list[UnitResult] = []
    progress(len(units) - len(left), len(units))
    for count, result in enumerate(_in_parallel(left, jobs), start=len(units) - len(left) + 1):
        if result.failed:
            failed.append(result)
        else:
            clips.add(result.clips)
            outcomes.add(result.outcomes)
            done.add([UnitDone(engine=result.unit.engine.title, sentence=result.unit.sentence)])
        progress(count, len(units))
    for result in failed:
        clips.add(result.clips)
        outcomes.add(result.outcomes)
    clips.finish()
    outcomes.finish()
    return failed


def _check_voices(experiment: Experiment) -> None:
    """Fail now, not once for every sentence, if an engine lacks the voice."""
    for spec in experiment.engines:
        engine = make_engine(spec.name, **spec.options)
        if spec.voice is not None and spec.voice not in (voices := engine.voices()):
            near = get_close_matches(spec.voice, voices, n=3) or voices[:3]
            raise DataError(
                f"the engine {spec.name!r} has no voice {spec.voice!r}", remedy=f"for instance: {', '.join(near)}"
            )


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
    return {(record.tagger, record.id): record.tagged for record in store.records()}


def _in_parallel(units: Sequence[Unit], jobs: int) -> Iterator[UnitResult]:
    """Results as they come; worker processes by joblib, or this process for one job."""
    if jobs == 1 or len(units) < 2:
        return map(run_unit, units)
    from joblib import Parallel, cpu_count, delayed

    workers = min(cpu_count() if jobs == -1 else jobs, len(units))
    return Parallel(n_jobs=workers, backend="loky", return_as="generator_unordered")(
        delayed(run_unit)(u) for u in units
    )


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
    write_json(folder / MANIFEST, manifest.model_dump(mode="json", by_alias=True))
