"""`harness chapter`: what the pipeline calls to turn notebooks into the site."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import Force

app = typer.Typer(no_args_is_help=True, help="Run chapters and build the book (the pipeline calls these).")


@app.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    chapter: Annotated[str, typer.Argument(help="Number or name: 07 or 07_tag_placement.")],
    profile: Annotated[str, typer.Option(help="Parameter file for values not given: ci or full.")] = "ci",
    output: Annotated[
        Path | None, typer.Option(help="Path of the executed notebook; by default in the results folder of the run.")
    ] = None,
    force: Force = False,
) -> None:
    """Execute one chapter; its results go into a separate folder for these parameters.

    Parameters are given as for papermill: `harness chapter run 07 -p tagger rules -p folds 3`.
    """
    from harness.outputs import check_output
    from harness.paths import NOTEBOOKS, relative
    from harness.publish.execute import execute, parse_arguments
    from harness.publish.parameters import declared, notebook_path

    known = declared(notebook_path(chapter))
    arguments = parse_arguments(context.args, [name for name, one in known.items() if one.type == "str"])
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        check_output(output, inputs=NOTEBOOKS.glob("*.ipynb"), force=force)
    path, seconds = execute(chapter, arguments, output, profile=profile, progress=sys.stderr.isatty())
    typer.echo(f"{relative(path)}: {seconds:.0f} s")


@app.command("box")
def box(chapter: Annotated[str, typer.Argument(help="Number or name: 07 or 07_tag_placement.")]) -> None:
    """Show a chapter's parameters: name, type, default, allowed values, meaning."""
    from harness.cli.output import print_table
    from harness.publish.parameters import declared, notebook_path

    rows = [[p.name, p.type, repr(p.default), p.allowed, p.meaning] for p in declared(notebook_path(chapter)).values()]
    print_table(f"Parameters of {notebook_path(chapter).name}", ["name", "type", "default", "allowed", "meaning"], rows)


@app.command("numbers")
def numbers(profile: Annotated[str, typer.Option(help="Profile of the runs: ci or full.")] = "ci") -> None:
    """Collect the numbers that pages quote from the results of all chapters."""
    from harness.publish.numbers import collect

    typer.echo(f"{sum(len(values) for values in collect(profile).values())} numbers gathered")


@app.command("stage")
def stage() -> None:
    """Update _build/stage: book sources, and executed notebooks with their parameter boxes."""
    from harness.publish.stage import stage as stage_tree

    typer.echo(f"{len(stage_tree())} staged files changed")


@app.command("site")
def site() -> None:
    """Build the site from the staged tree; a warning is an error."""
    from harness.publish.build import build

    typer.echo(build())
