"""Taggers: text to tagged text."""

from harness.taggers.base import Tagger, make_tagger, register_tagger, tagger_names

__all__ = ["Tagger", "make_tagger", "register_tagger", "tagger_names"]
