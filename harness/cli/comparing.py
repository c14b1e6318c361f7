"""`harness compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.output import print_json, print_table
from harness.publish.tables import interval


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of finished runs of `harness run`.")],
    baseline: Annotated[
        str | None, typer.Option(metavar="ENGINE", help="Engine of the first RUN to compare with; its first otherwise.")
    ] = None,
    tagger: Annotated[
        str | None, typer.Option(metavar="TAGGER", help="The baseline's tagger; the first otherwise.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """What differs between runs, or between engines and taggers of one run: paired, per tag, with 95 % intervals.

    The baseline is an engine and tagger of the first RUN. All others, of all runs, are compared with it, on what both have
    measured: the same tag in the same place of the same sentence. Differences are the other's minus the baseline's.

    `hits`: difference of the hit rates. `placebo`: the same where there was no tag (false positives). `hits - placebo`:
    difference of the two. `value`: median difference of what was measured. `alone`: places that only the baseline / only the
    other has measured.

    Intervals are a bootstrap over sentences. One of no width means that all sentences agree, not that it is certain.

    A `*` stands where the interval excludes 0 and `p` is below 0.05. `p` is two-sided, from an exact McNemar test: of the
    sentences in which one side has more hits than the other, how many favour each side, by the binomial distribution (a sign
    test). It is corrected for the number of tags (Holm); the row of all tags is one test and needs no correction.
    `hits - placebo` has no test of its own and gets no mark.
    """
    from harness.experiment.compare import compare_runs

    figures = compare_runs(runs, baseline, tagger)
    if as_json:
        print_json(figures)
        return
    title = figures["baseline"]["title"]
    for other in figures["comparisons"]:
        if not other["all"]["n"]:
            typer.echo(f"{other['title']}: nothing measured that {title} has measured too\n")
            continue
        rows = [_row(tag, row) for tag, row in (*other["per_tag"].items(), ("all", other["all"]))]
        columns = ["tag", "pairs\nalone", "base\nother", "hits", "p", "placebo", "hits -\nplacebo", "value"]
        print_table(f"{other['title']}, compared with {title}", columns, rows)
    typer.echo("* differs from 0 after correction for the number of tags; see harness compare --help")


def _row(tag: str, row: dict[str, Any]) -> list[str]:
    """Two lines each, so that a table fits a narrow terminal."""
    rates = "\n".join(interval(row[name], None, None) for name in ("baseline", "other"))
    p = "–" if row["p_holm"] is None else f"{row['p_holm']:.2g}"
    median = row["value_difference"]
    value = "–" if median is None else f"{round(median, 2) + 0:.2f}\n{row['unit']}"
    return [tag, f"{row['n']}\n{row['only_baseline']}/{row['only_other']}", rates, _difference(row), p,
            _difference(row["placebo"]), _difference(row["above_placebo"]), value]  # fmt: skip


def _difference(row: dict[str, Any]) -> str:
    shown = interval(row["difference"], row["low"], row["high"])
    return (shown + (" *" if row.get("marked") else "")).replace(" ", "\n", 1)
