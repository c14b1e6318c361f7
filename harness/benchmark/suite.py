"""The benchmark suite: its list of measurements, a resumable run, and one result file with provenance.

Each measurement is saved as soon as it is done, under a name that depends on its parameters, the code and the data. An
interrupted run therefore resumes where it stopped, and changed code starts a new run.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.benchmark import sets
from harness.benchmark.helsinki import threads
from harness.benchmark.units import KINDS
from harness.datasets import sha256
from harness.errors import HarnessError, NotAvailable
from harness.paths import BUILD, DATA
from harness.provenance import code_digest as package_digest
from harness.provenance import git_state
from harness.records import digest
from harness.store import read_json, write_json
from harness.taggers.lm.base_model import has_smollm2

RESULT = DATA / "results" / "placement.json"
SCHEMA = "harness.placement_benchmark/1"
CURVE = (10, 25, 50, 98, 1000)
_PACKAGES = ("torch", "transformers", "peft", "scikit-learn", "numpy")


@dataclass(frozen=True)
class Unit:
    """One measurement: its kind and its parameters."""

    kind: str
    parameters: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Description of the measurement in one line."""
        return " ".join([self.kind, *(f"{key}={value}" for key, value in self.parameters.items())])


def units(seeds: int, bases: Sequence[str] | None = None) -> Iterator[Unit]:
    """Return all measurements, the most informative first.

    Parameters
    ----------
    seeds : int
        Number of seeds for each trained model.
    bases : sequence of str, optional
        Base models; by default the embedded one, and SmolLM2 if it is installed.
    """
    bases = bases or ["embedded", *(["smollm2"] if has_smollm2() else [])]
    small, larger = bases[0], bases[1:]
    yield Unit("agreement", {})
    for tagger in ("majority", "logistic"):
        yield Unit("helsinki", {"tagger": tagger, "base_model": small, "seed": 0})
    for tagger in ("none", "random", "majority", "rules", "logistic", "second pass"):
        yield Unit("heldout", {"tagger": tagger, "base_model": small, "seed": 0})
    for examples in ("development", "heldout", "test"):
        for tagger in (*sets.TAGGERS, sets.SECOND_PASS, *([sets.MORE_EXAMPLES] if examples != "development" else [])):
            yield Unit("set", {"tagger": tagger, "examples": examples})
    for tagger, curves in (("logistic", 5), ("hand_features", 5), ("gpt2", 1)):
        for sentences in sets.CURVE:
            for seed in range(curves):
                yield Unit("curve", {"tagger": tagger, "sentences": sentences, "seed": seed})
    for data in ("embedded", "seed-examples"):
        for tagger in ("none", "random", "rules", "majority", "logistic"):
            for grouped in (True, False) if data == "seed-examples" else (True,):
                yield Unit("crossval", _cv(data, tagger, small, grouped))
    for tagger in ("majority", "logistic", "lm_slots"):
        for sentences in CURVE:
            yield Unit("helsinki", {"tagger": tagger, "base_model": small, "seed": 0, "sentences": sentences})
    yield Unit("decoding", {"base_model": small, "seed": 0})
    for seed in range(seeds):
        for tagger in ("lm_slots", "gpt2"):
            yield Unit("helsinki", {"tagger": tagger, "base_model": small, "seed": seed})
            yield Unit("heldout", {"tagger": tagger, "base_model": small, "seed": seed})
        for base in larger:
            yield Unit("helsinki", {"tagger": "lm_slots", "base_model": base, "seed": seed})
    for data, grouped in (("embedded", True), ("seed-examples", True), ("seed-examples", False)):
        yield Unit("crossval", _cv(data, "gpt2", small, grouped))
    for settings in ablations():
        yield Unit("ablation", {"settings": settings, "seed": 0})
    for base in bases:
        yield Unit("heldout", {"tagger": "lm_features", "base_model": base, "seed": 0})
    yield Unit("crossval", _cv("embedded", "lm_features", small, True))
    for tagger in ("majority", "logistic", "lm_slots"):
        yield Unit("domain", {"tagger": tagger, "base_model": small, "seed": 0})
    yield Unit("crossval", _cv("embedded", "lm_slots", small, True))
    for base in bases:
        yield Unit("helsinki", {"tagger": "lm_features", "base_model": base, "seed": 0})
    for base in larger:
        for tagger in ("gpt2", "lm_slots"):
            yield Unit("heldout", {"tagger": tagger, "base_model": base, "seed": 0})
    for grouped in (True, False):
        yield Unit("crossval", _cv("seed-examples", "lm_slots", small, grouped))


def ablations() -> list[dict[str, Any]]:
    """Return settings of the GPT-2 tagger, each of which differs from the first in one field."""
    plain: dict[str, Any] = {"objective": "read"}
    return [
        plain,
        {**plain, "tag_embeddings": "frozen"},
        {**plain, "tag_embeddings": "modules_to_save"},
        {**plain, "prompt_format": "once"},
        {**plain, "mask_pads": False},
        {**plain, "objective": "both"},
        *({**plain, "lora_rank": rank} for rank in (1, 64)),
    ]


def run(
    chosen: Iterable[Unit],
    folder: Path | None = None,
    *,
    resamples: int = 2000,
    done_only: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[dict]:
    """Run the measurements that have no row yet; each row is written as soon as it is done.

    Parameters
    ----------
    chosen : iterable of Unit
        Measurements.
    folder : Path, optional
        Folder for the rows; ``_build/benchmark`` by default.
    resamples : int
        Number of bootstrap resamples for the intervals.
    done_only : bool
        Whether to measure nothing, and return the existing rows.
    progress : callable, optional
        Called before each unit with its name, the number of finished units and the number of all units.

    Returns
    -------
    list of dict
        ``kind``, ``parameters`` and ``figures`` of each unit, or ``not_run`` with the reason instead of figures.
    """
    folder = folder or BUILD / "benchmark"
    folder.mkdir(parents=True, exist_ok=True)
    code = code_digest()
    rows = []
    wanted = list(chosen)
    for done, unit in enumerate(wanted):
        if progress:
            progress(unit.name, done, len(wanted))
        path = folder / f"{unit.kind}-{digest(code, unit.kind, dict(unit.parameters), resamples, length=16)}.json"
        if done_only and not path.is_file():
            continue
        if not path.is_file():
            row: dict[str, Any] = {"kind": unit.kind, "parameters": dict(unit.parameters)}
            try:
                row["figures"] = KINDS[unit.kind](resamples=resamples, **unit.parameters)
            except NotAvailable as error:
                rows.append({**row, "not_run": str(error)})
                continue
            write_json(path, {**row, "provenance": provenance(code)})
        rows.append(read_json(path))
    return rows


def gather(rows: Sequence[dict], path: Path = RESULT, replace_kinds: Sequence[str] | None = None) -> None:
    """Write rows to a result file for the repository.

    Parameters
    ----------
    rows : sequence of dict
        Result of `run`.
    path : Path
        Result file.
    replace_kinds : sequence of str, optional
        Kinds of rows to replace in an existing file; by default, all of its rows are replaced.
    """
    kept = [row for row in load(path) if row["kind"] not in replace_kinds] if replace_kinds and path.is_file() else []
    write_json(path, {"schema": SCHEMA, "rows": [*kept, *rows]})


def load(path: Path = RESULT) -> list[dict]:
    """Return the rows of a result file.

    Raises
    ------
    HarnessError
        If it is not a result file.
    """
    if not path.is_file():
        raise NotAvailable("there is no result file yet", path=path, remedy="make it: harness benchmark suite")
    content = read_json(path)
    rows = content.get("rows") if content.get("schema") == SCHEMA else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("kind") in KINDS for row in rows):
        raise HarnessError(f"not a result file of the schema {SCHEMA}", path=path,
                           remedy="create a new one: harness benchmark suite")  # fmt: skip
    return rows


def provenance(code: str) -> dict:
    """Return the machine, versions, date and code with which a row was measured."""
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {threads()} threads",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "date": datetime.now(UTC).date().isoformat(),
        "git_revision": git_state()[0],
        "code": code,
    }


def code_digest() -> str:
    """Return a digest of the package code and the embedded data. Rows are kept only for the same code and data."""
    models = (path for path in (DATA / "models").rglob("*") if path.suffix in (".safetensors", ".json"))
    data = [*sorted((DATA / "examples").glob("*.jsonl")), *sorted(models)]
    return digest(package_digest(), *(sha256(path) for path in data))


def _cv(data: str, tagger: str, base_model: str, grouped: bool) -> dict[str, Any]:
    return {"data": data, "tagger": tagger, "base_model": base_model, "seed": 0, "grouped": grouped}
