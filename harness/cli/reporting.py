"""`harness report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import Force


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of finished runs of `harness run`.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Page to write; report.html in the first RUN by default. - for standard output."
        ),
    ] = None,
    markdown: Annotated[
        bool,
        typer.Option("--markdown", help="Write Markdown without figures and clips, to standard output by default."),
    ] = False,
    force: Force = False,
) -> None:
    """Make a page about finished runs that you can send to someone: one file that opens offline, under 5 MB.

    The page shows, for each engine and tag, the verdicts, the measured values against the threshold, placebos, thresholds,
    models of listeners, end-to-end figures if the run has taggers, where the figures come from, and three clips to listen
    to: a hit, a miss, and one in the wrong direction. Several runs are compared with the first one by paired differences.
    """
    from harness.experiment.folder import FILES
    from harness.outputs import check_output
    from harness.paths import to_type
    from harness.publish.report import report as make
    from harness.store import write_atomic

    if out is None:
        out = Path("-") if markdown else runs[0] / "report.html"
    to_file = str(out) != "-"
    inputs = [run / name for run in runs for name in FILES]
    if to_file and out.parent.is_dir():
        check_output(out, inputs=inputs, force=force)
    page = make(runs, markdown=markdown)
    if not to_file:
        typer.echo(page, nl=False)
        return
    check_output(out, inputs=inputs, force=force)
    write_atomic(out, page)
    typer.echo(to_type(out))
