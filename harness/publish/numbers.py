"""Numbers in prose: the numbers that chapters publish, collected under short names.

A chapter calls ``run.numbers(f1="0.42", ...)``; a page writes ``{{ ch07.f1 }}``. A name that no run published stops the
build, so prose can neither go stale nor be typed by hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.experiment.folder import is_complete
from harness.paths import BUILD, NOTEBOOKS, RESULTS
from harness.publish.run import NUMBERS, finished
from harness.publish.tables import interval, rate_of
from harness.store import read_json, write_json

COLLECTED = BUILD / "numbers.json"
QUICKSTART = RESULTS / "quickstart"


def collect(profile: str = "ci") -> dict[str, Any]:
    """Collect the numbers of all chapters under `profile`, and write them for the site.

    Raises
    ------
    DataError
        If a chapter has not been run with the profile's parameters.
    """
    gathered: dict[str, Any] = {}
    for notebook in sorted(NOTEBOOKS.glob("*.ipynb")):
        gathered[f"ch{notebook.stem[:2]}"] = read_json(finished(notebook, profile) / NUMBERS)
    if is_complete(QUICKSTART):
        gathered["quickstart"] = _run_numbers(read_json(QUICKSTART / "summary.json"))
    write_json(COLLECTED, gathered)
    return gathered


def _run_numbers(summary: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of a run's summary that prose quotes."""
    [(engine, figures)] = summary["engines"].items()
    numbers: dict[str, Any] = {"sentences": summary["sentences"], "engine": engine}
    for tagger, both in figures["end_to_end"].items():
        for rate in ("recall", "precision"):
            numbers[f"{tagger}_{rate}"] = interval(*rate_of(both, rate))
    return numbers


def load(path: Path = COLLECTED) -> dict[str, Any]:
    """Return the collected numbers, for the substitutions of the site."""
    return read_json(path)
