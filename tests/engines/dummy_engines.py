"""Engines that behave badly, each in its own way. The seed 0 is answered well."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from harness.audio import Audio
from harness.engines.base import Speech
from harness.errors import NotAvailable
from harness.records import WordTime
from harness.registry import Requirements

FAKE_KEY = "sk-not-a-real-key"


class Sine:
    """Well-behaved: the frequency depends on text, voice and seed; the words come back as its word times."""

    name, dialect, deterministic, revision, default_voice = "sine", "ignore", True, "sine 1", "low"
    requirements = Requirements()

    def __init__(self, rate=8000):
        self.rate = rate

    def voices(self):
        return ["low", "high"]

    def speak(self, request):
        if request.seed:
            self.misbehave(request)
        hertz = 100 + sum(map(ord, request.text.format())) % 300 + 50 * (request.voice == "high") + request.seed
        samples = np.sin(2 * np.pi * hertz * np.arange(self.rate // 2) / self.rate).astype(np.float32)
        words = tuple(WordTime(word=w, start=i / 3, end=(i + 1) / 3) for i, w in enumerate(request.text.words))
        return Speech(Audio(samples, self.rate), words)

    def misbehave(self, request):
        pass


class Sleeps(Sine):
    def misbehave(self, request):
        time.sleep(1000)


class HoldsLock(Sine):
    """Hangs in C without letting any other thread of the interpreter run."""

    def misbehave(self, request):
        ctypes.PyDLL(None).sleep(1000)


class SlowStart(Sine):
    def __init__(self):
        time.sleep(1000)


class Segfaults(Sine):
    def misbehave(self, request):
        ctypes.string_at(0)


class Exits(Sine):
    def misbehave(self, request):
        sys.exit(3)


class ExitsLater(Sine):
    """Answers, and is dead before the next request."""

    def misbehave(self, request):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0.05)


class Refuses(Sine):
    def misbehave(self, request):
        raise NotAvailable("no model here", path="a/model", line=3, remedy="fetch it")


class Fails(Sine):
    def misbehave(self, request):
        raise ValueError("bad phoneme")


class Prints(Sine):
    def misbehave(self, request):
        print("loading ...", flush=True)
        os.write(1, b"from C\n" * 20000)
        ctypes.CDLL(None).puts(b"buffered")
        assert sys.stdin.read() == ""


class WritesIntoPipes(Sine):
    def misbehave(self, request):
        for fd in range(3, 30):
            try:
                os.write(fd, b"this is no frame at all")
            except OSError:
                continue


class TellsKey(Sine):
    def misbehave(self, request):
        print("x" * 20000, f"\nrefused: key {FAKE_KEY} is unknown\n", file=sys.stderr)
        os._exit(7)


class Where(Sine):
    revision = sys.prefix


class TwoDimensional(Sine):
    def speak(self, request):
        return Speech(Audio(np.zeros((2, 50), np.float32), 8000))


class HasChild(Sine):
    """Starts a process of its own, tells its id, and hangs or dies."""

    def misbehave(self, request):
        process = subprocess.Popen(["sleep", "1000"])
        print(process.pid, file=sys.stderr)
        if request.seed == 2:
            os._exit(5)
        Path(request.text.words[0]).write_text(str(process.pid))
        time.sleep(1000)
