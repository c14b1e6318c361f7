"""Experiments: tag, speak, score; parallel, resumable, repeatable.

An experiment is a YAML file (`Experiment` lists its fields). Its run folder holds ``predictions.jsonl``, ``clips.jsonl``,
``clips/*.wav``, ``outcomes.jsonl`` and ``summary.json``, and, if the experiment asks for them, ``nulls.jsonl``,
``contrasts.jsonl``, ``crosstalk.jsonl`` and ``doses.jsonl``. ``manifest.json`` is written last, so a folder with a manifest is
complete. A run may be killed at any moment. The same command resumes it, and the finished files have the same bytes as without
the kill. Until all sentences are done, ``scores.jsonl`` holds differences without verdicts, because the thresholds depend on all
sentences.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.engines import SpeechEngine, make_engine
from harness.errors import DataError
from harness.experiment.before import check_parts
from harness.experiment.folder import (
    AUDIO,
    MANIFEST,
    OUTCOMES,
    PREDICTIONS,
    RECORDS,
    SCORES,
    START_OVER,
    SUMMARY,
    UNIT_RECORDS,
    UNITS,
    RunData,
    UnitDone,
    claim,
    identify,
    prepare,
    sweep,
)
from harness.experiment.sentences import Item, grouped
from harness.experiment.spec import GOLD, Experiment
from harness.experiment.summary import summarise
from harness.experiment.unit import Unit, UnitResult, lost_unit, run_unit
from harness.processes.parallel import in_parallel
from harness.prosody.listeners import load_listener
from harness.prosody.null import fit
from harness.prosody.scorer import judge
from harness.provenance import git_state, machine, package_versions
from harness.records import Outcome, Prediction, RunManifest
from harness.store import Store, locked, read_json, write_json
from harness.tagged import TaggedText
from harness.taggers import make_tagger
from harness.taggers.base import tag_all

NO_ROOM = "the audio file cannot be written"  # the message of `harness.audio.write_wav`


def run(
    experiment: Experiment,
    folder: str | Path,
    *,
    jobs: int = -1,
    backend: str = "loky",
    scheduler: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    replace: bool = False,
    check: Callable[[Experiment], None] = check_parts,
) -> dict[str, Any]:
    """Run an experiment, or the rest of an unfinished one, and return its summary.

    Parameters
    ----------
    experiment : Experiment
        Experiment to run.
    folder : path-like
        Run folder. If it holds a complete run of the same experiment, nothing is done. If that run has fewer sentences, because
        `limit` was smaller, the others are added.
    jobs, backend, scheduler
        See `harness.processes.parallel.in_parallel`.
    progress : callable, optional
        Called with the numbers of units done and units in total. A unit is one sentence spoken by one engine.
    replace : bool
        Whether to empty and use a folder that holds something else, instead of refusing it.
    check : callable, optional
        Called before anything is written, unless nothing is left to do; raises if the experiment cannot run.

    Raises
    ------
    DataError
        If the folder holds another experiment, or the same one on other data or with other code; if another run is writing
        into it; or if it cannot be written or has no room.
    """
    folder = Path(folder).absolute()
    if jobs < -1 or jobs == 0:
        raise DataError(f"--jobs must be -1 or at least 1, got {jobs}", remedy="-1 starts one worker process per core")
    prepare(folder)
    parallel = {"jobs": jobs, "backend": backend, "scheduler": scheduler}
    with locked(folder, "run"):
        return _run_locked(experiment, folder, parallel, progress or (lambda done, total: None), replace, check)


def _run_locked(experiment: Experiment, folder: Path, parallel, progress, replace: bool, check) -> dict[str, Any]:
    identity = identify(experiment)
    if claim(identity, folder, replace, check=lambda: check(experiment)):
        (folder / SCORES).unlink(missing_ok=True)  # left over if the run was killed at the very end
        return read_json(folder / SUMMARY)
    for name in (MANIFEST, OUTCOMES):
        (folder / name).unlink(missing_ok=True)
    sweep(folder)
    begun = time.monotonic()
    items = experiment.items()
    try:
        predictions = _predict(experiment, items, Store(folder / PREDICTIONS, Prediction))
        stores: dict[str, Store] = {
            name: Store(folder / f"{name}.jsonl", model) for name, model in UNIT_RECORDS.items()
        }
        done = Store(folder / UNITS, UnitDone)
    except DataError as error:
        raise DataError(error.message, path=error.path, line=error.line, remedy=START_OVER) from error
    group_of = {item.id: item.group for item in items}
    units = list(_units(experiment, items, predictions, folder / AUDIO))
    failed = _work(units, group_of, stores, done, parallel, progress)
    thresholds = {
        spec.title: fit(sample for sample in stores["nulls"] if sample.engine == spec.title)
        for spec in experiment.engines
    }
    scores = stores.pop("scores")
    stores["outcomes"] = Store(folder / OUTCOMES, Outcome)
    stores["outcomes"].replace(judge(score, thresholds[score.engine], group_of[score.sentence]) for score in scores)
    summary = summarise(RunData(experiment, items, predictions, thresholds, stores))
    summary["failed_units"] = len(failed)
    summary["failures"] = dict(Counter(result.reason for result in failed))
    write_json(folder / SUMMARY, summary)
    counts = {"sentences": len(set(group_of.values())), **{name: len(stores[name]) for name in RECORDS},
              "failed": len(failed), "seconds": round(time.monotonic() - begun)}  # fmt: skip
    _write_manifest(experiment, folder, identity["data"], counts)
    if failed:
        done.finish()
    else:
        for name in (UNITS, SCORES):  # in this order, so that a unit marked as done always has its scores
            (folder / name).unlink(missing_ok=True)
    sweep(folder)
    return summary


def _units(experiment: Experiment, items: Sequence[Item], predictions: Mapping, clips: Path):
    """Yield a unit for every sentence and engine."""
    groups = grouped(items)
    for engine in experiment.engines:
        for number, (group, members) in enumerate(list(groups.items())[: engine.limit]):
            texts = tuple(
                (t.title, item, predictions[t.title, item.id]) for item in members for t in experiment.taggers
            )
            yield Unit(engine, group, texts, experiment, clips, engine.dose and number < experiment.dose_sentences)


def _work(
    units: Sequence[Unit],
    group_of: Mapping[str, str],
    stores: Mapping[str, Store],
    done: Store[UnitDone],
    parallel,
    progress,
) -> list[UnitResult]:
    """Do the remaining units, store their records, and return the results of failed units.

    A unit is marked as done after its records are on disk, so a killed run loses at most the units in progress. Failed units
    count in this run's figures but are not marked, so the next call tries them again.
    """
    for store in stores.values():  # drop records of units that were interrupted or failed last time
        store.keep(lambda record: (record.engine, group_of.get(record.sentence, record.sentence)) in done)
    left = [unit for unit in units if (unit.engine.title, unit.sentence) not in done]
    failed: list[UnitResult] = []
    before = len(units) - len(left)
    progress(before, len(units))
    for count, result in enumerate(in_parallel(run_unit, left, lost=lost_unit, **parallel), start=before + 1):
        if result.reason == NO_ROOM:  # every other sentence would fail too
            raise DataError(NO_ROOM, path=result.unit.clips, remedy="make room on the disk, or check that the folder is "
                            "writable; the same command resumes the run")  # fmt: skip
        if result.failed:
            failed.append(result)
        else:
            for name, store in stores.items():
                store.add(getattr(result, name))
            done.add([UnitDone(engine=result.unit.engine.title, sentence=result.unit.sentence)])
        progress(count, len(units))
    for result in failed:
        for name, store in stores.items():
            store.add(getattr(result, name))
    for store in stores.values():
        store.finish()
    return failed


def _predict(
    experiment: Experiment, items: Sequence[Item], store: Store[Prediction]
) -> dict[tuple[str, str], TaggedText]:
    """Tag all texts with all taggers; stored predictions are used again."""
    plain = [item.text.stripped() for item in items]
    for spec in experiment.taggers:
        if all((spec.title, item.id) in store for item in items):
            continue
        tagged = [item.text for item in items]
        if spec.name != GOLD:
            tagged = tag_all(make_tagger(spec.name, **spec.options), plain, spec.name)
        store.add(
            Prediction(tagger=spec.title, id=item.id, text=text.format())
            for item, text in zip(items, tagged, strict=True)
        )
    store.finish()
    return {(record.tagger, record.id): record.tagged for record in store}


def _write_manifest(experiment: Experiment, folder: Path, data: dict[str, str], counts: dict[str, int]) -> None:
    revision, dirty = git_state()
    revisions = {spec.title: _revision(make_engine(spec.name, **spec.options)) for spec in experiment.engines}
    revisions |= {name: load_listener(name).revision for name in experiment.listening}
    manifest = RunManifest(
        run=experiment.name, created=datetime.now(UTC).isoformat(timespec="seconds"),
        parameters=experiment.model_dump(mode="json", by_alias=True), packages=package_versions(), git_revision=revision,
        git_dirty=dirty, data=data, seeds=[experiment.seed], revisions=revisions, machine=machine(),
        counts=counts,
    )  # fmt: skip
    write_json(folder / MANIFEST, manifest.model_dump(mode="json", by_alias=True))


def _revision(engine: SpeechEngine) -> str:
    """Return the revision of an engine, with that of the engine behind a server."""
    served = getattr(engine, "served_revision", None)
    return f"{engine.revision}, engine: {served()}" if served else engine.revision
