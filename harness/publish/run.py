"""Start a notebook: check its parameters, and give it a results folder for exactly these parameters."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.paths import RESULTS
from harness.publish.parameters import check_values, declared, notebook_path, profile_values
from harness.records import digest
from harness.store import write_json

NUMBERS = "numbers.json"


@dataclass(frozen=True)
class ChapterRun:
    """One execution of a chapter with one set of parameters."""

    chapter: str
    parameters: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Results folder; each set of parameters has a separate one."""
        return results_folder(self.chapter, self.parameters)

    def save(self, name: str, value: Mapping[str, Any]) -> Path:
        """Write a JSON result into the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / name, dict(value))
        return self.folder / name

    def numbers(self, **values: Any) -> None:
        """Publish figures for the book: page text refers to them as ``{{ chNN.name }}``."""
        self.save(NUMBERS, values)


def results_folder(chapter: str, parameters: Mapping[str, Any]) -> Path:
    """Return the folder for the results of a chapter with these parameters."""
    key = digest(*(f"{name}={value!r}" for name, value in sorted(parameters.items())), length=8)
    return RESULTS / f"{chapter}-{key}"


def finished(notebook: Path, profile: str) -> Path:
    """Return the results folder that a notebook has left when it ran with a profile's parameters.

    Raises
    ------
    DataError
        If it has not run.
    """
    folder = results_folder(notebook.stem, check_values(declared(notebook), profile_values(profile), notebook.stem))
    if not (folder / NUMBERS).is_file():
        number = notebook.stem[:2]
        raise DataError(
            f"chapter {number} has not been run", path=folder, remedy=f"make chapter N={number}, or make book"
        )
    return folder


def begin(chapter: str, namespace: Mapping[str, Any]) -> ChapterRun:
    """Start a chapter: check the values in the notebook's namespace against its `parameters` cell.

    Call it in the cell after the parameters, as ``run = begin("07_tag_placement", globals())``. Papermill only
    prints a notice when it injects a parameter that a notebook does not know; here it is an error, before anything runs.

    Raises
    ------
    ParameterError
        For an unknown name or a value that does not fit.
    """
    # tqdm looks for ipywidgets, which this project leaves out: its notebook bars would fetch scripts from another host.
    warnings.filterwarnings("ignore", message="IProgress not found")
    path = notebook_path(chapter)
    return ChapterRun(path.stem, check_values(declared(path), _injected(namespace), chapter))


def _injected(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values in the notebook's namespace, which the parameter cells have set so far."""
    shell = namespace["get_ipython"]() if "get_ipython" in namespace else None
    hidden = set(shell.user_ns_hidden) if shell is not None else set()
    plain = (str, int, float, bool, list, dict, tuple, type(None))
    return {
        name: value
        for name, value in namespace.items()
        if not name.startswith("_") and name not in hidden and isinstance(value, plain)
    }
