"""Generate the conda files from ``pyproject.toml``, so that they agree.

python requirements/conda_files.py   # rewrite environment.yml and requirements/environment-boson.yml
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import yaml

from harness.paths import ROOT

PYTHON = "python=3.11"
MAIN_EXTRAS = ("models", "audio", "voices", "api", "cluster", "book", "dev")
NO_DEPS = ROOT / "requirements" / "boson-no-deps.lock"
_HEADER = "# Generated from pyproject.toml by `make environments`. Do not edit.\n"


def main_environment(project: dict[str, Any]) -> dict[str, Any]:
    """Return the environment of the book, which Binder installs: the package, its base dependencies, and all extras but boson."""
    extras = [item for extra in MAIN_EXTRAS for item in project["optional-dependencies"][extra]]
    return _environment("prosody-harness", ["-e .", *project["dependencies"], *extras])


def boson_environment(project: dict[str, Any]) -> dict[str, Any]:
    """Return the environment of the older stack; the packages of ``boson-no-deps.lock`` are installed afterwards, without dependencies."""
    return _environment("prosody-harness-boson", [*project["dependencies"], *project["optional-dependencies"]["boson"]])


def environment_files(project: dict[str, Any]) -> dict[Path, str]:
    """Return the text of each file by its path."""
    boson_note = (
        "# After `conda env create -f`:\n"
        "#   conda run -n prosody-harness-boson pip install --no-deps -r requirements/boson-no-deps.lock\n"
    )
    main_note = (
        "# After `conda env create -f`, the listeners; for them and the codec of Higgs, torchaudio in a folder off the path:\n"
        "#   conda run -n prosody-harness pip install --no-deps -r requirements/main-no-deps.lock\n"
        '#   conda run -n prosody-harness sh -c \'pip install --no-deps --target "$CONDA_PREFIX/aside" -r '
        "requirements/main-aside.lock'\n"
    )
    return {
        ROOT / "environment.yml": _HEADER + main_note + _dump(main_environment(project)),
        ROOT / "requirements" / "environment-boson.yml": _HEADER + boson_note + _dump(boson_environment(project)),
    }


def read_project() -> dict[str, Any]:
    """Return the ``[project]`` table of ``pyproject.toml``."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _environment(name: str, pip: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "channels": ["conda-forge"],
        "dependencies": [PYTHON, "pip", {"pip": sorted(pip, key=str.lower)}],
    }


def _dump(environment: dict[str, Any]) -> str:
    return yaml.safe_dump(environment, sort_keys=False)


if __name__ == "__main__":
    for path, text in environment_files(read_project()).items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
