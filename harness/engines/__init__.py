"""Speech engines: tagged text to audio."""

from harness.engines import higgs_v3  # enters its dialect in `DIALECTS`
from harness.engines.base import Speech, SpeechEngine, SpeechRequest, make_engine, register_engine

__all__ = ["Speech", "SpeechEngine", "SpeechRequest", "higgs_v3", "make_engine", "register_engine"]
