"""Provenance: what a result depends on, for manifests and for the pages that quote it."""

from __future__ import annotations

import ast
import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.paths import DATA, ROOT
from harness.records import digest
from harness.store import read_json

EQUIVALENT = DATA / "results" / "equivalent.json"

PACKAGES = (
    "prosody-harness", "numpy", "scipy", "scikit-learn", "torch", "transformers", "peft", "espeakng-loader", "pocketsphinx",
    "praat-parselmouth", "piper-tts", "hibari-tts", "boson_multimodal",
)  # fmt: skip
_ABOVE = ("cli", "publish", "chapters")


def package_versions() -> dict[str, str]:
    """Versions of the packages that can change a result, as installed here."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_state() -> tuple[str, bool | None]:
    """Revision of the checkout, and whether tracked files differ from it; ("unknown", None) outside a checkout."""
    try:
        revision = _git("rev-parse", "HEAD")
        return revision, bool(_git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return "unknown", None


def code_digest() -> str:
    """Hash of the package code that can change a measurement: everything below the reports, chapters and commands."""
    package = ROOT / "harness"
    sources = [path for path in sorted(package.rglob("*.py")) if path.relative_to(package).parts[0] not in _ABOVE]
    parts = (part for path in sources for part in (str(path.relative_to(package)), path.read_text(encoding="utf-8")))
    return digest(*parts)


def python_files(names: Iterable[str]) -> list[Path]:
    """The package's modules of these names, sorted: "stats.py" for one, "prosody" for all in a folder."""
    package = ROOT / "harness"
    return sorted(
        path
        for name in names
        for path in ([package / name] if name.endswith(".py") else (package / name).rglob("*.py"))
    )


def bare_sources(files: Iterable[Path]) -> list[str]:
    """Path and syntax tree of each file, without comments and docstrings: what can change a measurement."""
    return [f"{path.relative_to(ROOT)} {_bare(path.read_text(encoding='utf-8'))}" for path in files]


def _bare(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)


def same_code(today: str, declared: Path | None = None) -> set[str]:
    """Digests of code that measures what today's does: today's own, and older ones that a file declares equal.

    A change that cannot move a figure (a clearer error, say) is declared there: which digest is today's, which older ones count
    as the same, why, and what was measured again to see. The next change of code ends the declaration.

    Parameters
    ----------
    today : str
        Digest of the code as it is.
    declared : Path, optional
        Default: ``data/results/equivalent.json``.
    """
    path = declared or EQUIVALENT
    known = read_json(path)["declarations"] if path.is_file() else []
    return {today} | {older["code"] for one in known if one["code"] == today for older in one["older"]}


def machine() -> str:
    """Processor, cores and system, without the machine's name."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
