"""How figures are written: one way for tables, prose and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Rate = tuple[float | None, float | None, float | None]  # value, low, high


def interval(value: float | None, low: float | None, high: float | None, digits: int = 2) -> str:
    """A rate with its interval; an en dash where there is none."""
    if value is None:
        return "–"
    shown = f"{value:.{digits}f}"
    return shown if low is None or high is None else f"{shown} [{low:.{digits}f}, {high:.{digits}f}]"


def rate_of(row: Mapping[str, Any], name: str) -> Rate:
    """A rate of a result row: ``name``, ``name_low`` and ``name_high``; None where the row has none."""
    return row.get(name), row.get(f"{name}_low"), row.get(f"{name}_high")


def f1_of(score: Mapping[str, Any]) -> str:
    """F1 of a placement score as JSON, with its interval."""
    return interval(*rate_of(score, "f1"))


def verdict_on_difference(value: float, low: float, high: float, better: str, worse: str) -> str:
    """A sentence part that claims no more than the interval of a paired difference allows."""
    figures = f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"
    if low > 0:
        return f"{better} ({figures})"
    if high < 0:
        return f"{worse} ({figures})"
    return f"no difference that the data can show ({figures})"
