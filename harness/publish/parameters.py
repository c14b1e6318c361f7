"""Read the `parameters` cell of a notebook, and check values against it.

A declaration is one line, for instance::

    tagger: str = "gpt2"  # Which tagger to score {gpt2, rules, majority}
    epochs: int = 20  # Passes over the training examples [1..200]

The annotation is the type, the comment the meaning; braces list the allowed values, brackets an inclusive range.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataError, HarnessError
from harness.paths import NOTEBOOKS
from harness.reading import read_yaml

TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
PROFILES = ("ci", "full")
_CHOICES = re.compile(r"\s*\{([^}]*)\}\s*$")
_RANGE = re.compile(r"\s*\[([-\d.e]+)\.\.([-\d.e]+)\]\s*$")


class ParameterError(HarnessError):
    """An unknown parameter, or a value that does not fit its declaration."""


@dataclass(frozen=True)
class Parameter:
    """One declared parameter of a notebook."""

    name: str
    type: str
    default: Any
    meaning: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    @property
    def allowed(self) -> str:
        """The allowed values, for people."""
        if self.choices:
            return ", ".join(self.choices)
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}"
        return "true, false" if self.type == "bool" else "any"

    def check(self, value: Any) -> Any:
        """Return `value` if it fits the declaration (an int is accepted for a float).

        Raises
        ------
        ParameterError
            If it does not fit; the message lists what is allowed.
        """
        wanted: type[Any] = TYPES[self.type]
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not wanted:
            raise ParameterError(f"parameter {self.name!r} is {value!r} ({type(value).__name__}), but must be of type "
                                 f"{self.type}", remedy=f"allowed: {self.allowed}; default: {self.default!r}")  # fmt: skip
        fits_choice = not self.choices or str(value) in self.choices
        fits_range = self.low is None or self.high is None or self.low <= value <= self.high
        if not (fits_choice and fits_range):
            raise ParameterError(f"parameter {self.name!r} is {value!r}", remedy=f"allowed: {self.allowed}")
        return value


def notebook_path(chapter: str) -> Path:
    """Return the notebook of a chapter, given as ``07`` or ``07_tag_placement``.

    Raises
    ------
    HarnessError
        If there is none; the message lists all chapters.
    """
    every = sorted(NOTEBOOKS.glob("*.ipynb"))
    found = [path for path in every if chapter in (path.stem, path.stem.split("_")[0])]
    if len(found) != 1:
        names = ", ".join(path.stem for path in every)
        raise HarnessError(f"no chapter is called {chapter!r}", remedy=f"choose one of: {names}")
    return found[0]


def declared(notebook: Path) -> dict[str, Parameter]:
    """Return the parameters that a notebook declares, by name, in order.

    Raises
    ------
    DataError
        If the notebook has no `parameters` cell, or a line of it is not a declaration.
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if "parameters" in cell["metadata"].get("tags", []):
            return parse_declarations("".join(cell["source"]), notebook)
    raise DataError("the notebook has no cell tagged `parameters`", path=notebook)


def parse_declarations(source: str, path: Path) -> dict[str, Parameter]:
    """Read declarations; see `declared`."""
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or node.value is None:
            raise DataError("not a declaration", path=path, line=node.lineno,
                            remedy="parameters look like: epochs: int = 20  # Passes [1..200]")  # fmt: skip
        kind = ast.unparse(node.annotation)
        if kind not in TYPES:
            raise DataError(f"parameter {node.target.id!r} has the type {kind}", path=path, line=node.lineno,
                            remedy=f"types are: {', '.join(TYPES)}")  # fmt: skip
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        meaning = " ".join(comments[line] for line in lines if line in comments)
        choices: tuple[str, ...] = ()
        low = high = None
        if match := _CHOICES.search(meaning):
            choices = tuple(choice.strip() for choice in match.group(1).split(","))
        elif match := _RANGE.search(meaning):
            low, high = float(match.group(1)), float(match.group(2))
        if match:
            meaning = meaning[: match.start()]
        if not meaning:
            raise DataError(f"parameter {node.target.id!r} has no comment that says what it means", path=path,
                            line=node.lineno)  # fmt: skip
        parameter = Parameter(node.target.id, kind, ast.literal_eval(node.value), meaning, choices, low, high)
        parameter.check(parameter.default)
        found[parameter.name] = parameter
    return found


def check_values(parameters: Mapping[str, Parameter], values: Mapping[str, Any], chapter: str) -> dict[str, Any]:
    """Return all parameters of a chapter: the declared defaults, overridden by `values`.

    A profile file is shared by all chapters, so a name that this chapter does not declare is accepted if the current
    profile sets it to exactly this value. Every other unknown name is an error.

    Raises
    ------
    ParameterError
    """
    profile = values.get("profile", parameters["profile"].default if "profile" in parameters else "ci")
    shared = profile_values(profile) if profile in PROFILES else {}
    result = {name: parameter.default for name, parameter in parameters.items()}
    for name, value in values.items():
        if name in parameters:
            result[name] = parameters[name].check(value)
        elif name not in shared or shared[name] != value:
            raise ParameterError(f"chapter {chapter} has no parameter {name!r}",
                                 remedy=f"its parameters are: {', '.join(parameters)}")  # fmt: skip
    return result


def profile_values(profile: str) -> dict[str, Any]:
    """Return the values that ``notebooks/parameters/PROFILE.yaml`` sets for all chapters."""
    path = NOTEBOOKS / "parameters" / f"{profile}.yaml"
    if not path.is_file():
        raise HarnessError(f"no profile is called {profile!r}", remedy=f"choose one of: {', '.join(PROFILES)}")
    return read_yaml(path)[0] or {}
