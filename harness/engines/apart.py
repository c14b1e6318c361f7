"""An engine in a process of its own: it may hang or crash, and the run goes on."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import sysconfig
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness.audio import Audio
from harness.engines.base import Speech, SpeechRequest
from harness.engines.secrets import without_secrets
from harness.engines.worker import ProtocolError, rebuild_error, receive, send
from harness.errors import HarnessError, NotAvailable
from harness.paths import ROOT
from harness.records import WordTime
from harness.registry import Requirements

START_SECONDS = 60.0  # at least; loading a model takes longer than speaking
_GRACE_SECONDS = 2.0  # for a child to end by itself
_TAIL_BYTES, _QUOTED = 8192, 300  # of the child's stderr: kept, and quoted in a message
_GREETED = ("name", "dialect", "deterministic", "revision", "default_voice")


class EngineTimeout(HarnessError):
    """An engine gave no answer in time."""


class EngineApart:
    """Speaks with a registered engine that runs in one child process, started at first use.

    After a timeout or a crash the child is killed, with its own children, and the next request starts a new one.

    Parameters
    ----------
    name : str
        Registered name, or "package.module:Class". The child does not see what only this process registered.
    options : mapping, optional
        Options of the engine; must be expressible in JSON.
    timeout : float
        Seconds that one request may take. Starting may take 60 s if that is more.
    python : path-like, optional
        Interpreter of the child, such as that of another environment; this one otherwise.
    """

    requirements: ClassVar[Requirements] = Requirements()
    name: str
    dialect: str
    deterministic: bool
    revision: str
    default_voice: str

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any] | None = None,
        *,
        timeout: float = 120.0,
        python: str | Path | None = None,
    ) -> None:
        self._engine, self._options, self._python = name, dict(options or {}), str(python or sys.executable)
        self.timeout = timeout
        self._child: _Child | None = None
        self._finalizer: weakref.finalize | None = None
        self._voices: list[str] = []
        self._lock = threading.RLock()
        if not timeout > 0:
            raise HarnessError(f"an engine cannot answer within {timeout} s", remedy="give a timeout above 0")
        try:
            json.dumps(self._options)
        except (TypeError, ValueError) as error:
            raise HarnessError(f"options of the engine {name} cannot be handed to its process: {error}",
                               remedy="give text, numbers, lists and mappings") from error  # fmt: skip

    def __getattr__(self, attribute: str) -> Any:  # called only for what is not there yet
        if attribute not in _GREETED:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {attribute!r}")
        self._started()
        return self.__dict__[attribute]

    def voices(self) -> list[str]:
        """Names of the voices that can be asked for."""
        self._started()
        return list(self._voices)

    def speak(self, request: SpeechRequest) -> Speech:
        """Render one request.

        Raises
        ------
        EngineTimeout
            If the engine gives no answer in time.
        HarnessError
            If its process ends; or the error that the engine raised.
        """
        question = {"text": request.text.format(), "voice": request.voice, "seed": int(request.seed)}
        with self._lock:
            header, samples = self._ask(self._started(), question, self.timeout, "gave no answer")
            try:
                words = header["words"] and tuple(WordTime(**word) for word in header["words"])
                audio = Audio(np.frombuffer(samples, "<f4").astype(np.float32), int(header["sample_rate"]))
            except (KeyError, TypeError, ValueError) as error:
                self.close()
                raise HarnessError(f"the engine {self._engine} gave an answer that cannot be read: {error}") from error
            return Speech(audio, words if words is None else tuple(words))

    def close(self) -> None:
        """End the child. Another request would start a new one."""
        with self._lock:
            if self._finalizer is not None:
                self._finalizer()
            self._child = self._finalizer = None

    def __enter__(self) -> EngineApart:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _started(self) -> _Child:
        """The child, greeted."""
        with self._lock:
            if self._child is not None and not self._child.usable():
                self.close()
            if self._child is None:
                child = _Child([self._python, "-P", "-m", "harness.engines.worker"])
                self._child, self._finalizer = child, weakref.finalize(self, child.end)
                setup = {"engine": self._engine, "options": self._options}
                try:
                    greeting, _ = self._ask(child, setup, max(self.timeout, START_SECONDS), "did not start")
                except HarnessError:
                    self.close()
                    raise
                self._voices = greeting.pop("voices")
                self.__dict__.update({name: greeting[name] for name in _GREETED})
            return self._child

    def _ask(self, child: _Child, question: dict[str, Any], limit: float, missed: str) -> tuple[dict[str, Any], bytes]:
        """Header and samples of the answer. Whatever goes wrong with the child, it is gone afterwards."""
        try:
            header, samples = child.ask(question, limit)
        except queue.Empty:
            ended = child.ended()  # its own children may hold the pipe open
            child.kill()
            self.close()
            if ended:
                raise HarnessError(f"the engine {self._engine} {child.epitaph()}") from None
            raise EngineTimeout(f"the engine {self._engine} {missed} within {limit:g} s",
                                remedy="raise the `timeout` field of the experiment, or leave the engine out") from None  # fmt: skip
        except (OSError, EOFError, ProtocolError) as error:
            self.close()
            if child.process is None:
                raise NotAvailable(f"the engine {self._engine} cannot be started with {self._python}: {error}",
                                   remedy="install that environment") from error  # fmt: skip
            broke = f"broke the protocol: {error}; it " if isinstance(error, ProtocolError) else ""
            raise HarnessError(f"the engine {self._engine} {broke}{child.epitaph()}") from error
        except BaseException:  # Ctrl-C: the answer would be taken for that of the next request
            child.kill()
            self.close()
            raise
        if "error" in header:
            fields = header["error"]
            quoted = {key: fields[key] and without_secrets(fields[key]) for key in ("message", "remedy")}
            raise rebuild_error(**{**fields, **quoted})
        return header, samples


class _Child:
    """A child process, and the thread that starts it, talks to it and buries it.

    All in one thread: Linux ends the child with the *thread* that started it (`worker._end_with_parent`), and the
    thread of a caller may be gone before the next request.
    """

    def __init__(self, command: list[str]) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._owner, self._killed, self._stderr = os.getpid(), False, b""
        self._questions: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[dict[str, Any], bytes] | Exception] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, args=(command,), daemon=True)
        self._thread.start()

    def ask(self, question: dict[str, Any], limit: float) -> tuple[dict[str, Any], bytes]:
        self._questions.put(question)
        answer = self._answers.get(timeout=min(limit, threading.TIMEOUT_MAX))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def usable(self) -> bool:
        """Whether it is alive and of this process; a fork has its parent's `_Child` but not the thread."""
        return self._owner == os.getpid() and self._thread.is_alive() and not self.ended()

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def kill(self) -> None:
        """Kill it and its children, now."""
        self._killed = True
        if self.process is None or self._owner != os.getpid():
            return
        if os.name == "posix":
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()

    def end(self) -> None:
        """Let it end, and wait until it is buried."""
        if self._owner == os.getpid():
            self._questions.put(None)
            if threading.current_thread() is not self._thread:  # the garbage collector runs in any thread
                self._thread.join(2 * _GRACE_SECONDS + 1)

    def epitaph(self) -> str:
        """How it ended, and the last line it wrote to stderr."""
        code = self.process.returncode if self.process is not None else None
        how = f"exit code {code}"
        if code is not None and code < 0:
            names = {number.value: number.name.removeprefix("SIG") for number in signal.Signals}
            how = f"signal {names.get(-code, -code)}"
        lines = without_secrets(self._stderr.decode("utf-8", "replace")).split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"ended ({how})" + (f": {last[-_QUOTED:]}" if last else "")

    def _serve(self, command: list[str]) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(_search_path())}
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the parent
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except (OSError, ValueError) as error:
            self._answers.put(error)
            return
        self.process = process
        if self._killed:
            self.kill()
        drain = threading.Thread(target=self._drain, args=(process.stderr,), daemon=True)
        drain.start()
        assert process.stdin and process.stdout
        failure: Exception | None = None
        try:
            while (question := self._questions.get()) is not None:
                send(process.stdin, question)
                self._answers.put(receive(process.stdout))
        except (OSError, EOFError) as error:
            failure = error
        except Exception as error:
            failure = error if isinstance(error, ProtocolError) else ProtocolError(repr(error))
            self.kill()
        with suppress(OSError):
            process.stdin.close()  # the child reads the end of its input, and ends
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
        self.kill()  # also what it started
        process.wait()
        drain.join(1.0)
        process.stdout.close()
        if failure is not None:
            self._answers.put(failure)

    def _drain(self, stream: Any) -> None:
        with stream:
            while chunk := os.read(stream.fileno(), _TAIL_BYTES):
                self._stderr = (self._stderr + chunk)[-_TAIL_BYTES:]


def _search_path() -> list[str]:
    """Where the child finds `harness` and what this process can import, but for packages of its own interpreter."""
    standard = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
    found = [str(ROOT)]
    for entry in sys.path:
        path = Path(entry or ".").resolve()
        installed = {"site-packages", "dist-packages"} & set(path.parts) or standard & {path, *path.parents}
        if path.exists() and not installed and str(path) not in found:
            found.append(str(path))
    return found
