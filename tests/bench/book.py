"""Builds of the book: from nothing, without changes, and with one changed page."""

from __future__ import annotations

import shutil
import subprocess

from harness.paths import BOOK, BUILD, ROOT
from tests.bench.table import Row, compared, seconds

DOIT = [str(ROOT / ".venv" / "bin" / "doit"), "site"]
MADE = ("models", "executed", "stage", "html", ".doctrees", "results")
PAGE = BOOK / "howto" / "data.md"


def build() -> None:
    """Build the book like `make book`, without the environments."""
    done = subprocess.run(DOIT, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the book does not build: {(done.stdout + done.stderr)[-2000:]}")


def with_changed_page() -> float:
    """Return the seconds of a build after a change of one prose page, which is restored."""
    before = PAGE.read_text()
    try:
        PAGE.write_text(before + "\n<!-- changed by the benchmark -->\n")
        return seconds(build)
    finally:
        PAGE.write_text(before)
        build()


def rows() -> list[Row]:
    """Return all rows of this group. Results of other commands in ``_build/results`` are restored."""
    aside = BUILD / ".bench-results"
    shutil.rmtree(aside, ignore_errors=True)
    (BUILD / "results").mkdir(parents=True, exist_ok=True)
    (BUILD / "results").rename(aside)
    try:
        (BUILD / ".doit.json").unlink(missing_ok=True)
        for folder in MADE:
            shutil.rmtree(BUILD / folder, ignore_errors=True)
        base = Row("make book, cold (environments exist)", seconds(build))
    finally:
        for kept in aside.iterdir() if aside.is_dir() else ():
            if not (BUILD / "results" / kept.name).exists():
                (BUILD / "results").mkdir(parents=True, exist_ok=True)
                kept.rename(BUILD / "results" / kept.name)
        shutil.rmtree(aside, ignore_errors=True)
    build()  # with the restored results, which the page of benchmarks shows
    return [
        base,
        compared(base, "make book, nothing changed", seconds(build)),
        compared(base, "make book, one prose page changed", with_changed_page()),
    ]
