"""Where a call fails: the way of an exception through PEFT, and the line that caused it. And what a forward takes and does."""

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
    """An exception, and the way it took through PEFT.

    Parameters
    ----------
    exception, message : str
        Class and text.
    steps : tuple of Step
        Frames inside PEFT, the outermost first.
    """

    exception: str
    message: str
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return f"{self.exception}: {self.message}"

    @property
    def keyword(self) -> str:
        """The keyword argument that was refused; empty if the message speaks of none."""
        found = re.search(r"unexpected keyword argument '(\w+)'", self.message)
        return found[1] if found else ""

    @property
    def cause(self) -> Step | None:
        """The line of PEFT that adds the refused keyword: not the innermost one, which only passes everything on."""
        if not self.keyword:
            return None
        for step in reversed(self.steps):
            for offset, text in enumerate(step.code.splitlines()):
                if re.search(rf"\b{self.keyword}\s*=", text):
                    return Step(step.file, step.line + offset, step.function, text.strip())
        return None


def attempt(call: Callable[[], Any]) -> Failure | None:
    """Call something, and return how it failed, or None if it did not."""
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
    """The first line of an installed file in which `pattern` is found, without importing it.

    Parameters
    ----------
    module_file : str
        Package and path inside it, for instance ``"boson_multimodal/serve/serve_engine.py"``.

    Raises
    ------
    HarnessError
        If there is none.
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
    """Names of the arguments of a model's forward, without self; ``**`` stands for any other."""
    parameters = list(signature(model_class.forward).parameters.values())[1:]
    return ["**" if one.kind is one.VAR_KEYWORD else one.name for one in parameters]


def mentions(function: Any, word: str) -> int:
    """In how many lines of a function's source a word, or a part of one, stands."""
    return sum(word in line for line in getsource(function).splitlines())
