"""The human check: a listening test made from a run, and its answers read back."""

from harness.listening.answers import read_results, score
from harness.listening.kit import Kit, read_key, read_run, write_kit
from harness.listening.trials import Kind, Trial, choose

__all__ = ["Kind", "Kit", "Trial", "choose", "read_key", "read_results", "read_run", "score", "write_kit"]
