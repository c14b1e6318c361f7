"""Notebooks as programs: their parameters, their runs, and the pages made of them."""

from harness.publish.run import ChapterRun, begin

__all__ = ["ChapterRun", "begin"]
