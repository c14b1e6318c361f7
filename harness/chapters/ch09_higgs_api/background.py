"""`harness serve` in a child process, while a notebook or a program needs a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping
from typing import Any

from harness.errors import HarnessError
from harness.paths import ROOT
from harness.serve.server import PARENT

START_SECONDS = 60.0
STOP_SECONDS = 15.0  # more than the server gives running requests
_QUOTED = 300  # characters of the server's standard error in an error message


class Background:
    """A speech server on a free port of this machine. It ends with `stop`, or with this process, even if that is killed.

    Parameters
    ----------
    engine : str
        Registered name, or "package.module:Class".
    options : mapping, optional
        Engine options.
    arguments : str
        Further arguments of `harness serve`, such as ``"--workers", "2"``.
    start_seconds : float
        Time limit for the start.

    Raises
    ------
    HarnessError
        If the server does not start; the message quotes its standard error.

    Examples
    --------
    >>> with Background("espeak") as server:  # doctest: +SKIP
    ...     print(server.url)
    """

    def __init__(
        self,
        engine: str = "espeak",
        options: Mapping[str, Any] | None = None,
        *arguments: str,
        start_seconds: float = START_SECONDS,
    ) -> None:
        command = [sys.executable, "-m", "harness", "serve", "--engine", engine, "--port", "0"]
        command += ["--key-env", ""]  # no key: only this program knows the server
        for name, value in (options or {}).items():
            text = value if isinstance(value, str) else json.dumps(value)
            command += ["--option", f"{name}={text}"]
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, PARENT: str(os.getpid()), "PYTHONPATH": path}
        with tempfile.TemporaryFile("w+", errors="replace") as errors:  # unlike a pipe, it never fills up
            self.process = subprocess.Popen(
                [*command, *arguments], stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
            )
            self._end = weakref.finalize(self, _end, self.process)
            assert self.process.stdout
            begun, deadline = time.monotonic(), threading.Timer(start_seconds, self.process.kill)
            deadline.daemon = True
            deadline.start()
            line = self.process.stdout.readline()  # empty if the server has ended
            late = time.monotonic() - begun >= start_seconds
            deadline.cancel()
            if not line.startswith("serving "):
                self.stop()
                errors.seek(0)
                said = " ".join(errors.read().split())[-_QUOTED:]
                why = f"did not start within {start_seconds:g} s" if late else "ended at once"
                raise HarnessError(f"the speech server {why}" + (f": {said}" if said else ""),
                                   remedy=f"to see why, run: harness serve --engine {engine}")  # fmt: skip
        self.url = line.rpartition(" ")[2].strip()

    def stop(self) -> None:
        """End the server; running requests may finish."""
        self._end()

    def __enter__(self) -> Background:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
