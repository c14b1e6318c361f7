"""Paths of the project. Everything generated goes to ``_build/``."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
DATA = ROOT / "data"
NOTEBOOKS = ROOT / "notebooks"
BOOK = ROOT / "book"
MODELS = BUILD / "models"
RESULTS = BUILD / "results"

# Variables that the project reads. Each is documented in book/reference/environment.md.
DATA_VARIABLE = "HARNESS_DATA"
CACHE_VARIABLE = "HARNESS_CACHE"


def cache_folder() -> Path:
    """Return the folder for downloads and for the parts of voices.

    It is ``HARNESS_CACHE``, else ``$XDG_CACHE_HOME/prosody-harness``, else ``~/.cache/prosody-harness``.
    """
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prosody-harness"


def is_file(path: str | Path) -> bool:
    """Return whether `path` is a file; False also for a path that the system rejects, such as a very long one."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def exists(path: str | Path) -> bool:
    """Return whether `path` exists; False also for a path that the system rejects."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def to_type(path: str | Path) -> str:
    """Return `path` as a user can type it here: relative to the working folder if it is inside, otherwise absolute."""
    path, here = Path(path).resolve(), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def relative(path: str | Path) -> str:
    """Return `path` relative to the project's root if it is inside, for messages and records."""
    path = Path(path).resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
