"""Output of commands: tables for people, JSON for scripts, progress on standard error. Options and classes that commands share."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from typer.core import TyperCommand

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", help="Number of worker processes; -1 for one per core.")]
Resamples = Annotated[int, typer.Option(min=1, help="Number of bootstrap resamples for the intervals.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite an existing file; an input is never overwritten.")]
BootstrapSeed = Annotated[int, typer.Option(min=0, help="Random seed for the bootstrap.")]
LINE_SECONDS = 30

# What begins with a dash and is no option: a number, or something with a space before any "=".
_DASHED_TEXT = re.compile(r"-+[\d.]|-[^=]*\s", re.ASCII)


class TextCommand(TyperCommand):
    """A command whose argument is a text, which may begin with a dash: "-5 degrees" is not the option -5."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move such a text behind `--`, the end of the options."""
        takes_value = {
            name for option in self.params if not getattr(option, "is_flag", True) for name in option.opts
        }  # fmt: skip
        texts = {
            place for place, word in enumerate(args)
            if _DASHED_TEXT.match(word) and not (place and args[place - 1] in takes_value)
        }  # fmt: skip
        if texts and "--" not in args:
            args = [
                *(word for place, word in enumerate(args) if place not in texts), "--", *(args[place] for place in sorted(texts)),
            ]  # fmt: skip
        return super().parse_args(ctx, args)


def print_json(value: Any) -> None:
    """Write one JSON document to standard output."""
    json.dump(value, sys.stdout, indent=1, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table; figures are right-aligned."""
    table = Table(
        title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    figures = all(_is_figure(cell) for row in rows for cell in row[1:])
    for number, column in enumerate(columns):
        table.add_column(
            column, justify="right" if figures and number else "left", overflow="fold", no_wrap=number == 0
        )
    for row in rows:
        table.add_row(*(cell.replace("[", r"\[") for cell in row))
    Console().print(table)


def _is_figure(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:1] in "–-" or not cell


@contextmanager
def progress_bar(what: str) -> Iterator[Any]:
    """Show a bar on standard error while something long runs; yields ``update(done, total)``.

    If standard error is no terminal, it gets a line every `LINE_SECONDS` instead, with an estimate of the remaining time.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _progress_lines(what)
        return
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total=None: bar.update(task, completed=done, total=total)


def _progress_lines(what: str) -> Callable[..., None]:
    """Return an ``update`` that writes a line from time to time."""
    begun = last = time.monotonic()
    first: int | None = None  # what an interrupted run had already done

    def update(done: int, total: int | None = None) -> None:
        nonlocal first, last
        now = time.monotonic()
        first = done if first is None else first
        if now - last < LINE_SECONDS or done == first:
            return
        last = now
        left = (
            f" of {total}, about {(total - done) * (now - begun) / (done - first) / 60:.0f} min left" if total else ""
        )
        print(f"{what}: {done}{left}", file=sys.stderr, flush=True)

    return update
