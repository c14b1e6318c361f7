"""Paired differences between runs: the same tag at the same place of the same sentence, measured on both sides."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from scipy.stats import binomtest

from harness.errors import DataError
from harness.experiment.compare_listeners import compare_judgements
from harness.experiment.folder import IDENTITY, MANIFEST, PREDICTIONS, is_complete
from harness.experiment.sentences import sentence_of
from harness.experiment.spec import Experiment
from harness.paths import DATA, relative
from harness.prosody.rates import COUNTED, MEASURED, holm, named
from harness.reading import first_problem
from harness.records import Arm, Outcome, Prediction, RunManifest, Verdict
from harness.stats import ClusterBootstrap, Interval, Statistic, number, ratio
from harness.store import read_json, read_jsonl
from harness.tagged import TAGS, Tag

LEVEL = 0.05  # family-wise, over the tags
Place = tuple[str, int, Tag]
# The first of three columns for each arm: pairs, hits of the baseline, hits of the other side.
_COLUMNS = {Arm.TAGGED: 0, Arm.PLACEBO: 3}


@dataclass(frozen=True)
class FinishedRun:
    """What `harness compare` reads from a run folder. The folder itself is never changed."""

    folder: Path
    name: str
    engines: tuple[str, ...]
    taggers: tuple[str, ...]
    outcomes: Sequence[Outcome]
    texts: Mapping[tuple[str, str], tuple[str, ...]]

    def holds(self) -> str:
        """Return a description of what was spoken."""
        ids = sorted({outcome.sentence for outcome in self.outcomes})
        some = f" ({', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''})" if ids else ""
        tags = sorted({outcome.tag.bare for outcome in self.outcomes if outcome.arm is Arm.TAGGED})
        return f"{self.folder} holds {len(ids)} tagged texts{some} with {', '.join(tags) or 'no tags'}"


@dataclass(frozen=True)
class Side:
    """One engine with one tagger of one run."""

    run: FinishedRun
    engine: str
    tagger: str
    title: str

    def measured(self, arm: Arm, verdicts: Collection[Verdict] = MEASURED) -> dict[Place, Outcome]:
        """Return the outcomes of an arm with some verdicts, by sentence, slot and tag."""
        return {
            (o.sentence, o.slot, o.tag): o
            for o in self.run.outcomes
            if (o.engine, o.tagger, o.arm) == (self.engine, self.tagger, arm) and o.verdict in verdicts
        }

    def as_json(self) -> dict[str, str]:
        """Return the names of the side as JSON fields."""
        return {"title": self.title, "run": self.run.name, "folder": str(self.run.folder), "engine": self.engine,
                "tagger": self.tagger}  # fmt: skip


def read_run(folder: Path) -> FinishedRun:
    """Read a finished run.

    Raises
    ------
    DataError
        If the folder holds no run, or one that is not complete.
    """
    if not is_complete(folder):
        if not (folder / IDENTITY).is_file():
            raise DataError("this folder holds no run", path=folder, remedy="give the --out of a `harness run`")
        command = f"harness run {_yaml_of(folder)} --out {folder}"
        raise DataError("this run is not complete", path=folder,
                        remedy=f"finish it with the file and options it was started with: {command}")  # fmt: skip
    try:
        manifest = RunManifest.model_validate(read_json(folder / MANIFEST))
        experiment = Experiment.model_validate(manifest.parameters)
    except ValidationError as error:
        raise DataError(first_problem(error, "manifest")[0], path=folder / MANIFEST,
                        remedy="run the experiment again with this version") from error  # fmt: skip
    predictions = read_jsonl(folder / PREDICTIONS, Prediction)
    return FinishedRun(
        folder, manifest.run,
        tuple(spec.title for spec in experiment.engines), tuple(spec.title for spec in experiment.taggers),
        read_jsonl(folder / "outcomes.jsonl", Outcome), {(p.tagger, p.id): p.tagged.words for p in predictions},
    )  # fmt: skip


def _yaml_of(folder: Path) -> str:
    """Return the likely name of the experiment's file: the run folder holds only the name of the experiment."""
    fields = read_json(folder / IDENTITY).get("experiment")
    name = f"{fields.get('name', 'EXPERIMENT') if isinstance(fields, dict) else 'EXPERIMENT'}.yaml"
    ours = DATA / "experiments" / name
    return relative(ours) if ours.is_file() else name


def compare_runs(folders: Sequence[Path], baseline: str | None = None, tagger: str | None = None) -> dict[str, Any]:
    """Compare every engine and tagger of the runs with a baseline from the first run.

    Parameters
    ----------
    folders : sequence of Path
        Run folders.
    baseline, tagger : str, optional
        Engine and tagger of the first run that serve as the baseline; by default, its first engine and tagger.

    Returns
    -------
    dict
        ``baseline`` and a list ``comparisons``. Each comparison has rows of figures ``per_tag`` and a row for ``all`` tags (see
        `figures`), and ``listeners`` (see `compare_judgements`).

    Raises
    ------
    DataError
        If a run is not complete, if two runs have different words under the same id, or if a run shares no measured pair
        with the baseline.
    """
    runs = [read_run(folder) for folder in folders]
    sides = _sides(runs)
    first = _chosen([side for side in sides if side.run is runs[0]], baseline, tagger)
    others = [side for side in sides if side is not first]
    if not others:
        raise DataError("the run has only one engine and one tagger, so there is nothing to compare", path=runs[0].folder,
                        remedy="give a second run")  # fmt: skip
    for other in others:
        _same_words(first, other)
    compared = [
        (other, {**other.as_json(), **compare_sides(first, other), "listeners": compare_judgements(
            first.measured(Arm.TAGGED, COUNTED), other.measured(Arm.TAGGED, COUNTED))})
        for other in others
    ]  # fmt: skip
    for run in runs[1:] or runs:
        found = [result["all"]["n"] for other, result in compared if other.run is run]
        if not any(found):
            held = run.holds() if run is runs[0] else f"{runs[0].holds()}; {run.holds()}"
            raise DataError(f"nothing was measured on both sides ({first.title} is the baseline): {held}",
                            remedy="compare runs of the same sentences and tags")  # fmt: skip
    return {"baseline": first.as_json(), "comparisons": [result for _, result in compared]}


def _sides(runs: Sequence[FinishedRun]) -> list[Side]:
    several = len({tagger for run in runs for tagger in run.taggers}) > 1
    engines = [engine for run in runs for engine in run.engines]
    sides = []
    for run, name in zip(runs, run_names(runs), strict=True):
        for engine in run.engines:
            title = engine if engines.count(engine) == 1 else f"{name}: {engine}"
            sides += [Side(run, engine, tagger, f"{title} x {tagger}" if several else title) for tagger in run.taggers]
    return sides


def run_names(runs: Sequence[FinishedRun]) -> list[str]:
    """Return the names of the runs, or of their folders, or the paths: the first of these that are all different."""
    for names in ([r.name for r in runs], [r.folder.resolve().name for r in runs], [str(r.folder) for r in runs]):
        if len(set(names)) == len(runs):
            return names
    return [f"{number}. {run.name}" for number, run in enumerate(runs, 1)]


def _chosen(sides: Sequence[Side], engine: str | None, tagger: str | None) -> Side:
    wanted = [s for s in sides if engine in (None, s.engine, s.title, s.title.removesuffix(f" x {s.tagger}"))]
    wanted = [side for side in wanted if tagger in (None, side.tagger)]
    if not wanted:
        run = sides[0].run
        raise DataError("the first run does not have the engine and tagger of the baseline", path=run.folder,
                        remedy=f"engines: {', '.join(run.engines)}; taggers: {', '.join(run.taggers)}")  # fmt: skip
    return wanted[0]


def _same_words(first: Side, other: Side) -> None:
    for (tagger, sentence), words in first.run.texts.items():
        theirs = other.run.texts.get((other.tagger, sentence))
        if tagger == first.tagger and theirs is not None and theirs != words:
            raise DataError(
                f"the sentence {sentence!r} has different words in the two runs: {first.run.folder} ({first.tagger}) holds "
                f"{' '.join(words)!r}, {other.run.folder} ({other.tagger}) holds {' '.join(theirs)!r}",
                remedy="compare runs of the same sentences",
            )


def compare_sides(first: Side, other: Side) -> dict[str, Any]:
    """Return rows of figures ``per_tag`` and for ``all`` tags, with marks after Holm's correction for the number of tags."""
    both = {arm: (first.measured(arm), other.measured(arm)) for arm in _COLUMNS}
    tags = [tag for tag in TAGS if any(tag is place[2] for sides in both.values() for side in sides for place in side)]
    per_tag = {tag.value: figures(both, {tag}) for tag in tags}
    pooled = figures(both, set(TAGS))
    for rows in (list(per_tag.values()), [pooled]):
        for part in (rows, [row["placebo"] for row in rows]):
            tested = [row for row in part if row["n"]]
            for row, p in zip(tested, holm([row["p"] for row in tested]), strict=True):
                row["p_holm"] = p
                row["marked"] = row["excludes_0"] and p < LEVEL
    return {"per_tag": per_tag, "all": pooled}


def figures(
    both: Mapping[Arm, tuple[Mapping[Place, Outcome], Mapping[Place, Outcome]]], tags: set[Tag]
) -> dict[str, Any]:
    """Return one row of figures for some tags: what each side measured, and the differences (other minus baseline).

    Returns
    -------
    dict
        ``n`` pairs from ``sentences`` sentences; ``only_baseline`` and ``only_other``, the places measured on one side only;
        the hit rates ``baseline`` and ``other`` and their ``difference``, each with ``low`` and ``high``; ``excludes_0``; the
        numbers of sentences in which the other side has ``more`` or ``fewer`` hits, and ``p`` of the sign test on them;
        ``value_difference``, the median of ``values`` differences in ``unit``. ``placebo`` holds the same figures for the
        placebo arm, ``above_placebo`` the difference in hit rate minus placebo rate. Figures that were not measured are None.
    """
    rows: list[list[float]] = []
    clusters: list[str] = []
    parts: dict[Arm, dict[str, Any]] = {}
    for arm, column in _COLUMNS.items():
        ours, theirs = ({place: o for place, o in side.items() if place[2] in tags} for side in both[arm])
        pairs = [(ours[place], theirs[place]) for place in sorted(ours.keys() & theirs.keys())]
        for a, b in pairs:
            row = [0.0] * 6
            row[column : column + 3] = 1, a.verdict is Verdict.HIT, b.verdict is Verdict.HIT
            rows.append(row)
            clusters.append(sentence_of(a.sentence))
        parts[arm] = {
            "n": len(pairs), "sentences": len({sentence_of(a.sentence) for a, _ in pairs}),
            "only_baseline": len(ours) - len(pairs), "only_other": len(theirs) - len(pairs), **_values(pairs),
        }  # fmt: skip
    bootstrap = ClusterBootstrap(clusters, np.array(rows).reshape(-1, 6))

    for arm, column in _COLUMNS.items():
        for name, hits in (("baseline", column + 1), ("other", column + 2)):
            parts[arm] |= named(name, bootstrap.interval(_rate(hits, column)))
        parts[arm] |= _difference(bootstrap.interval(_rate_difference(column), rate=False))
        parts[arm] |= _sign_test(bootstrap.sums[:, column + 2] - bootstrap.sums[:, column + 1])
        parts[arm] |= {"p_holm": None, "marked": False}
    tagged, placebo = (_rate_difference(column) for column in _COLUMNS.values())
    above = bootstrap.interval(lambda t: tagged(t) - placebo(t), rate=False)
    return {**parts[Arm.TAGGED], "placebo": parts[Arm.PLACEBO], "above_placebo": _difference(above)}


def _rate(hits: int, of: int) -> Statistic:
    return lambda t: ratio(t[..., hits], t[..., of])


def _rate_difference(column: int) -> Statistic:
    return lambda t: ratio(t[..., column + 2] - t[..., column + 1], t[..., column])


def _values(pairs: Iterable[tuple[Outcome, Outcome]]) -> dict[str, Any]:
    """Return the median difference of the measured values; None if they have different units."""
    known = [(a, b) for a, b in pairs if a.value is not None and b.value is not None]
    units = {outcome.unit for pair in known for outcome in pair}
    median = float(np.median([b.value - a.value for a, b in known])) if len(units) == 1 else None  # type: ignore[operator]
    return {"values": len(known), "value_difference": median, "unit": units.pop() if len(units) == 1 else ""}


def _difference(interval: Interval) -> dict[str, Any]:
    return {"difference": number(interval.value), "low": number(interval.low), "high": number(interval.high),
            "excludes_0": bool(interval.low > 0 or interval.high < 0)}  # fmt: skip


def _sign_test(differences: np.ndarray) -> dict[str, Any]:
    """Return the exact McNemar test: among sentences with a difference, are both directions equally likely?"""
    more, fewer = int((differences > 0).sum()), int((differences < 0).sum())
    p = float(binomtest(more, more + fewer).pvalue) if more + fewer else 1.0
    return {"more": more, "fewer": fewer, "p": p}
