"""Notebooks as programs: their parameters, their runs, and the pages made of them."""

from harness.chapters.run import ChapterRun, begin

__all__ = ["ChapterRun", "begin"]
