"""An engine: espeak, slowed down by resampling, so that everything is also lower."""

from typing import ClassVar

import numpy as np

from harness.audio import Audio
from harness.engines import Speech, SpeechRequest, make_engine, register_engine
from harness.registry import Requirements


@register_engine("slow")
class SlowEngine:
    """Speaks with espeak and plays it back at a fraction of its pace."""

    name, dialect, deterministic = "slow", "ssml", True
    requirements: ClassVar[Requirements] = Requirements(packages=("espeakng_loader",))

    def __init__(self, pace: float = 0.9) -> None:
        self.pace, self.inner = float(pace), make_engine("espeak")
        self.default_voice, self.revision = self.inner.default_voice, f"slow {pace} over {self.inner.revision}"

    def voices(self) -> list[str]:
        """Those of espeak."""
        return self.inner.voices()

    def speak(self, request: SpeechRequest) -> Speech:
        """Render one request; equal requests give equal samples."""
        audio = self.inner.speak(request).audio
        at = np.arange(0, len(audio.samples) - 1, self.pace)
        samples = np.interp(at, np.arange(len(audio.samples)), audio.samples)
        return Speech(Audio(samples.astype(np.float32), audio.sample_rate))
