"""Text from data as Markdown in which nothing of it is markup."""

from __future__ import annotations

import re


def literal(text: str) -> str:
    """Text in one line whose punctuation is no markup (CommonMark 2.4: a backslash before any of it)."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Text in one line as a code span, in which nothing is markup: fenced by more backticks than it holds in a row."""
    line = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", line)), default=0))
    return f"{fence} {line} {fence}" if line[:1] == "`" or line[-1:] == "`" or not line else f"{fence}{line}{fence}"
