"""Start commands, kill them, and find what they leave behind: for the tests and for the driver of this folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psutil

MARK = "HARNESS_FAULT_MARK"  # an environment variable, which every descendant inherits
HARNESS = [sys.executable, "-m", "harness"]
STARTED: list[Command] = []  # all of them, for `end_all`


class Command:
    """A command in a session of its own, whose descendants are known by a mark in their environment."""

    def __init__(
        self, command: Sequence[object], log: Path, *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self.mark, self.log = uuid4().hex, log
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {}), MARK: self.mark}
        # A program that was started with SIGINT ignored, as in the background of a shell, would hand that on.
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
        """What it has printed, on both streams."""
        return self.log.read_text(errors="replace")

    def wait(self, seconds: float = 600) -> int:
        """Its exit code; it is killed, with all it started, if it takes longer."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end()
            raise

    def ended_within(self, seconds: float) -> bool:
        """Whether it ends by itself until then."""
        try:
            self.process.wait(max(seconds, 0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self, kind: str) -> bool:
        """SIGKILL to the main process (`parent`), or to its whole group, as a terminal or a scheduler does (`group`).

        Returns whether it died of that; it may have ended by itself a moment before.
        """
        (os.kill if kind == "parent" else os.killpg)(self.process.pid, signal.SIGKILL)
        return self.process.wait() == -signal.SIGKILL

    def interrupt(self) -> int:
        """What Ctrl-C does; returns the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.wait(60)

    def left(self, patience: float = 20) -> tuple[list[str], float]:
        """What still runs of it after so many seconds at most, and how long the last of it took to end."""
        begun = time.monotonic()
        while (found := self._running()) and time.monotonic() - begun < patience:
            time.sleep(0.1)
        return [f"{process.pid} {name}" for process, name in found], time.monotonic() - begun

    def end(self) -> None:
        """Kill what still runs of it."""
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
    """Kill what still runs of all commands: the driver itself was stopped, and they are in sessions of their own."""
    for command in STARTED:
        command.end()


def interrupted(command: Sequence[object], log: Path, ready, **options) -> tuple[int, str, list[str]]:
    """Exit code, output and orphans of a command that gets Ctrl-C as soon as `ready()`."""
    running = Command(command, log, **options)
    try:
        while not ready() and running.process.poll() is None:
            time.sleep(0.05)
        assert running.process.poll() is None, f"it ended before it was interrupted: {running.said}"
        code = running.interrupt()
        return code, running.said, running.left()[0]
    finally:
        running.end()
