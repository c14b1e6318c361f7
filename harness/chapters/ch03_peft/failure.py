"""Trace an exception through PEFT to the line that caused it, and inspect the arguments of a forward."""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from inspect import getsource, signature
from pathlib import Path
from typing import Any

from harness.errors import HarnessError


@dataclass(frozen=True)
class Step:
    """One frame of a traceback: `file` from its package on, the statement's first `line`, and its `code`, all lines of it."""

    file: str
    line: int
    function: str
    code: str

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Failure:
    """An exception and its path through PEFT.

    Parameters
    ----------
    exception, message : str
        Class and text.
    steps : tuple of Step
        Frames inside PEFT, outermost first.
    """

    exception: str
    message: str
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return f"{self.exception}: {self.message}"

    @property
    def keyword(self) -> str:
        """Return the refused keyword argument; empty if the message names none."""
        found = re.search(r"unexpected keyword argument '(\w+)'", self.message)
        return found[1] if found else ""

    @property
    def cause(self) -> Step | None:
        """Return the line of PEFT that adds the refused keyword, rather than the innermost one, which only passes it on."""
        if not self.keyword:
            return None
        for step in reversed(self.steps):
            for offset, text in enumerate(step.code.splitlines()):
                if re.search(rf"\b{self.keyword}\s*=", text):
                    return Step(step.file, step.line + offset, step.function, text.strip())
        return None


def attempt(call: Callable[[], Any]) -> Failure | None:
    """Call a function, and return its failure, or None if it succeeds."""
    try:
        call()
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        steps = tuple(_step(frame) for frame in frames if "/site-packages/peft/" in Path(frame.filename).as_posix())
        return Failure(type(error).__name__, str(error), steps)
    return None


def _step(frame: traceback.FrameSummary) -> Step:
    first = frame.lineno or 0
    last = frame.end_lineno or first
    lines = [linecache.getline(frame.filename, number).rstrip() for number in range(first, last + 1)]
    margin = min((len(line) - len(line.lstrip()) for line in lines if line), default=0)
    file = Path(frame.filename).as_posix().rpartition("/site-packages/")[2]
    return Step(file, first, frame.name, "\n".join(line[margin:] for line in lines))


def line_of(module_file: str, pattern: str) -> Step:
    """Return the first line of an installed file that matches `pattern`, without importing it.

    Parameters
    ----------
    module_file : str
        Package and path inside it, for instance ``"boson_multimodal/serve/serve_engine.py"``.

    Raises
    ------
    HarnessError
        If no line matches.
    """
    package, _, rest = module_file.partition("/")
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = str(Path(folder, rest))
        for number, line in enumerate(linecache.getlines(path), 1):
            if re.search(pattern, line):
                return Step(module_file, number, "", line.strip())
    raise HarnessError(f"no line matches {pattern!r}", path=module_file)


def forward_arguments(model_class: Any) -> list[str]:
    """Return the argument names of a model's forward, without self; ``**`` means any other."""
    parameters = list(signature(model_class.forward).parameters.values())[1:]
    return ["**" if one.kind is one.VAR_KEYWORD else one.name for one in parameters]


def mentions(function: Any, word: str) -> int:
    """Count the lines of a function's source that contain a word or part of one."""
    return sum(word in line for line in getsource(function).splitlines())
