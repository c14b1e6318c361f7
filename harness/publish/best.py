"""Which value of a column is best: said only where the intervals allow it, and in words, not by colour alone."""

from __future__ import annotations

from collections.abc import Mapping

from harness.publish.text import Rate

MARK = "▲ best"
NOBODY = "no system is ahead of all others within the intervals"
# An annotation is what taggers are measured by. It has no place among them.
NOT_RANKED = ("gold", "second pass")


def ahead(rates: Mapping[str, Rate]) -> str | None:
    """Who is best by unpaired intervals: whose interval lies above that of every other, and meets none. `NOT_RANKED` take no part.

    Parameters
    ----------
    rates : mapping
        System -> (value, low, high), higher is better. What has a value but no interval bars others from being best if it
        reaches into their interval, and cannot be best itself.

    Returns
    -------
    str or None
        None where intervals meet, or where fewer than two systems have a value.

    Examples
    --------
    >>> ahead({"a": (0.9, 0.8, 1.0), "b": (0.5, 0.4, 0.6)})
    'a'
    >>> ahead({"a": (0.9, 0.5, 1.0), "b": (0.5, 0.4, 0.6)}) is None
    True
    """
    known = {name: rate for name, rate in rates.items() if name not in NOT_RANKED and rate[0] is not None}
    if len(known) < 2:
        return None
    first = max(known, key=lambda name: known[name][0] or 0.0)
    low = known[first][1]
    reached = max(_upper(rate) for name, rate in known.items() if name != first)
    return first if low is not None and low > reached else None


def _upper(rate: Rate) -> float:
    value, _, high = rate
    return float((value if high is None else high) or 0.0)


def said(best: Mapping[str, str | None]) -> str:
    """What a caption says of the marks, given the best system of each column."""
    none = [column for column, name in best.items() if name is None]
    if len(none) == len(best):
        return NOBODY
    return f"{MARK}: its interval lies above every other" + (f"; in {' and '.join(none)}, {NOBODY}" if none else "")
