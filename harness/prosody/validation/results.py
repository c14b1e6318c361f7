"""Write and read the result file of a validation: its figures with their provenance, and nothing of the recordings.

The recordings may not be redistributed, and the labels belong to them. So a result file keeps no words, labels or scores of single
recordings, and the book shows its figures only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import DataError
from harness.paths import DATA
from harness.provenance import git_state, machine, package_versions
from harness.reading import first_problem
from harness.store import read_json, write_json

SCHEMA = "harness.validation_result/1"
NAMES = ("todi", "emphassess")
FOLDER = DATA / "results"
_NOT_KEPT = ("schema", "folder", "clips", "problems")

Role = Literal["detector", "baseline", "listener"]
Share = float | None


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Provenance(_Row):
    """How a validation was measured."""

    created: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}")
    machine: str = Field(min_length=1, max_length=200)
    packages: dict[str, str]
    git_revision: str


class Area(_Row):
    """One row of the table of AUCs."""

    contrast: str = Field(min_length=1, max_length=80)
    cue: str = Field(min_length=1, max_length=80)
    role: Role
    auc: Share = Field(ge=0, le=1)
    low: Share = Field(ge=0, le=1)
    high: Share = Field(ge=0, le=1)
    positive: int = Field(ge=0)
    negative: int = Field(ge=0)
    recordings: int = Field(ge=0)


class Top(_Row):
    """One row of the table of highest words."""

    cue: str = Field(min_length=1, max_length=80)
    role: Role
    hits: int = Field(ge=0)
    recordings: int = Field(ge=0)
    rate: Share = Field(ge=0, le=1)
    low: Share = Field(ge=0, le=1)
    high: Share = Field(ge=0, le=1)
    chance: Share = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _counted(self) -> Top:
        if self.hits > self.recordings:
            raise ValueError(f"{self.hits} hits in {self.recordings} recordings")
        return self


class ValidationResult(_Row):
    """The fields of a result file that chapter 10 shows."""

    schema_: Literal["harness.validation_result/1"] = Field(alias="schema")
    set: str = Field(min_length=1, max_length=80)
    provenance: Provenance
    recordings: dict[Literal["all", "scored", "unmeasurable", "distinct"], int]
    words: int = Field(ge=0)
    auc: list[Area] = Field(min_length=1)
    top1: list[Top]


def write_result(figures: Mapping[str, Any], target: Path) -> Path:
    """Write the figures of a validation, without its recordings, as a result file.

    Parameters
    ----------
    figures : mapping
        From `harness.prosody.validation.validate`, with the name of the ``set``.
    target : Path
    """
    kept = {name: value for name, value in figures.items() if name not in _NOT_KEPT}
    provenance = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(), "packages": package_versions(), "git_revision": git_state()[0],
    }  # fmt: skip
    write_json(target, {"schema": SCHEMA, "provenance": provenance, **kept})
    return target


def load_result(path: Path) -> ValidationResult:
    """Read a result file after checking its schema.

    Raises
    ------
    DataError
        If the file does not match; the message names the file and the field.
    """
    try:
        return ValidationResult.model_validate(read_json(path))
    except ValidationError as error:
        raise DataError(first_problem(error, "file")[0], path=path,
                        remedy="write it with `harness validate NAME --result FILE`, and do not edit it") from error  # fmt: skip


def load_published(folder: Path = FOLDER) -> dict[str, ValidationResult]:
    """Return the committed results of the published sets (``validation_NAME.json``) by name; see `load_result` for the errors."""
    return {name: load_result(folder / f"validation_{name}.json") for name in NAMES}
