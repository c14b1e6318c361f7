"""Errors for users: what is wrong, in which file and line, and what to do about it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any


class HarnessError(Exception):
    """A problem that the user can fix. Commands print it as one line and exit with `exit_code`.

    Parameters
    ----------
    message : str
        Description of the problem, in a sentence.
    path : path-like, optional
        File in which it was found.
    line, column : int, optional
        Position in that file, counted from 1.
    remedy : str, optional
        Advice on what to do.
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        path: str | Path | None = None,
        line: int | None = None,
        column: int | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = str(path) if path is not None else None
        self.line = line
        self.column = column
        self.remedy = remedy

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.path, self.line, self.column) if part is not None)
        if self.path is None and self.line is not None:
            place = f"line {self.line}" + (f", column {self.column}" if self.column is not None else "")
        text = f"{place}: {self.message}" if place else self.message
        return _printable(f"{text} ({self.remedy})" if self.remedy else text)

    def __reduce__(self):  # keyword-only arguments do not pickle by default; worker processes send errors back
        return partial(type(self), **self.fields()), ()

    def fields(self) -> dict[str, Any]:
        """Return the arguments that create the same error again: plain data, for another process."""
        return {name: getattr(self, name) for name in ("message", "path", "line", "column", "remedy")}

    def at(self, path: str | Path, line: int | None = None) -> HarnessError:
        """Return the same error placed in `path` (and `line`, unless it already has one)."""
        return type(self)(**{**self.fields(), "path": path, "line": line if line is not None else self.line})


def _printable(text: str) -> str:
    """Return text that cannot control a terminal: control characters, for example from a server, become escapes."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


class Interrupted(HarnessError):
    """The user pressed Ctrl-C."""

    exit_code = 130


class TagError(HarnessError):
    """A tagged text that does not parse."""


class DataError(HarnessError):
    """A data or results file that cannot be used."""


class NotAvailable(HarnessError):
    """Something this machine lacks: a package, a key, a model, the network."""


def reason_of(error: Exception) -> str:
    """Return in words why something failed, whatever raised the error: the harness, a library, or a lack of memory."""
    if isinstance(error, HarnessError):
        return error.message
    if isinstance(error, MemoryError):
        return "not enough memory"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
