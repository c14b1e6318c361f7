"""Text from data as Markdown, escaped so that none of it is markup."""

from __future__ import annotations

import re


def literal(text: str) -> str:
    """Return text on one line with its punctuation escaped (CommonMark 2.4: a backslash before any punctuation)."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Return text on one line as a code span, fenced by more backticks than it contains in a row."""
    line = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", line)), default=0))
    return f"{fence} {line} {fence}" if line[:1] == "`" or line[-1:] == "`" or not line else f"{fence}{line}{fence}"
