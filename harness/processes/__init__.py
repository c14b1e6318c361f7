"""Child processes that end with their parent and send errors back as themselves.

`call` runs one function of the harness in a fresh process, in this environment or the other one. Its arguments and its
result are JSON:

>>> call("native", "harness.higgs.accounting:parameters", stack="native")  # doctest: +SKIP

`harness.processes.remote` keeps an object in a child process, and limits the time of each call of its methods.
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
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, NotAvailable
from harness.paths import ROOT
from harness.processes.stacks import INSTALL, python_of

MODULE = "harness.processes"  # what a child runs: see `harness.processes.__main__`
_CALLER = "HARNESS_CALLER"
_LAUNCHED = {"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}  # what a launcher tells its workers
_TERM_SECONDS = 10.0  # between SIGTERM and SIGKILL; a launcher passes the former on to its workers
_TOGETHER = 2  # calls that run at the same time
_QUOTED = 300  # characters of what a child printed last
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


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
    """Call a function of the harness in a fresh process, and return its result.

    Parameters
    ----------
    stack : str or Path
        Environment to run in (`harness.processes.stacks.NATIVE` or `BOSON`), or the path of an interpreter.
    function : str
        ``module:name``, inside the package harness.
    before : tuple of str
        Modules to import first, in this order.
    launcher : tuple of str
        Arguments between the interpreter and the harness, such as ``("-m", "accelerate.commands.launch", ...)``. If that
        starts several processes, the result of the first is returned.
    quiet : bool
        Whether to drop what the process prints. Otherwise it goes to standard error.
    **arguments
        Arguments of the function: JSON values and paths. The result must be a JSON value too.

    Raises
    ------
    HarnessError
        The error that the function raised, or one that says how the process ended.
    """
    python = python_of(stack) if isinstance(stack, str) else stack
    with tempfile.TemporaryDirectory() as folder:  # files, because a launcher does not hand pipes on to its workers
        request, answer = Path(folder, "request.json"), Path(folder, "answer.json")
        asked = {"function": function, "before": before, "arguments": arguments}
        request.write_text(json.dumps(asked, default=str), encoding="utf-8")
        command = [str(python), "-P", *launcher, "-m", MODULE, str(request), str(answer)]
        how = _run(command, quiet, drop=() if launcher else _LAUNCHED)
        if not answer.is_file():
            raise HarnessError(f"{function} gave no answer: the process {how}", path=python)
        got = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in got:
        raise rebuilt(got["error"])
    return got["result"]


def call_together(calls: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Run several calls, two at a time. Each has a process to itself, so threads that wait for them are enough.

    The cores are divided among them, unless ``OMP_NUM_THREADS`` is set: two processes that each use all cores are several
    times slower than one after the other.
    """
    divide = "OMP_NUM_THREADS" not in os.environ
    if divide:
        os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // _TOGETHER))
    try:
        with ThreadPoolExecutor(_TOGETHER) as pool:
            waiting = {name: pool.submit(action) for name, action in calls.items()}
            return {name: future.result() for name, future in waiting.items()}
    finally:
        if divide:
            del os.environ["OMP_NUM_THREADS"]


def _run(command: list[str], quiet: bool, drop: Collection[str]) -> str:
    """Run a command to its end, and return how it ended."""
    stderr = subprocess.PIPE if quiet else None
    try:
        child = start(command, drop=drop, stdout=subprocess.DEVNULL, stderr=stderr)
    except OSError as error:
        raise NotAvailable("cannot be run", path=command[0], remedy=INSTALL) from error
    try:
        _, printed = child.communicate()
    except BaseException:
        for number in (signal.SIGTERM, signal.SIGKILL):
            kill(child, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_TERM_SECONDS)
                break
        raise
    return how_it_ended(child.returncode, printed or b"")


def answer_call(request: str, answer: str) -> int:
    """Call the function that the file `request` names, and write the file `answer`: the child's side of `call`."""
    asked = json.loads(Path(request).read_text(encoding="utf-8"))
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what packages print is not a result
            for name in asked["before"]:
                try:
                    importlib.import_module(name)
                except Exception as error:
                    raise NotAvailable(f"cannot import {name}: {error}".splitlines()[0]) from error
            got = {"result": find(asked["function"])(**asked["arguments"])}
    except HarnessError as error:
        got = {"error": described(error)}
    if "error" in got or int(os.environ.get("RANK", "0")) == 0:  # any of several processes may fail; the first answers
        part = Path(f"{answer}.{os.getpid()}")
        part.write_text(json.dumps(got), encoding="utf-8")
        part.replace(answer)
    return 0 if "result" in got else 2


def start(command: list[str], *, drop: Collection[str] = (), **pipes: Any) -> subprocess.Popen[bytes]:
    """Start a process, without the environment variables `drop`, that can find `harness` and that `kill` can end.

    It has a session of its own: Ctrl-C reaches its parent alone, which then ends the child and what that has started.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in drop}
    own = {_CALLER: str(os.getpid()), "PYTHONPATH": os.pathsep.join(search_path())}
    return subprocess.Popen(command, env=inherited | own, start_new_session=True, **pipes)


def search_path() -> list[str]:
    """Return the folders where a child finds `harness` and whatever else this process imports, except installed packages."""
    packages = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
    if sys.prefix != sys.base_prefix:
        packages.add(Path(sys.prefix).resolve())  # includes what is set aside: `harness.higgs.codec.prepare_torchaudio`
    found = [str(ROOT)]
    for entry in [*sys.path, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]:
        path = Path(entry or ".").resolve()
        installed = {"site-packages", "dist-packages"} & set(path.parts) or packages & {path, *path.parents}
        if path.exists() and not installed and str(path) not in found:
            found.append(str(path))
    return found


def kill(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a process made by `start`, and to what it has started itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def end_with_caller() -> None:
    """In a child: end when the process that called `start` is gone, even if that was killed and could not say so."""
    caller = int(os.environ.get(_CALLER, "0"))
    if os.getppid() == caller:
        killed_with_parent()
    if caller:
        threading.Thread(target=watch_parent, args=(caller,), daemon=True).start()


def killed_with_parent() -> None:
    """Let Linux kill this process when the *thread* that started it ends, however busy it is; do nothing elsewhere.

    It can be the ``preexec_fn`` of a `subprocess.Popen` in the main thread.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def watch_parent(parent: int) -> None:
    """Wait until the process `parent`, which may have started this one through a launcher, is gone; then end this one."""
    direct = os.getppid() == parent
    while os.getppid() == parent if direct else _exists(parent):
        time.sleep(0.5)
    os._exit(1)


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def how_it_ended(code: int | None, stderr: bytes, clean: Callable[[str], str] = str) -> str:
    """Describe how a process ended: its exit code or signal, and the last error, or else the last line, that it printed.

    >>> how_it_ended(-11, b"loading\\nValueError: no weights\\nbye\\n")
    'ended (signal SEGV): ValueError: no weights'
    """
    how = f"exit code {code}"
    if code is not None and code < 0:
        names = {number.value: number.name.removeprefix("SIG") for number in signal.Signals}
        how = f"signal {names.get(-code, -code)}"
    lines = [line.strip() for line in clean(stderr.decode("utf-8", "replace")).split("\n") if line.strip(" =-\r")]
    lines = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)] or lines
    return f"ended ({how})" + (f": {lines[-1][-_QUOTED:]}" if lines else "")


def described(error: Exception, what: str = "") -> dict[str, Any]:
    """Return an error as data, from which `rebuilt` makes it again, with the nearest class that the harness defines.

    Any other exception becomes a `HarnessError` that says that `what` failed.
    """
    if not isinstance(error, HarnessError):
        error = HarnessError(f"{what} failed: {type(error).__name__}: {error}")
    kind = next(kind for kind in type(error).__mro__ if kind.__module__.startswith("harness."))
    return {"class": f"{kind.__module__}:{kind.__name__}", **error.fields()}


def rebuilt(fields: Mapping[str, Any], clean: Callable[[str], str] = str) -> HarnessError:
    """Return the error that `described` turned into data, with cleaned texts."""
    texts = {name: clean(fields[name]) for name in ("message", "remedy") if fields[name]}
    return find(fields["class"])(**{name: value for name, value in fields.items() if name != "class"} | texts)


def find(name: str) -> Any:
    """Return the attribute that ``module:name`` names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)
