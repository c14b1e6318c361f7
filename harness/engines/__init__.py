"""Speech engines: tagged text to audio."""

from harness.engines.base import Speech, SpeechEngine, SpeechRequest, engine_names, make_engine, register_engine

__all__ = ["Speech", "SpeechEngine", "SpeechRequest", "engine_names", "make_engine", "register_engine"]
