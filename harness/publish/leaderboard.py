"""The leaderboard as rows of text, and as Markdown for a page of the book."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.experiment.leaderboard import leaderboard, load_sources
from harness.publish.markup import literal
from harness.publish.tables import Rate, ahead, interval
from harness.tagged import Tag

AHEAD = " ▲"  # after a rate whose interval is above every other in its column
TEXTS = ("engine", "tagger", "from")  # columns whose text comes from the files
Rows = list[dict[str, str]]


def notes(board: Mapping[str, Any]) -> list[str]:
    """Return the sentences below the tables."""
    said = [
        "mean: of the hit rates of the tags; a tag that the engine cannot express counts as 0. ▲: the interval is above every other "
        "in the column.",
    ]
    if len(board["engines"]) > 1 or len(board["taggers"]) > 1:
        said.append("Each table has its own sentences. Rows of different tables cannot be compared.")
    if mixed := [group["title"] for group in board["engines"] if len(group["codes"]) > 1]:
        said.append(
            "Scored by different versions of the harness, so small differences may come from that: "
            + "; ".join(mixed)
            + "."
        )
    return said


def engine_rows(group: Mapping[str, Any]) -> Rows:
    """Return the hit rates of a group: a row for each engine, a column for each tag."""
    best = {tag: _ahead({n: _rate(row, tag) for n, row in enumerate(group["rows"])}) for tag in group["tags"]}
    return [
        {"engine": _name(row)}
        | {Tag(tag).bare: interval(*_rate(row, tag)) + AHEAD * (best[tag] == number) for tag in group["tags"]}
        for number, row in enumerate(group["rows"])
    ]


def run_rows(group: Mapping[str, Any]) -> Rows:
    """Return what else is known of the engines of a group: mean, placebos, clips, and where the figures come from."""
    return [
        {
            "engine": _name(row),
            "mean": interval(row["mean"], None, None),
            "placebo rate": f"{interval(row['placebo']['rate'], None, None)} of {row['placebo']['n']}",
            "clips": _clips(row["clips"]),
            "date": row["date"],
            "from": Path(row["from"]).name,
        }
        for row in group["rows"]
    ]


def end_to_end_rows(group: Mapping[str, Any]) -> Rows:
    """Return a row for each engine and tagger: tags that are both right and heard."""
    return [
        {"engine": _name(row), "tagger": tagger}
        | {
            title: interval(*found[name])
            for title, name in (("joint recall", "recall"), ("joint precision", "precision"), ("joint F1", "f1"))
        }
        for row in group["rows"]
        for tagger, found in row["end_to_end"].items()
    ]


def tagger_rows(group: Mapping[str, Any]) -> Rows:
    """Return the placement scores of a group of taggers."""
    rates = {n: Rate(row["f1"], row["low"], row["high"]) for n, row in enumerate(group["rows"]) if not row["note"]}
    best = _ahead(rates)
    return [
        {
            "tagger": _name(row),
            "micro F1": interval(row["f1"], row["low"], row["high"]) + AHEAD * (best == number),
            "date": row["date"],
            "from": Path(row["from"]).name,
        }
        for number, row in enumerate(group["rows"])
    ]


def markdown(board: Mapping[str, Any], level: int = 2) -> str:
    """Return all tables as Markdown; text from result files is never markup."""
    mark = "#" * level
    lines: list[str] = []
    for what, groups in (("Engines", board["engines"]), ("Taggers", board["taggers"])):
        for group in groups:
            lines += [f"{mark} {what}: {literal(group['title'])}", ""]
            if what == "Taggers":
                lines += [*_table(tagger_rows(group)), ""]
                continue
            for rows in (engine_rows(group), run_rows(group), end_to_end_rows(group)):
                if rows:
                    lines += [*_table(rows), ""]
    if not lines:
        return "There are no results.\n"
    return "\n".join([*lines, *(f"- {literal(one)}" for one in notes(board)), ""])


def page() -> str:
    """Return the tables of the book's page: the files in ``data/results/``, whose stored clips are not scored again here."""
    return markdown(leaderboard(load_sources(check=False)))


def _table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    cells = [[literal(cell) if name in TEXTS else cell for name, cell in row.items()] for row in rows]
    return [f"| {' | '.join(line)} |" for line in ([*map(literal, rows[0])], ["---"] * len(rows[0]), *cells)]


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['name']} ({row['note']})" if row["note"] else row["name"]


def _rate(row: Mapping[str, Any], tag: str) -> Rate:
    found = row["per_tag"][tag]
    return Rate(found["hit_rate"], found["low"], found["high"])


def _ahead(rates: Mapping[int, Rate]) -> int | None:
    best = ahead({str(number): rate for number, rate in rates.items()})
    return None if best is None else int(best)


def _clips(clips: Mapping[str, Any]) -> str:
    if not clips["stored"]:
        return "–"
    return f"{clips['stored']} stored" if clips["checked"] is None else f"{clips['checked']} scored again"
