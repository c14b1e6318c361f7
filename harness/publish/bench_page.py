"""The page of benchmarks: what `make bench` measured on this machine, else what was measured when the book was last published."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import DataError
from harness.paths import DATA, RESULTS
from harness.publish.markup import literal
from harness.reading import first_problem
from harness.store import read_json

SCHEMA = "harness.bench/2"
HERE = RESULTS / "bench.json"  # `make bench` writes it
PUBLISHED = DATA / "results" / "bench.json"


class Row(BaseModel):
    """One measurement; see ``tests/bench/table.py``."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    what: str
    seconds: float = Field(ge=0)
    against: str
    ratio: float | None
    note: str


class Group(BaseModel):
    """Rows under one heading; groups can be measured separately, so each has its own date and revision."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    created: str
    git_revision: str
    rows: list[Row]


class Benchmarks(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Literal["harness.bench/2"] = Field(alias="schema")
    machine: str
    packages: dict[str, str]
    groups: list[Group]


def tables() -> str:
    """Return the tables of the page as Markdown, with the machine and the date of each group.

    Raises
    ------
    DataError
        If the file does not fit the schema.
    """
    path = HERE if HERE.is_file() else PUBLISHED
    if not path.is_file():
        return "Not run here. To measure: `make bench`.\n"
    fields = read_json(path)
    try:
        found = Benchmarks.model_validate(fields)
    except ValidationError as error:
        raise DataError(f"these are no benchmarks: {first_problem(error, 'file')[0]}", path=path,
                        remedy="run: make bench") from error  # fmt: skip
    return as_markdown(found, path)


def as_markdown(found: Benchmarks, path: Path) -> str:
    """Format the benchmarks as Markdown; see `tables`."""
    where = "this machine" if path == HERE else "the machine of the last publication"
    lines = [f"Measured on {where}: {literal(found.machine)}."]
    for group in found.groups:
        lines += [
            "",
            f"## {literal(group.title)}",
            "",
            f"{literal(group.created[:10])}, revision {literal(group.git_revision[:7])}.",
            "",
            "| what | time | ratio | beside | note |",
            "| --- | --- | --- | --- | --- |",
        ]
        for row in group.rows:
            ratio = "" if row.ratio is None else f"{row.ratio:.3g} ×"
            time, ratio = (cell.replace(" ", "\N{NO-BREAK SPACE}") for cell in (duration(row.seconds), ratio))
            cells = (literal(row.what), time, ratio, literal(row.against), literal(row.note))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def duration(value: float) -> str:
    """Format seconds with a suitable unit: 4.1 ms, 2.53 s, 11.4 min."""
    if value < 0.1:
        return f"{1000 * value:.3g} ms"
    return f"{value:.3g} s" if value < 120 else f"{value / 60:.3g} min"
