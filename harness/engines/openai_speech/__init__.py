"""Speech from any server that speaks OpenAI's wire format: Boson's hosted API, vLLM, SGLang."""

from harness.engines.openai_speech.engine import OpenAISpeechEngine

__all__ = ["OpenAISpeechEngine"]
