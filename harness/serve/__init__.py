"""An OpenAI-compatible speech server in front of any engine: ``harness serve``."""

from harness.serve.server import serve

__all__ = ["serve"]
