"""Engines to put inside obey: one that says another sentence, one that is silent."""

import numpy as np

from harness.audio import Audio
from harness.engines import Speech, SpeechRequest, make_engine
from harness.tagged import TaggedText


class _Espeak:
    name, dialect, deterministic, revision, default_voice = "inside", "ignore", True, "1", "only"

    def voices(self):
        return ["only"]


class Elsewhere(_Espeak):
    """Says what nobody asked for."""

    def speak(self, request):
        said = TaggedText.from_plain("Bring the yellow umbrella because it rains every afternoon in October")
        return make_engine("espeak").speak(SpeechRequest(said))


class Silent(_Espeak):
    def speak(self, request):
        return Speech(Audio(np.zeros(48000, np.float32), 24000))


class Told(_Espeak):
    """Keeps what it was told."""

    def __init__(self, pace: int = 160):
        self.pace, self.texts = pace, []

    def speak(self, request):
        self.texts.append(request.text.format())
        return make_engine("espeak", rate=self.pace).speak(request)
