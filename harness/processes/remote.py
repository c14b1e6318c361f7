"""An object in a child process: if it hangs or crashes, only one call is lost."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from harness.errors import HarnessError, NotAvailable
from harness.processes import MODULE, described, find, how_it_ended, kill, rebuilt, start

START_SECONDS = 60.0  # the least time for making the object: loading a model takes longer than a call
_GRACE_SECONDS = 2.0  # for a child to end after its pipe is closed
_TAIL_BYTES = 8192  # of the child's stderr

Reply = tuple[Any, bytes]  # what a method of a remote object returns: a JSON value, and raw bytes


class ChildTimeout(HarnessError):
    """A child process did not answer in time."""


class RemoteObject:
    """An object in a child process, which starts at the first call.

    After a timeout or a crash the child is killed, with its own children, and the next call starts a new one. Threads may
    share a remote object. After a fork the new process starts its own child.

    Parameters
    ----------
    make : str
        ``module:name`` of the class or function that makes the object in the child. Its methods return a `Reply`.
    arguments : mapping
        Keyword arguments for `make`: JSON values.
    what : str
        Name of the object in messages: "the engine espeak".
    timeout : float
        Seconds that a call may take. Starting may take 60 s if that is more.
    python : path-like, optional
        Interpreter of the child, such as that of another environment; this one by default.
    clean : callable
        Takes out of what the child said what must not be in a message.
    """

    def __init__(
        self,
        make: str,
        arguments: Mapping[str, Any],
        *,
        what: str,
        timeout: float,
        python: str | Path | None = None,
        clean: Callable[[str], str] = str,
    ) -> None:
        self._setup = {"make": make, "arguments": dict(arguments), "what": what}
        self._what, self._timeout, self._python, self._clean = what, timeout, str(python or sys.executable), clean
        self._child: _Child | None = None
        self._finalizer: weakref.finalize | None = None
        self._lock = threading.RLock()
        if not timeout > 0:
            raise HarnessError(f"the timeout of {what} must be greater than 0 seconds, got {timeout}")
        try:
            json.dumps(self._setup)
        except (TypeError, ValueError) as error:
            raise HarnessError(f"the options of {what} cannot be sent to its process: {error}",
                               remedy="give text, numbers, lists and mappings") from error  # fmt: skip

    def ask(self, method: str, **arguments: Any) -> Reply:
        """Call a method of the object with JSON values.

        Raises
        ------
        ChildTimeout
            If there is no answer in time.
        NotAvailable
            If the interpreter cannot be started.
        HarnessError
            If the process ends; or the error that the object raised.
        """
        with self._lock:
            if self._child is not None and not self._child.usable():
                self.close()
            if self._child is None:
                self._start()
            return self._exchange({"method": method, "arguments": arguments}, self._timeout, "gave no answer")

    @property
    def pid(self) -> int | None:
        """Process id of the child, if there is one."""
        return self._child.process.pid if self._child else None

    def kill(self) -> None:
        """Kill the child now; a call that waits for it fails."""
        if child := self._child:
            kill(child.process)

    def close(self) -> None:
        """End the child and wait for its end. Another call would start a new one."""
        with self._lock:
            if self._finalizer is not None:
                self._finalizer()
            self._child = self._finalizer = None

    def _start(self) -> None:
        try:
            self._child = _Child([self._python, "-P", "-m", MODULE])
        except (OSError, ValueError) as error:
            raise NotAvailable(f"{self._what} cannot be started with {self._python}: {error}",
                               remedy="install that environment") from error  # fmt: skip
        self._finalizer = weakref.finalize(self, self._child.end)
        try:
            self._exchange(self._setup, max(self._timeout, START_SECONDS), "did not start")
        except HarnessError:
            self.close()
            raise

    def _exchange(self, question: Mapping[str, Any], limit: float, missed: str) -> Reply:
        """Ask the child. Whatever goes wrong with it, it is gone afterwards."""
        assert self._child is not None
        child = self._child
        try:
            header, data = child.ask(question, limit)
        except TimeoutError:
            ended = child.process.poll() is not None  # its own children may hold the pipe open
            self._abandon()
            if ended:
                raise HarnessError(f"{self._what} {child.epitaph(self._clean)}") from None
            raise ChildTimeout(f"{self._what} {missed} within {limit:g} s") from None
        except Exception as error:
            if not isinstance(error, (OSError, EOFError)):  # something else was written into the pipe
                self.kill()
            self.close()
            raise HarnessError(f"{self._what} {child.epitaph(self._clean)}") from error
        except BaseException:  # Ctrl-C: the answer would be taken for that of the next call
            self._abandon()
            raise
        if "error" in header:
            raise rebuilt(header["error"], self._clean)
        return header["result"], data

    def _abandon(self) -> None:
        self.kill()
        self.close()


class _Child:
    """A child process, and the one thread that starts it and talks to it.

    Linux ends the child with the *thread* that started it (`harness.processes.killed_with_parent`), and the thread of a caller
    may be gone before the next call.

    Raises
    ------
    OSError, ValueError
        If the process cannot be started.
    """

    def __init__(self, command: list[str]) -> None:
        self._owner, self._stderr = os.getpid(), b""
        self._thread = ThreadPoolExecutor(1)
        pipe = subprocess.PIPE
        try:
            self.process = self._thread.submit(start, command, stdin=pipe, stdout=pipe, stderr=pipe).result()
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        self._drain = threading.Thread(target=self._keep_stderr, daemon=True)
        self._drain.start()

    def ask(self, question: Mapping[str, Any], limit: float) -> tuple[dict[str, Any], bytes]:
        return self._thread.submit(self._exchange, question).result(min(limit, threading.TIMEOUT_MAX))

    def usable(self) -> bool:
        """Return whether it runs and belongs to this process: a fork inherits the object, but not its thread."""
        return self._owner == os.getpid() and self.process.poll() is None

    def end(self) -> None:
        """Close its input, so that it ends; kill it, and what it started, if it does not."""
        if self._owner != os.getpid():
            return
        assert self.process.stdin and self.process.stdout
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_GRACE_SECONDS)
        kill(self.process)
        self.process.wait()
        self._drain.join(1.0)
        self._thread.shutdown()
        self.process.stdout.close()

    def epitaph(self, clean: Callable[[str], str]) -> str:
        return how_it_ended(self.process.returncode, self._stderr, clean)

    def _exchange(self, question: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        assert self.process.stdin and self.process.stdout
        send(self.process.stdin, question)
        return receive(self.process.stdout)

    def _keep_stderr(self) -> None:
        assert self.process.stderr
        with self.process.stderr as stream:
            while chunk := os.read(stream.fileno(), _TAIL_BYTES):
                self._stderr = (self._stderr + chunk)[-_TAIL_BYTES:]


def send(stream: IO[bytes], header: Mapping[str, Any], data: bytes = b"") -> None:
    """Write a line of JSON, and raw bytes whose number it holds. Every string survives, lone surrogates too."""
    line = json.dumps({**header, "bytes": len(data)}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    stream.write(line + b"\n" + data)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Read what `send` wrote; raise an EOFError if the other side is gone."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    header = json.loads(line.decode("utf-8", "surrogatepass"))
    data = stream.read(header["bytes"])
    if len(data) < header["bytes"]:
        raise EOFError
    return header, data


def serve() -> None:
    """Make the object that the parent asks for, and answer calls until the parent closes the pipe: the child's side."""
    inlet, outlet = _private_pipes()
    with contextlib.suppress(EOFError, BrokenPipeError):
        setup, _ = receive(inlet)
        what = setup["what"]
        try:
            made = find(setup["make"])(**setup["arguments"])
        except Exception as error:
            send(outlet, {"error": described(error, what)})
            return
        send(outlet, {"result": None})
        while True:
            question, _ = receive(inlet)
            try:
                result, data = getattr(made, question["method"])(**question["arguments"])
                header = {"result": result}
            except Exception as error:
                header, data = {"error": described(error, what)}, b""
            send(outlet, header, data)


def _private_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Take the pipes for the protocol alone: what a library prints goes to stderr, and it reads nothing."""
    inlet, outlet = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return inlet, outlet
