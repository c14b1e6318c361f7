"""Results as text and as HTML tables: how a rate is written, which value of a column is best, and the tables themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from harness.publish.html import Html

if TYPE_CHECKING:
    from harness.higgs.probe import LoadOutcome

Rate = tuple[float | None, float | None, float | None]  # value, low, high


def interval(value: float | None, low: float | None, high: float | None, digits: int = 2) -> str:
    """Format a rate with its interval; an en dash stands for no value."""
    if value is None:
        return "–"
    shown = f"{value:.{digits}f}"
    return shown if low is None or high is None else f"{shown} [{low:.{digits}f}, {high:.{digits}f}]"


def rate_of(row: Mapping[str, Any], name: str) -> Rate:
    """Return a rate of a result row: ``name``, ``name_low`` and ``name_high``, or None for each that is missing."""
    return row.get(name), row.get(f"{name}_low"), row.get(f"{name}_high")


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
    return f"{MARK}: its interval lies above every other" + (f"; in {' and '.join(none)}, {NOBODY}" if none else "")


# --- tables

_LINE = 30  # characters that stay on one line
_LONG = ' class="long"'  # the heading of a row


def table(rows: Sequence[Mapping[str, Any]], caption: str = "", best: Mapping[str, str | None] | None = None) -> Html:
    """Return a table of rows that share their keys; the first column is the heading of its row.

    Parameters
    ----------
    rows : sequence of mapping
        Column -> content of the cell.
    caption : str
    best : mapping, optional
        Column -> heading of the row with the best value, or None if there is none (see `ahead`). The cell is marked, and
        the caption explains the mark or says that there is no best value.
    """
    if not rows:
        return Html("<p>Nothing to show.</p>")
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in rows[0])
    body = []
    for row in rows:
        first, *rest = map(str, row.values())
        marked = [(best or {}).get(column) == first for column in list(row)[1:]]
        cells = "".join(_cell(cell, mark) for cell, mark in zip(rest, marked, strict=True))
        body.append(f'<tr><th scope="row"{_LONG if len(first) > _LINE else ""}>{escape(first)}</th>{cells}</tr>')
    caption = "; ".join(filter(None, (caption, said(best) if best else "")))
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return Html(
        f'<div class="table-scroll" tabindex="0" role="region" aria-label="{escape(caption or "table", quote=True)}">'
        f'<table class="harness-table">{title}<thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
    )


def _cell(text: str, best: bool) -> str:
    kinds = " ".join(filter(None, ("long" if len(text) > _LINE else "", "best" if best else "")))
    opening = f'<td class="{kinds}">' if kinds else "<td>"
    mark = f' <span class="best-mark">{MARK}</span>' if best else ""
    return f"{opening}{escape(text)}{mark}</td>"


def outcome_table(
    outcomes: Mapping[str, Sequence[LoadOutcome]], caption: str = "What each loader did", *, by: str = "stack"
) -> Html:
    """Return a row for each loader: its result, message, and the notes of the probe; `by` names the keys of `outcomes`."""
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
    best = {
        f"{kind} F1": ahead({name: rate_of(report[kind], "f1") for name, report in reports.items()})
        for kind in ("micro", "macro")
    }
    aside = [name for name in reports if name in NOT_RANKED]
    return table(
        [
            {
                "tagger": name,
                "micro F1": f1_of(report["micro"]),
                "macro F1": f1_of(report["macro"]),
                "±1 slot": f"{report['tolerant']['f1'] or 0:.2f}",
                "precision": f"{report['micro']['precision']:.2f}",
                "recall": f"{report['micro']['recall']:.2f}",
                "exact": f"{report['exact_match']:.2f}",
                "text kept": f"{report['text_preserved']:.2f}",
            }
            for name, report in sorted(reports.items(), key=lambda item: -(item[1]["micro"]["f1"] or 0))
        ],
        f"Placement, 95 % intervals{''.join(f'; {name} is an annotation and not compared' for name in aside)}",
        best,
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
