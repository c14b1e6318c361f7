"""Provenance of results, for manifests and for the pages that quote the results."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version

from harness.paths import ROOT
from harness.records import digest

PACKAGES = (
    "prosody-harness", "numpy", "scipy", "scikit-learn", "torch", "transformers", "peft", "espeakng-loader", "pocketsphinx",
    "praat-parselmouth", "piper-tts", "hibari-tts", "boson_multimodal", "emphases", "distillmos",
)  # fmt: skip
_ABOVE = ("cli", "publish", "chapters")  # floors whose code changes no measurement


def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that can change a result."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_state() -> tuple[str, bool | None]:
    """Return the revision of the checkout, and whether tracked files differ from it; ("unknown", None) outside a checkout."""
    try:
        revision = _git("rev-parse", "HEAD")
        return revision, bool(_git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return "unknown", None


def code_digest() -> str:
    """Return a hash of the package code below chapters and commands. Unfinished work is resumed only with the same code."""
    package = ROOT / "harness"
    sources = [path for path in sorted(package.rglob("*.py")) if path.relative_to(package).parts[0] not in _ABOVE]
    parts = (part for path in sources for part in (str(path.relative_to(package)), path.read_text(encoding="utf-8")))
    return digest(*parts)


def machine() -> str:
    """Return a description of processor, cores and system, without the name of the machine."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
