"""`harness leaderboard`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import wrap
from typing import Annotated

import typer

from harness.cli.output import AsJson, print_json, print_table


def leaderboard(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[RUN|FILE.json...]",
            help="Folders of finished runs, and result files; all of data/results/*.json by default.",
        ),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    check: Annotated[
        bool, typer.Option(help="Score the clips that are stored with result files again, a second or two for each.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Compare engines and taggers: a row for each, best first, in a table for each set of sentences.

    Rates on different sentences cannot be compared, so nothing is ranked across tables. To see your own run among the
    published ones: `harness leaderboard _build/results/engine-mine data/results/*.json`.

    A result file is refused if it does not match its schema, if its counts and rates do not agree, or if a clip that is
    stored with it does not get the verdict that the file gives it. Files of data/results that are not about engines or
    taggers are left out.
    """
    from harness.experiment.leaderboard import leaderboard as board_of
    from harness.experiment.leaderboard import load_sources
    from harness.publish import leaderboard as shown

    sources = load_sources(runs or (), check=check)
    board = board_of(sources)
    if as_json:
        print_json({"schema": "harness.leaderboard/1", **board, "left_out": sources.others})
        return
    if markdown:
        typer.echo(shown.markdown(board), nl=False)
        return
    for group in board["engines"]:
        _print(f"Engines: {group['title']}", shown.engine_rows(group), _narrow, names=14)
        _print(f"Mean, placebos and origin: {group['title']}", shown.run_rows(group))
        _print(f"End to end: {group['title']}", shown.end_to_end_rows(group), _narrow, names=14)
    for group in board["taggers"]:
        _print(f"Taggers: {group['title']}", shown.tagger_rows(group))
    if not board["engines"] and not board["taggers"]:
        typer.echo("there are no results of engines or taggers here")
        return
    for one in shown.notes(board):
        typer.echo(one)


def _print(title: str, rows: list[dict[str, str]], cell: Callable[[str], str] = str, names: int = 24) -> None:
    """Print rows whose first cell is a name; it is broken at `names` characters."""
    if rows:
        columns = [name.replace("_", "\n", 1).replace(" ", "\n", 1) for name in rows[0]]
        shown = [["\n".join(wrap(name, names)), *map(cell, rest)] for name, *rest in (row.values() for row in rows)]
        print_table(title, columns, shown)


def _narrow(cell: str) -> str:
    """Put the interval on a second line, in seven characters: then seven tags fit into 80 columns."""
    rate, found, rest = cell.partition(" [")
    if not found:
        return cell
    ends, _, mark = rest.partition("]")
    low, high = (end.removeprefix("0") if end.startswith("0.") else end[:-1] for end in ends.split(", "))
    return f"{rate}{mark}\n{low}-{high}"
