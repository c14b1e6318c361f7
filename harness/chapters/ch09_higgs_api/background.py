"""`harness serve` as a child process, for programs and notebooks that want a server while they run."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Mapping
from typing import Any

from harness.errors import HarnessError
from harness.paths import ROOT
from harness.serve.server import PARENT

START_SECONDS = 60.0
STOP_SECONDS = 15.0  # more than the server's own patience with running requests
_LAST_WORDS = 2.0  # seconds to read what a server that has ended still said
_QUOTED = 300  # characters of what a server that does not start has said


class Background:
    """A speech server on this machine, on a free port; it ends by `stop`, or when this process is gone, killed or not.

    Parameters
    ----------
    engine : str
        Which engine speaks.
    options : mapping, optional
        Of the engine.
    arguments : str
        Further arguments of `harness serve`, such as ``"--workers", "2"``.
    start_seconds : float
        How long it may take to start.

    Raises
    ------
    HarnessError
        If it does not start; the message says what the server said.

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
        chosen = [
            part
            for name, value in (options or {}).items()
            for part in ("--option", f"{name}={json.dumps(value)}")  # which is YAML, on one line
        ]
        # No key, whatever the environment holds: the clients of this server are this program's own.
        command = [
            sys.executable,
            "-m",
            "harness",
            "serve",
            "--engine",
            engine,
            "--port",
            "0",
            "--key-env",
            "",
            *chosen,
            *arguments,
        ]
        environment = {
            **os.environ,
            PARENT: str(os.getpid()),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        }
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self._said: deque[str] = deque(maxlen=3)
        self._end = weakref.finalize(self, _finish, self.process)
        ready: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=_read, args=(self.process.stdout, ready.put, ""), daemon=True).start()
        errors = threading.Thread(target=_read, args=(self.process.stderr, self._said.append), daemon=True)
        errors.start()
        try:
            line, why = ready.get(timeout=start_seconds), "ended at once"
        except queue.Empty:
            line, why = "", f"did not start within {start_seconds:g} s"
        if not line.startswith("serving "):
            self.stop()
            errors.join(_LAST_WORDS)
            said = " ".join("".join(self._said).split())[-_QUOTED:]
            raise HarnessError(f"the speech server {why}" + (f": {said}" if said else ""),
                               remedy=f"try it alone: harness serve --engine {engine}")  # fmt: skip
        self.url = line.rpartition(" ")[2].strip()

    def stop(self) -> None:
        """End the server; requests that run may finish."""
        self._end()

    def __enter__(self) -> Background:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def _read(stream: Any, put: Any, last: str | None = None) -> None:
    """Pass lines on until the stream ends, so that the pipe never fills; then `last`."""
    with contextlib.suppress(ValueError), stream:
        for line in stream:
            put(line)
    if last is not None:
        put(last)


def _finish(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
