"""An engine for tests of the server: as slow as asked for, and bad on demand."""

import os
import time

import numpy as np

from harness.audio import Audio
from harness.engines.base import Speech
from harness.errors import HarnessError
from harness.registry import Requirements


class Slow:
    """A sine of a tenth of a second per word. Some words make it misbehave."""

    name, dialect, deterministic, revision, default_voice = "slow", "ignore", True, "slow 1", "low"
    requirements = Requirements()

    def __init__(self, seconds=0.0, rate=22050):
        self.seconds, self.rate = seconds, rate

    def voices(self):
        return ["low", "high"]

    def speak(self, request):
        words = [word.strip(".") for word in request.text.words]
        if "hang" in words:
            time.sleep(1000)
        if "crash" in words:
            os._exit(7)
        if "bug" in words:
            raise ValueError("a bug")
        if "refuse" in words:
            raise HarnessError("this cannot be said", remedy="say something else")
        if "environment" in words:
            raise HarnessError(" ".join(f"{key}={value}" for key, value in os.environ.items()))
        if "slowly" in words:
            time.sleep(1.2)
        time.sleep(self.seconds)
        times = np.arange(len(words) * self.rate // 10) / self.rate
        hertz = 440 if request.voice == "high" else 220
        samples = 0.5 * np.sin(2 * np.pi * hertz * times, dtype=np.float64).astype(np.float32)
        if "nan" in words:
            samples[5] = np.nan
        return Speech(Audio(samples[: 0 if "nothing" in words else None], self.rate))
