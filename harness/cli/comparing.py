"""`harness compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.listener_tables import listener_names, print_compared
from harness.cli.output import print_json, print_table
from harness.errors import DataError


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of finished runs of `harness run`.")],
    baseline: Annotated[
        str | None,
        typer.Option(metavar="ENGINE", help="Engine of the first RUN to compare with; by default, its first."),
    ] = None,
    tagger: Annotated[
        str | None, typer.Option(metavar="TAGGER", help="Tagger of the baseline; by default, the first.")
    ] = None,
    listeners: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="Listeners to show, separated by commas, or none; by default, all of the runs."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Compare runs, or the engines and taggers of one run: paired differences per tag, with 95 % intervals.

    The baseline is an engine and tagger of the first RUN. Every other engine and tagger, of all runs, is compared with it.
    Only pairs count: the same tag in the same place of the same sentence, measured on both sides. Differences are other
    minus baseline.

    `hits`: difference in hit rate. `placebo`: the same at places without a tag (false positives). `hits - placebo`: the
    first minus the second. `value`: median difference of the measured values. `alone`: number of places measured only for
    the baseline / only for the other.

    Intervals come from a bootstrap over sentences. An interval without width means that all sentences agree; it does not
    mean certainty.

    Models of listeners that judged the clips of both runs have a table each. `rise`: prominence of the tagged word above
    the plain clips, or `change`: quality of the tagged clip minus the plain ones. They are not tested and have no mark.

    A `*` marks a difference whose interval excludes 0 and whose `p` is below 0.05. `p` is two-sided, from an exact McNemar
    test (a sign test): among the sentences in which one side has more hits, are both sides equally likely to be ahead? It
    is corrected for the number of tags (Holm), except in the row of all tags, which is a single test. `hits - placebo` is
    not tested and has no mark.
    """
    from harness.experiment.compare import compare_runs

    figures = compare_runs(runs, baseline, tagger)
    names = listener_names(listeners)
    for other in figures["comparisons"]:
        if lacks := sorted(set(names or ()) - set(other["listeners"])):
            raise DataError(f"{other['title']} and {figures['baseline']['title']} have no clip that {lacks[0]} judged on both sides",
                            remedy=f"run both with --listeners {lacks[0]}")  # fmt: skip
        kept = {name: found for name, found in other["listeners"].items() if names is None or name in names}
        other["listeners"] = kept
    if as_json:
        print_json(figures)
        return
    title = figures["baseline"]["title"]
    for other in figures["comparisons"]:
        if not other["all"]["n"]:
            typer.echo(f"{other['title']}: shares no measured tag with {title}\n")
            continue
        rows = [_row(tag, row) for tag, row in (*other["per_tag"].items(), ("all", other["all"]))]
        columns = ["tag", "pairs\nalone", "base\nother", "hits", "p", "placebo", "hits -\nplacebo", "value"]
        print_table(f"{other['title']}, compared with {title}", columns, rows)
        for name, found in other["listeners"].items():
            print_compared(f"{other['title']}, compared with {title}: {name}", found)
    typer.echo("* differs from 0 after correction for the number of tags; see harness compare --help")


def _row(tag: str, row: dict[str, Any]) -> list[str]:
    """Return the cells of a row, with two lines in most cells, so that the table fits a narrow terminal."""
    from harness.publish.tables import interval

    rates = "\n".join(interval(row[name], None, None) for name in ("baseline", "other"))
    p = "–" if row["p_holm"] is None else f"{row['p_holm']:.2g}"
    median = row["value_difference"]
    value = "–" if median is None else f"{round(median, 2) + 0:.2f}\n{row['unit']}"
    return [tag, f"{row['n']}\n{row['only_baseline']}/{row['only_other']}", rates, _difference(row), p,
            _difference(row["placebo"]), _difference(row["above_placebo"]), value]  # fmt: skip


def _difference(row: dict[str, Any]) -> str:
    from harness.publish.tables import interval

    shown = interval(row["difference"], row["low"], row["high"])
    return (shown + (" *" if row.get("marked") else "")).replace(" ", "\n", 1)
