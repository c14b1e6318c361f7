"""The page of benchmarks: the measurements of `make bench` on this machine, or else those of the last publication."""

from __future__ import annotations

from harness.errors import DataError
from harness.paths import DATA, RESULTS
from harness.publish.markup import literal
from harness.store import read_json

SCHEMA = "harness.bench/2"
HERE = RESULTS / "bench.json"  # `make bench` writes it
PUBLISHED = DATA / "results" / "bench.json"


def tables() -> str:
    """Return the tables of the page as Markdown, with the machine and the date of each group.

    ``tests/bench`` writes the file; its groups can be measured separately, so each has its own date and revision.

    Raises
    ------
    DataError
        If the file has another schema.
    """
    path = HERE if HERE.is_file() else PUBLISHED
    if not path.is_file():
        return "Not run here. To measure: `make bench`.\n"
    found = read_json(path)
    if found.get("schema") != SCHEMA:
        raise DataError(
            f"the schema must be {SCHEMA!r}, got {found.get('schema')!r}", path=path, remedy="run: make bench"
        )
    where = "this machine" if path == HERE else "the machine of the last publication"
    lines = [f"Measured on {where}: {literal(found['machine'])}."]
    for group in found["groups"]:
        lines += [
            "",
            f"## {literal(group['title'])}",
            "",
            f"{literal(group['created'][:10])}, revision {literal(group['git_revision'][:7])}.",
            "",
            "| what | time | ratio | compared with | note |",
            "| --- | --- | --- | --- | --- |",
        ]
        for row in group["rows"]:
            ratio = "" if row["ratio"] is None else f"{row['ratio']:.3g} ×"
            time, ratio = (cell.replace(" ", "\N{NO-BREAK SPACE}") for cell in (duration(row["seconds"]), ratio))
            lines.append(
                f"| {literal(row['what'])} | {time} | {ratio} | {literal(row['against'])} | {literal(row['note'])} |"
            )
    return "\n".join([*lines, ""])


def duration(value: float) -> str:
    """Format seconds with a suitable unit: 4.1 ms, 2.53 s, 11.4 min."""
    if value < 0.1:
        return f"{1000 * value:.3g} ms"
    return f"{value:.3g} s" if value < 120 else f"{value / 60:.3g} min"
