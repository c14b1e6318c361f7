"""Results as HTML tables: escaped, compact, scrolling inside themselves on a narrow screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from harness.publish.best import MARK, NOT_RANKED, ahead, said
from harness.publish.html import Html
from harness.publish.text import f1_of, interval, rate_of

if TYPE_CHECKING:
    from harness.higgs.probe import LoadOutcome


_LINE = 30  # characters that stay on one line
_LONG = ' class="long"'  # the heading of a row


def table(rows: Sequence[Mapping[str, Any]], caption: str = "", best: Mapping[str, str | None] | None = None) -> Html:
    """A table from rows that share their keys; the first column heads its row. Long cells are broken into lines.

    Parameters
    ----------
    rows : sequence of mapping
        Column -> what stands in its cell.
    caption : str
    best : mapping, optional
        Column -> the row's head whose value is best there, None if nobody's is (see `harness.publish.best`). The cell is marked,
        and the caption says what the mark means, or that nobody has earned it.
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
    """What each loader did, a row each, with its message and what the probe noted; `by` says what the keys are."""
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
    """Placement of several taggers, best micro-F1 first; `reports` are `PlacementReport.as_json()`."""
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
    """Hit and placebo rates of each tag; `per_tag` is from `summary.json`."""
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
