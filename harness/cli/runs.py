"""`harness run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import print_json, print_table, progress_bar
from harness.errors import HarnessError
from harness.report.text import interval


def run(
    experiment: Annotated[
        Path, typer.Argument(metavar="EXPERIMENT.yaml", help="See data/experiments/quickstart.yaml.")
    ],
    out: Annotated[Path | None, typer.Option(help="Run folder; _build/results/NAME by default.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Worker processes; -1 for one a core.")] = -1,
    replace: Annotated[bool, typer.Option("--replace", help="Empty the folder if it holds something else.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Tag, speak and score: every tagger by every engine on every sentence.

    A run that was stopped goes on where it was: give the same command again.
    """
    from harness.experiment import load_experiment
    from harness.experiment import run as run_experiment
    from harness.paths import RESULTS, relative

    spec = load_experiment(experiment)
    folder = out or RESULTS / spec.name
    try:
        with progress_bar("Sentences") as update:
            summary = run_experiment(spec, folder, jobs=jobs, progress=update, replace=replace)
    except HarnessError as error:
        raise error if error.path else error.at(experiment) from error
    if as_json:
        print_json(summary)
    else:
        for name, engine in summary["engines"].items():
            rows = [
                [tag, str(row["n"]), str(row["hit"]), interval(row["hit_rate"], row["low"], row["high"]),
                 interval(row["false_positive"], row["fp_low"], row["fp_high"]), str(row["unmeasurable"]), str(row["not_expressible"])]
                for tag, row in engine["per_tag"].items()
            ]  # fmt: skip
            columns = ["tag", "n", "hit", "hit rate", "placebo rate", "unmeas.", "not expr."]
            print_table(f"{name}: tags in the audio", columns, rows)
        rows = [[name, interval(row["micro"]["f1"], row["micro"]["f1_low"], row["micro"]["f1_high"])]
                for name, row in summary["taggers"].items()]  # fmt: skip
        if rows:
            print_table("Taggers: placement", ["tagger", "micro F1"], rows)
        typer.echo(f"results: {relative(folder)}")
    if summary["failed_units"]:
        for reason, count in summary["failures"].items():
            typer.echo(f"failed: {count} x {reason}", err=True)
        typer.echo("the tags of failed sentences count as unmeasurable; the same command tries them again", err=True)
        raise typer.Exit(1)
