"""Build the staged tree that Jupyter Book reads: book sources, executed notebooks with a parameter box, generated tables."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.paths import BOOK, BUILD, NOTEBOOKS, RESULTS, ROOT
from harness.publish import bench_page, imports_picture, leaderboard
from harness.publish.chapter_map import with_map
from harness.publish.hosting import repository_url, run_elsewhere
from harness.publish.markup import literal
from harness.publish.parameters import Parameter, declared
from harness.publish.schematics import with_drawings
from harness.store import read_json

STAGE = BUILD / "stage"
EXECUTED = BUILD / "executed"
FAULTS = RESULTS / "faults.json"  # tests/faults writes it
LOCAL = "127.0.0.1: "  # every message starts with the address of the server
FAULT_PAGE = Path("reference", "faults.md")
FLOOR_PAGE, FLOOR_PICTURE = Path("reference", "architecture.md"), Path("reference", "architecture_imports.md")
CONTRIBUTING, CONTRIBUTING_PAGE = ROOT / "CONTRIBUTING.md", Path("reference", "contributing.md")
SECURITY, SECURITY_PAGE = ROOT / "SECURITY.md", Path("reference", "security.md")
FAULT_TABLE = Path("reference", "faults_table.md")  # which that page includes
# A whole page that Sphinx only copies (`html_extra_path` of _config.yml); the landing page links to it.
REPORT, REPORT_PAGE = RESULTS / "quickstart" / "report.html", Path("_extra", "quickstart-report.html")
LANDING_PAGE = Path("index.md")
LEADER_PAGE, LEADER_TABLES = Path("reference", "leaderboard.md"), Path("reference", "leaderboard_tables.md")
BENCH_PAGE, BENCH_TABLES = Path("reference", "benchmarks.md"), Path("reference", "benchmarks_tables.md")


def stage() -> list[Path]:
    """Update ``_build/stage``; unchanged files keep their modification time, so Sphinx skips them.

    Returns
    -------
    list of Path
        Files written or removed.

    Raises
    ------
    DataError
        If the page of faults or of benchmarks has no results to show, the quickstart has no report, or a file in ``data/results/``
        is not a valid result.
    """
    wanted: dict[Path, bytes] = {
        path.relative_to(BOOK): path.read_bytes()
        for path in sorted(BOOK.rglob("*"))
        if path.is_file() and not any(part.startswith((".", "__")) for part in path.relative_to(BOOK).parts)
    }
    for executed in sorted(EXECUTED.glob("*.ipynb")):
        source = NOTEBOOKS / executed.name
        if source.is_file():
            page = with_box(read_json(executed), declared(source), executed.stem)
            wanted[Path("notebooks", executed.name)] = _dump(page)
    if FAULT_PAGE in wanted:
        wanted[FAULT_TABLE] = fault_table(_faults(FAULTS)).encode()
    if BENCH_PAGE in wanted:
        wanted[BENCH_TABLES] = bench_page.tables().encode()
    if REPORT_PAGE.name.encode() in wanted.get(LANDING_PAGE, b""):
        wanted[REPORT_PAGE] = _report()
    if LEADER_PAGE in wanted:
        wanted[LEADER_TABLES] = leaderboard.page().encode()
    if FLOOR_PAGE in wanted:
        wanted[FLOOR_PICTURE] = imports_picture.page().encode()
        wanted[CONTRIBUTING_PAGE] = CONTRIBUTING.read_bytes()
        wanted[SECURITY_PAGE] = SECURITY.read_bytes()
    return _sync(wanted)


def _report() -> bytes:
    if not REPORT.is_file():
        raise DataError(
            "the quickstart has no report",
            path=REPORT,
            remedy="run `harness run data/experiments/quickstart.yaml` and `harness report _build/results/quickstart`",
        )
    return REPORT.read_bytes()


def _sync(wanted: dict[Path, bytes]) -> list[Path]:
    changed = []
    present = {path.relative_to(STAGE) for path in STAGE.rglob("*") if path.is_file()} if STAGE.is_dir() else set()
    for stale in present - wanted.keys():
        (STAGE / stale).unlink()
        changed.append(STAGE / stale)
    for name, content in wanted.items():
        target = STAGE / name
        if not target.is_file() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            changed.append(target)
    return changed


def with_box(notebook: dict[str, Any], parameters: dict[str, Parameter], chapter: str) -> dict[str, Any]:
    """Return a copy of an executed notebook as a page: with map, drawings and a parameter box, without parameter cells."""
    page = copy.deepcopy(notebook)
    values = notebook["metadata"].get("papermill", {}).get("parameters", {})
    cells = page["cells"]
    for cell in cells:
        tags = cell["metadata"].setdefault("tags", [])
        if "injected-parameters" in tags or "parameters" in tags:
            tags.append("remove-cell")
        cell["metadata"].pop("papermill", None)  # durations and counts would change the page with every run
        cell["metadata"].pop("execution", None)
        if cell["cell_type"] == "markdown":
            cell["source"] = with_drawings("".join(cell["source"]))
    page["metadata"].pop("papermill", None)
    box = {
        "cell_type": "markdown",
        "id": "parameter-box",
        "metadata": {},
        "source": parameter_box(
            parameters, values, chapter, notebook["metadata"].get("kernelspec", {}).get("name", "python3")
        ),
    }
    cells[0]["source"] = with_map("".join(cells[0]["source"]), chapter)
    cells.insert(1, box)
    return page


def parameter_box(
    parameters: dict[str, Parameter], values: dict[str, Any], chapter: str, kernel: str = "python3"
) -> str:
    """Return the box "Rerun this page": the parameters, commands to copy, and other places where the page runs."""
    rows = [
        f"| `{p.name}` | {p.type} | {_cell(p.meaning)} | `{p.default!r}` | {_cell(p.allowed)} | `{values.get(p.name, p.default)!r}` |"
        for p in parameters.values()
    ]
    other = next((line for p in parameters.values() if p.name != "profile" and (line := _another_value(p))), "")
    return "\n".join(
        [
            ":::{admonition} Rerun this page with other parameters",
            ":class: note dropdown parameter-box",
            "",
            "| name | type | meaning | default | allowed | here |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            "```bash",
            f".venv/bin/papermill notebooks/{chapter}.ipynb out.ipynb{other}",
            f'make chapter N={chapter[:2]} ARGS="{other.strip()}"   # the same, into a separate results folder',
            "```",
            *run_elsewhere(chapter, kernel, repository_url()),
            ":::",
        ]
    )


def fault_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of faults with a sentence that counts them, as Markdown; text from the results is never markup."""
    lines = [
        f"| {literal(row['fault'])} | {literal(row['server'])} | {row['requests']} | {row['waited']:g} | "
        f"{literal(row['message'].removeprefix(LOCAL) or 'speech, after ' + _requests(row['requests']))} |"
        for row in rows
    ]
    failed = sum(bool(row["message"]) for row in rows)
    return "\n".join(
        [
            f"{len(rows)} faults were tried: {len(rows) - failed} ended in speech, {failed} in one explained failure.",
            "",
            "| fault | what the server did | requests | waits, s | result |",
            "| --- | --- | --- | --- | --- |",
            *lines,
            "",
        ]
    )


def _faults(path: Path) -> list[dict[str, Any]]:
    """Return the rows that the fault tests have written."""
    remedy = "run: .venv/bin/doit faults"
    if not path.is_file():
        raise DataError("the fault tests have not run", path=path, remedy=remedy)
    if rows := read_json(path).get("rows"):
        return rows
    raise DataError("expected the results of the fault tests, found no rows", path=path, remedy=remedy)


def _requests(count: int) -> str:
    return f"{count} request{'s' if count > 1 else ''}"


def _another_value(parameter: Parameter) -> str:
    """Return a papermill option that changes `parameter`; empty if its declaration names no other value."""
    others: tuple[Any, ...] = parameter.choices or tuple(v for v in (parameter.low, parameter.high) if v is not None)
    value = next((other for other in others if str(other) != str(parameter.default)), None)
    if value is None:
        return ""
    return f" -p {parameter.name} {int(value) if parameter.type == 'int' else value}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _dump(notebook: dict[str, Any]) -> bytes:
    return (json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()
