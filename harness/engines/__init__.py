"""Speech engines: tagged text to audio."""

from harness.engines import higgs_v3  # enters its dialect in `DIALECTS`
from harness.engines.base import Speech, SpeechEngine, SpeechRequest, engine_names, make_engine, register_engine

__all__ = ["Speech", "SpeechEngine", "SpeechRequest", "engine_names", "higgs_v3", "make_engine", "register_engine"]
