"""The two environments that can run Higgs Audio v2, called stacks.

They cannot share a process: boson_multimodal needs transformers before 4.47, the native model needs 5.3 or later.
`harness.processes.call` runs a function in the other one.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from harness.errors import HarnessError, NotAvailable
from harness.paths import ROOT

NATIVE, BOSON = "native", "boson"
STACKS = {NATIVE: ".venv", BOSON: ".venv-boson"}
PYTHON_VARIABLES = {NATIVE: "HARNESS_NATIVE_PYTHON", BOSON: "HARNESS_BOSON_PYTHON"}
INSTALL = "run `make env`"


def here() -> str:
    """Return the stack of this process: `BOSON` where boson_multimodal is installed, else `NATIVE`."""
    return BOSON if find_spec("boson_multimodal") else NATIVE


def python_of(stack: str) -> Path:
    """Return the interpreter of a stack: from its environment variable, of this process, or of the folder in `STACKS`.

    Raises
    ------
    NotAvailable
        If there is none.
    """
    if stack not in STACKS:
        raise HarnessError(f"no stack is called {stack!r}", remedy=f"choose from: {', '.join(STACKS)}")
    if chosen := os.environ.get(PYTHON_VARIABLES[stack]):
        python = Path(chosen)
    elif stack == here():
        return Path(sys.executable)
    else:
        python = ROOT / STACKS[stack] / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.is_file():
        raise NotAvailable("the interpreter of the other stack is missing", path=python,
                           remedy=f"{INSTALL}, or set {PYTHON_VARIABLES[stack]}")  # fmt: skip
    return python
