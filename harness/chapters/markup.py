"""Text from data as Markdown in which nothing of it is markup."""

from __future__ import annotations

import re


def literal(text: str) -> str:
    """Text in one line whose punctuation is no markup (CommonMark 2.4: a backslash before any of it)."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))
