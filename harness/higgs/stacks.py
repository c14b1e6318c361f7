"""The two stacks that can run Higgs Audio v2, and how to call a function in the environment of the other one.

They cannot share a process: boson_multimodal needs transformers before 4.47, the native model needs 5.3 or later. So a
function that is wanted in the other stack runs in a process of its own:

>>> call("native", "harness.higgs.accounting:parameters", stack="native")  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, NotAvailable
from harness.paths import ROOT

NATIVE, BOSON = "native", "boson"
STACKS = {NATIVE: ".venv", BOSON: ".venv-boson"}
PYTHON_VARIABLES = {NATIVE: "HARNESS_NATIVE_PYTHON", BOSON: "HARNESS_BOSON_PYTHON"}
_INSTALL = "call `make env`"
_CALLER = "HARNESS_CALLER"
_PATIENCE = 10  # seconds between asking a process to end and killing it
_TOGETHER = 2  # calls that run at once
_OF_A_GROUP = {"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}  # a worker's own calls are not workers


def here() -> str:
    """The stack of this process: `BOSON` where boson_multimodal is installed, else `NATIVE`."""
    return BOSON if find_spec("boson_multimodal") else NATIVE


def python_of(stack: str) -> Path:
    """The interpreter of a stack: this one, the one that its variable names, or the one that `make env` made.

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
                           remedy=f"{_INSTALL}, or set {PYTHON_VARIABLES[stack]}")  # fmt: skip
    return python


def call(
    stack: str | Path,
    function: str,
    /,
    *,
    before: tuple[str, ...] = (),
    launcher: tuple[str, ...] = (),
    quiet: bool = True,
    **arguments: Any,
) -> Any:
    """Call a function of the harness in a fresh process of a stack, and return its result.

    Parameters
    ----------
    stack : str or Path
        `NATIVE`, `BOSON`, or an interpreter.
    function : str
        ``module:name``, inside the package harness.
    before : tuple of str
        Modules to import first, in this order.
    launcher : tuple of str
        What to put between the interpreter and this module, such as ``("-m", "accelerate.commands.launch", ...)``. Of
        several processes the first one's result is returned.
    quiet : bool
        Keep what the process prints to itself, unless it fails. Otherwise it goes to standard error.
    **arguments
        Anything that JSON can hold, and paths. So must be the result.

    Raises
    ------
    HarnessError
        The one that the function raised, or one that says how the process ended.
    """
    python = python_of(stack) if isinstance(stack, str) else stack
    module = function.partition(":")[0]
    if not module.startswith("harness."):
        raise HarnessError(f"{function!r} is not a function of the harness")
    with tempfile.TemporaryDirectory() as folder:
        request, answer = Path(folder, "request.json"), Path(folder, "answer.json")
        asked = {"function": function, "before": before, "arguments": arguments}
        request.write_text(json.dumps(asked, default=str), encoding="utf-8")
        command = [str(python), *launcher, "-m", "harness.higgs.stacks", str(request), str(answer)]
        said = _run(command, quiet, alone=not launcher)
        if not answer.is_file():
            raise HarnessError(f"the process ended without an answer: {said}", path=python)
        got = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in got:
        module, kind, fields = got["error"]
        raise getattr(importlib.import_module(module), kind)(**fields)
    return got["result"]


def call_together(calls: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Run several calls side by side, two at a time; each has a process of its own, so threads that wait for them are enough.

    The cores are divided among them, unless ``OMP_NUM_THREADS`` says otherwise: processes that each take all cores are
    several times slower than one after the other.
    """
    mine = "OMP_NUM_THREADS" not in os.environ
    if mine:
        os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // _TOGETHER))
    try:
        with ThreadPoolExecutor(_TOGETHER) as pool:
            waiting = {name: pool.submit(action) for name, action in calls.items()}
            return {name: future.result() for name, future in waiting.items()}
    finally:
        if mine:
            del os.environ["OMP_NUM_THREADS"]


def _run(command: list[str], quiet: bool, alone: bool) -> str:
    """Run a command to its end; returns how it ended, and the last error it printed."""
    inherited = {name: value for name, value in os.environ.items() if not (alone and name in _OF_A_GROUP)}
    environment = {**inherited, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    environment[_CALLER] = str(os.getpid())
    try:
        child = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if quiet else None,
            text=True,
            env=environment,
            process_group=0,  # an interrupt reaches this process alone, which then ends the whole group
        )
    except OSError as error:
        raise NotAvailable("cannot be run", path=command[0], remedy=_INSTALL) from error
    try:
        _, printed = child.communicate()
    except BaseException:
        _end(child)
        raise
    lines = [line for line in (printed or "").splitlines() if line.strip(" =-")]
    lines = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)] or lines
    return f"status {child.returncode}" + (f", {lines[-1]}" if lines else "")


def _end(child: subprocess.Popen[str]) -> None:
    """End a child and what it has started: politely, then not. A launcher passes the request on to its workers."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=_PATIENCE)
            return


def _end_with_caller() -> None:
    """End this process when the one that asked for it is gone, even if that was killed and could not say so."""
    caller = int(os.environ.get(_CALLER, "0"))

    def watch() -> None:
        while True:
            time.sleep(_PATIENCE / 5)
            try:
                os.kill(caller, 0)
            except ProcessLookupError:
                os._exit(143)

    if caller:
        threading.Thread(target=watch, daemon=True).start()


def main(request: str, answer: str) -> int:
    """Answer one request; a problem that the user can mend is an answer too."""
    _end_with_caller()
    asked = json.loads(Path(request).read_text(encoding="utf-8"))
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what packages print is not a result
            for name in asked["before"]:
                try:
                    importlib.import_module(name)
                except Exception as error:
                    raise NotAvailable(f"cannot import {name}: {error}".splitlines()[0]) from error
            module, _, name = asked["function"].partition(":")
            got = {"result": getattr(importlib.import_module(module), name)(**asked["arguments"])}
    except HarnessError as error:
        got = {"error": [type(error).__module__, type(error).__name__, error.fields()]}
    if "error" in got or int(os.environ.get("RANK", "0")) == 0:  # of several processes, whichever fails says why
        part = Path(f"{answer}.{os.getpid()}")
        part.write_text(json.dumps(got), encoding="utf-8")
        part.replace(answer)
    return 0 if "result" in got else 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
