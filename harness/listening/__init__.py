"""Listening tests with people: create a test from a run, and score the answers."""

from harness.listening.answers import read_results, score
from harness.listening.kit import Kit, read_key, read_run, write_kit
from harness.listening.trials import Kind, Trial, choose

__all__ = ["Kind", "Kit", "Trial", "choose", "read_key", "read_results", "read_run", "score", "write_kit"]
