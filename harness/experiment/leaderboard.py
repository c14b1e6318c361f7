"""Compare runs and result files: a row for each engine and tagger, in groups that spoke or tagged the same sentences.

Rates on different sentences cannot be compared, so a group is one table: the same sentence set, in the same version and number, with
the tags of the same tagger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.benchmark.rows import select
from harness.datasets import sha256
from harness.errors import DataError
from harness.experiment.folder import is_complete
from harness.experiment.result_files import (
    FOLDER,
    OTHERS,
    SCHEMA,
    ResultFile,
    TaggerFigures,
    result_of,
    validate_result,
)
from harness.experiment.sentences import EXAMPLES, SETS, sentences_file
from harness.experiment.spec import GOLD, LEAK, NEGATIVE, EngineSpec
from harness.experiment.stored_clips import check_clips
from harness.paths import relative
from harness.store import read_json
from harness.tagged import TAGS

PLACEMENT = "harness.placement_benchmark/1"
ANNOTATION = "second pass"  # another annotation of the same sentences, and not a tagger
ROLES = {NEGATIVE: "not sent the tags"}


@dataclass(frozen=True)
class Source:
    """A run or result file: where it is, its content, and how many of its stored clips were scored again (None: not tried)."""

    path: str
    result: ResultFile
    checked: int | None = None


@dataclass(frozen=True)
class Sources:
    """What the leaderboard shows: runs, placement benchmarks, and files of `data/results` that are neither."""

    runs: list[Source] = field(default_factory=list)
    placements: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def load_sources(paths: Sequence[str | Path] = (), *, check: bool = True) -> Sources:
    """Read run folders and result files.

    Parameters
    ----------
    paths : sequence of path-like
        Run folders and files; all files of ``data/results/`` by default.
    check : bool
        Whether to score the clips that are stored with the files again.

    Raises
    ------
    DataError
        If a folder is not a finished run, a file is not a result, counts and rates of a file do not agree, or a stored clip does not
        have the verdict that the file gives it.
    """
    found = Sources()
    for path in map(Path, paths or sorted(FOLDER.glob("*.json"))):
        if path.is_dir():
            if not is_complete(path):
                raise DataError("this folder does not contain a finished run", path=path,
                                remedy="pass the folder that `harness run` wrote, or the file of its --result")  # fmt: skip
            found.runs.append(Source(relative(path), validate_result(result_of(path), path)))
            continue
        fields = read_json(path)
        schema = fields.get("schema")
        if schema == PLACEMENT:
            found.placements.append((relative(path), fields))
        elif schema in OTHERS:
            found.others.append(relative(path))
        else:
            result = validate_result(fields, path)
            _check_counts(result, path)
            found.runs.append(Source(relative(path), result, check_clips(result, path) if check else None))
    return found


def _check_counts(result: ResultFile, path: Path) -> None:
    """Check what the schema of old files does not: verdicts add up to the number of tags, and the rates follow from them."""
    for engine, figures in result.engines.items():
        for tag, row in figures.per_tag.items():
            if not row.adds_up:
                raise DataError(
                    f"{engine}, {tag.value}: the counts of verdicts do not give n = {row.n} and a hit rate of {row.hit_rate}",
                    path=path, remedy=f"write the file with `harness run ... --result FILE` ({SCHEMA}), and do not edit it",
                )  # fmt: skip


def leaderboard(sources: Sources) -> dict[str, Any]:
    """Return the rows of all engines and taggers by sentence set.

    Returns
    -------
    dict
        ``engines`` and ``taggers``: groups with ``title``, ``sentences``, ``codes`` (versions of the scoring code, if known) and
        ``rows``. The rows of a group are in the order of their ``mean`` or ``f1``. A row of an engine has ``per_tag`` (rates with
        intervals, and placebos), the ``mean`` of its hit rates over the tags, where a tag that it cannot express counts as 0,
        ``placebo`` over all tags, ``end_to_end`` for each tagger, and where it comes from. Groups of more rows come first. Engines that
        were made to read tags aloud, to test the leak check, are left out.
    """
    engines: dict[tuple, list[dict[str, Any]]] = {}
    taggers: dict[tuple, list[dict[str, Any]]] = {}
    for source in sources.runs:
        result, where, version = source.result, _where(source), _version(source)
        specs = _specs(result.provenance.parameters)
        for title, figures in result.engines.items():
            spec = specs.get(title)
            if spec and spec.role == LEAK:
                continue
            row = _engine_row(title, source, spec) | where
            key = (result.spoken, row["sentences"], version, figures.tagger, tuple(row["per_tag"]))
            engines.setdefault(key, []).append(row)
        texts = result.texts or result.sentences
        for title, score in result.taggers.items():
            taggers.setdefault((result.spoken, texts, version), []).append(_tagger_row(title, score) | where)
    for path, fields in sources.placements:
        try:
            for one in select(fields["rows"], "set"):
                row = _tagger_row(one["parameters"]["tagger"], TaggerFigures.model_validate(one["figures"]))
                made = one["provenance"]
                row |= {"date": made["date"], "from": path, "machine": made["machine"], "code": made["code"]}
                taggers.setdefault((one["parameters"]["examples"], one["figures"]["sentences"], ""), []).append(row)
        except (KeyError, TypeError, ValidationError) as error:
            raise DataError("not the result of a placement benchmark", path=path,
                            remedy="write it with `harness benchmark suite`") from error  # fmt: skip
    return {
        "engines": [
            _group(_named(key) + ("" if key[3] == GOLD else f", tagged by {key[3]}"), key[1], rows, "mean")
            | {"tags": list(key[4])}
            for key, rows in _ordered(engines)
        ],
        "taggers": [_group(_named(key), key[1], rows, "f1") for key, rows in _ordered(taggers)],
    }


def _ordered(groups: Mapping[tuple, list[dict[str, Any]]]) -> list[tuple[tuple, list[dict[str, Any]]]]:
    return sorted(groups.items(), key=lambda item: (-len(item[1]), -item[0][1], tuple(map(str, item[0]))))


def _named(key: tuple) -> str:
    name, sentences, version, *_ = key
    return f"{name}{f', version {version}' if version else ''}, {sentences} {'sentence' if sentences == 1 else 'sentences'}"


def _group(title: str, sentences: int, rows: list[dict[str, Any]], by: str) -> dict[str, Any]:
    rows.sort(
        key=lambda row: (bool(row["note"]) and by == "f1", -(row[by] if row[by] is not None else -1), row["name"])
    )
    codes = sorted({row["code"] for row in rows if row["code"]})
    return {"title": title, "sentences": sentences, "codes": codes, "rows": rows}


def _version(source: Source) -> str:
    """Return what distinguishes sentences of the same name: nothing for a bundled set in its present version.

    A file of the user's own is known by its checksum. Result files from before that was recorded are not compared with others.
    """
    name = source.result.spoken
    known = next(iter(source.result.provenance.data.values()), "")
    if name in SETS or name in EXAMPLES:
        return "" if known in ("", sha256(sentences_file(name))) else known[:8]
    return known[:8] or f"unknown, in {source.path}"


def _where(source: Source) -> dict[str, Any]:
    made = source.result.provenance
    return {
        "date": made.date,
        "from": source.path,
        "machine": made.machine,
        "harness": made.harness,
        "code": source.result.code,
    }


def _tagger_row(title: str, score: TaggerFigures) -> dict[str, Any]:
    note = "another annotation" if title == ANNOTATION else ""
    return {"name": title, "note": note, "f1": score.micro.f1, "low": score.micro.f1_low, "high": score.micro.f1_high}


def _engine_row(title: str, source: Source, spec: EngineSpec | None) -> dict[str, Any]:
    result = source.result
    figures = result.engines[title]
    raw = {tag.value: row for tag in TAGS if (row := figures.per_tag.get(tag))}
    per_tag = {
        name: {
            "n": row.n, "hit": row.hit, "not_expressible": row.not_expressible, "hit_rate": row.hit_rate, "low": row.low,
            "high": row.high, "placebo_n": row.placebo_n, "placebo": row.false_positive,
        }
        for name, row in raw.items()
    }  # fmt: skip
    rates = [0.0 if row.hit_rate is None and row.not_expressible else row.hit_rate for row in raw.values()]
    known = [rate for rate in rates if rate is not None]
    placebos = sum(row.placebo_n for row in raw.values())
    fired = sum(row.placebo_n * (row.false_positive or 0) for row in raw.values())
    stored = [one for one in result.stored if one.engine == title]
    limit = spec.limit if spec and spec.limit else result.sentences
    return {
        "name": title,
        "note": ROLES.get(spec.role, "") if spec else "",
        "revision": result.provenance.revisions.get(title, ""),
        "sentences": min(limit, result.sentences),
        "mean": sum(known) / len(known) if known else None,
        "per_tag": per_tag,
        "placebo": {"n": placebos, "rate": fired / placebos if placebos else None},
        "end_to_end": {
            tagger: {name: list(one.readings[reading]) for name, reading in
                     (("f1", "joint f1"), ("recall", "joint recall"), ("precision", "joint precision"))}
            for tagger, one in figures.end_to_end.items() if tagger != GOLD
        },
        "clips": {"stored": len(stored), "checked": None if source.checked is None else len(stored)},
    }  # fmt: skip


def _specs(parameters: Mapping[str, Any]) -> dict[str, EngineSpec]:
    """Return the engines of an experiment by title, as far as they can be read."""
    found = {}
    for one in parameters.get("engines") or ():
        try:
            spec = EngineSpec.model_validate(one)
        except ValidationError:
            continue
        found[spec.title] = spec
    return found
