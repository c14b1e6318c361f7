"""Results as text and as HTML tables: the format of a rate, the best value of a column, and the tables themselves."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.publish.html import Html

if TYPE_CHECKING:
    from harness.higgs.probe import LoadOutcome


class Rate(NamedTuple):
    """A value with the ends of its interval; each may be missing."""

    value: float | None
    low: float | None = None
    high: float | None = None


def interval(value: float | None, low: float | None, high: float | None, digits: int = 2) -> str:
    """Format a rate with its interval; an en dash means that there is no value."""
    if value is None:
        return "–"
    shown = f"{value:.{digits}f}"
    return shown if low is None or high is None else f"{shown} [{low:.{digits}f}, {high:.{digits}f}]"


def rate_of(row: Mapping[str, Any], name: str) -> Rate:
    """Return a rate of a result row: ``name``, ``name_low`` and ``name_high``, None where the row has no such field."""
    return Rate(row.get(name), row.get(f"{name}_low"), row.get(f"{name}_high"))


def f1_of(score: Mapping[str, Any]) -> str:
    """Format the F1 of a placement score (as JSON) with its interval."""
    return interval(*rate_of(score, "f1"))


def verdict_on_difference(value: float, low: float, high: float, better: str, worse: str) -> str:
    """Return part of a sentence that claims no more than the interval of a paired difference allows."""
    figures = f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"
    if low > 0:
        return f"{better} ({figures})"
    if high < 0:
        return f"{worse} ({figures})"
    return f"no difference that the data can show ({figures})"


# --- the best value of a column

MARK = "▲ best"
NOBODY = "no system is ahead of all others within the intervals"
# Taggers are measured against annotations, so annotations are not ranked.
NOT_RANKED = ("gold", "second pass")


def ahead(rates: Mapping[str, Rate]) -> str | None:
    """Return the system whose interval is above every other interval, if there is one; `NOT_RANKED` are left out.

    Parameters
    ----------
    rates : mapping
        System -> (value, low, high), higher is better. A system without an interval cannot be best itself, but its value
        can keep another from being best.

    Returns
    -------
    str or None
        None where intervals overlap, or where fewer than two systems have a value.

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
    """Return the sentence of a caption that explains the marks, given the best system of each column."""
    none = [column for column, name in best.items() if name is None]
    if len(none) == len(best):
        return NOBODY
    return f"{MARK}: its interval is above every other" + (f"; in {' and '.join(none)}, {NOBODY}" if none else "")


# --- tables

_LINE = 30  # characters that stay on one line
_LONG = ' class="long"'  # the heading of a row
_INTERVAL = re.compile(r"(?<= )\[[^\[\]]+\]$")


def table(
    rows: Sequence[Mapping[str, Any]],
    caption: str = "",
    compare: Collection[str] = (),
    digits: Mapping[str, int] | None = None,
) -> Html:
    """Return a table of rows that share their keys; the first column is the heading of its row.

    Parameters
    ----------
    rows : sequence of mapping
        Column -> content of the cell: a `Rate`, `Html`, or text.
    caption : str
        Title of the table.
    compare : collection of str
        Columns of rates whose best value is marked, if there is one (see `ahead`). The caption explains the mark, or says that
        there is no best value.
    digits : mapping, optional
        Column -> decimals of its rates, if not 2.
    """
    if not rows:
        return Html("<p>Nothing to show.</p>")
    lines = {str(next(iter(row.values()))): row for row in rows}
    rates = {
        column: {name: row[column] for name, row in lines.items() if isinstance(row[column], Rate)}
        for column in compare
    }
    best = {column: ahead(found) for column, found in rates.items()}
    body = []
    for row in rows:
        name, *_ = (_text(cell) for cell in row.values())
        cells = "".join(
            _cell(cell, best.get(column) == name, (digits or {}).get(column, 2)) for column, cell in [*row.items()][1:]
        )
        body.append(f'<tr><th scope="row"{_LONG if len(name) > _LINE else ""}>{escape(name)}</th>{cells}</tr>')
    head = "".join(f'<th scope="col">{escape(str(column))}</th>' for column in rows[0])
    caption = "; ".join(filter(None, (caption, said(best) if best else "")))
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return Html(
        f'<div class="table-scroll" tabindex="0" role="region" aria-label="{escape(caption or "table", quote=True)}">'
        f'<table class="harness-table">{title}<thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
    )


def _text(cell: Any, digits: int = 2) -> str:
    return interval(*cell, digits) if isinstance(cell, Rate) else str(cell)


def _cell(cell: Any, best: bool, digits: int) -> str:
    if isinstance(cell, Html):
        return f"<td>{cell.html}</td>"
    text = _text(cell, digits)
    kinds = " ".join(filter(None, ("long" if len(text) > _LINE else "", "best" if best else "")))
    opening = f'<td class="{kinds}">' if kinds else "<td>"
    mark = f' <span class="best-mark">{MARK}</span>' if best else ""
    shown = _INTERVAL.sub(r'<span class="interval">\g<0></span>', escape(text))  # goes to the next line in a wide table
    return f"{opening}{shown}{mark}</td>"


def outcome_table(
    outcomes: Mapping[str, Sequence[LoadOutcome]], caption: str = "What each loader did", *, by: str = "stack"
) -> Html:
    """Return a row for each loader: result, message, and the notes of the probe; `by` names the keys of `outcomes`."""
    return table(
        [
            {
                by: name,
                "loader": one.loader,
                "result": f"loads {one.loaded}" if one.loaded else one.exception,
                "in short": one.status if one.loaded else one.reason or one.status,
                "raised at": one.where.rpartition("/")[2],
                "message": "; ".join(filter(None, (one.message.replace("\n", " ")[:160], *one.notes))),
            }
            for name, loaded in outcomes.items()
            for one in loaded
        ],
        caption,
    )


def placement_table(reports: Mapping[str, Mapping[str, Any]]) -> Html:
    """Return the placement scores of several taggers, best micro-F1 first; `reports` are `PlacementReport.as_json()`."""
    ranked = sorted(reports.items(), key=lambda item: -(item[1]["micro"]["f1"] or 0))
    aside = "".join(f"; {name} is an annotation and not compared" for name in reports if name in NOT_RANKED)
    return table(
        [
            {
                "tagger": name,
                "micro F1": rate_of(report["micro"], "f1"),
                "macro F1": rate_of(report["macro"], "f1"),
                "±1 slot": f"{report['tolerant']['f1'] or 0:.2f}",
                "precision": f"{report['micro']['precision']:.2f}",
                "recall": f"{report['micro']['recall']:.2f}",
                "exact": f"{report['exact_match']:.2f}",
                "text kept": f"{report['text_preserved']:.2f}",
            }
            for name, report in ranked
        ],
        f"Placement, 95 % intervals{aside}",
        compare=("micro F1", "macro F1"),
    )


def realisation_table(per_tag: Mapping[str, Mapping[str, Any]]) -> Html:
    """Return the hit and placebo rates of each tag; `per_tag` is from `summary.json`."""
    return table(
        [
            {
                "tag": tag,
                "n": row["n"],
                "hit": row["hit"],
                "miss": row["miss"],
                "wrong way": row["wrong_direction"],
                "leaked": row["leaked"],
                "unmeasurable": row["unmeasurable"],
                "not expressible": row["not_expressible"],
                "hit rate": interval(row["hit_rate"], row["low"], row["high"]),
                "placebos": row["placebo_n"],
                "placebo rate": interval(row["false_positive"], row["fp_low"], row["fp_high"]),
                "hit minus placebo": interval(row["above_placebo"], row["above_low"], row["above_high"]),
            }
            for tag, row in per_tag.items()
        ],
        "Tags in the audio, 95 % intervals",
    )
