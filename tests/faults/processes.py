"""Start commands, kill them, and find the processes they leave behind: for the tests and the driver of this folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psutil

MARK = "HARNESS_FAULT_MARK"  # an environment variable, which every descendant inherits
HARNESS = [sys.executable, "-m", "harness"]
STARTED: list[Command] = []  # all commands, for `end_all`
Outcome = tuple[int, str, list[str]]  # exit code, output, processes left behind


class Command:
    """A command in a new session. Its descendants are recognised by a mark in their environment."""

    def __init__(
        self, command: Sequence[object], log: Path, *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self.mark, self.log = uuid4().hex, log
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {}), MARK: self.mark}
        # If SIGINT is ignored here, as in the background of a shell, the command would inherit that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with log.open("wb") as output:
                self.process = subprocess.Popen(
                    list(map(str, command)), cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                    stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
        finally:
            signal.signal(signal.SIGINT, before)
        self.begun = time.monotonic()
        STARTED.append(self)

    @property
    def said(self) -> str:
        """Output so far, of both streams."""
        return self.log.read_text(errors="replace")

    def wait(self, seconds: float = 600) -> int:
        """Return the exit code. A command that takes longer is killed with all its descendants."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end()
            raise

    def outcome(self, seconds: float = 600) -> Outcome:
        """Wait for the end, and return exit code, output, and the processes left behind."""
        return self.wait(seconds), self.said, self.left()[0]

    def ended_within(self, seconds: float) -> bool:
        """Return whether the command ends by itself within this time."""
        try:
            self.process.wait(max(seconds, 0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self, kind: str) -> bool:
        """Send SIGKILL to the main process (`parent`), or to its group as a terminal or a scheduler does (`group`).

        Return whether the signal ended it; the command may have ended by itself a moment before.
        """
        (os.kill if kind == "parent" else os.killpg)(self.process.pid, signal.SIGKILL)
        return self.process.wait() == -signal.SIGKILL

    def interrupt(self) -> None:
        """Send SIGINT to the group, as Ctrl-C does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def left(self, patience: float = 20) -> tuple[list[str], float]:
        """Return the processes that are still running after at most `patience` seconds, and the seconds waited."""
        begun = time.monotonic()
        while (found := self._running()) and time.monotonic() - begun < patience:
            time.sleep(0.1)
        return [f"{process.pid} {name}" for process, name in found], time.monotonic() - begun

    def end(self) -> None:
        """Kill all processes that are still running."""
        for process, _ in self._running():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def _running(self) -> list[tuple[psutil.Process, str]]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == self.mark:
                    found.append((process, " ".join(process.cmdline())[:120]))
            except psutil.Error:
                continue
        return found


def end_all() -> None:
    """End all commands if the driver itself is stopped, since they are in other sessions."""
    for command in STARTED:
        command.end()


def interrupted(command: Sequence[object], log: Path, ready: Callable[[], object], **options) -> Outcome:
    """Return the outcome of a command that gets Ctrl-C as soon as `ready()`."""
    running = Command(command, log, **options)
    try:
        while not ready() and running.process.poll() is None:
            time.sleep(0.05)
        assert running.process.poll() is None, f"it ended before it was interrupted: {running.said}"
        running.interrupt()
        return running.outcome(60)
    finally:
        running.end()


def content(folder: Path) -> dict[str, bytes]:
    """Return the files of a run folder, without the manifest (which has a date and a duration) and the lock."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files
            if path.name not in ("manifest.json", ".lock")}  # fmt: skip
