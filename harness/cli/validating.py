"""`harness validate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.listener_tables import listener_names
from harness.cli.output import AsJson, BootstrapSeed, Resamples, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from harness.prosody.listeners import Listener

FOR_TESTS = "dummy"


def validate(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="`todi`, `emphassess` or `own`: which labels, see below.")
    ],
    folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Any folder of this layout instead of the published set; no checksums."),
    ] = None,
    listeners: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="Listeners to ask, separated by commas, or `none`. By default, all that can run here."
        ),
    ] = None,
    resamples: Resamples = 2000,
    seed: BootstrapSeed = 0,
    as_json: AsJson = False,
    result: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the figures with their provenance, without the recordings."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing result file.")] = False,
) -> None:
    """Test detectors and listeners on real recordings that people have labelled.

    - `todi`: 60 recordings of a course in Dutch intonation, with experts' labels. A folder of this layout has
      `exercise*.json` and the wav and TextGrid files that these name.
    - `emphassess`: ten acted English sentences, each with its emphasised word. A folder of this layout has
      `df_test.json` and the wav files that it names. The words are aligned first.
    - `own`: your recordings. The folder has `labels.csv` (one row for each word, in order), and for each recording
      `x.wav` its word times: `x.TextGrid` (tier `words`; for English, `harness align` writes it), or `x.csv` with the
      columns word,start,end in seconds.

    \b
    ```text
    file,word,label
    x.wav,We,
    x.wav,guarantee,accent
    x.wav,savings,H*L L%
    ```

    A label is `accent`, or a pitch accent in ToDI or ToBI (with `*`); `L%`, `H%` or `%` after the last word of a phrase;
    `P` before a pause. Labels of one word are separated by spaces.

    Without --folder, the published set must be on this machine: `harness data fetch todi`.

    What is reported, with 95 % intervals (cluster bootstrap by recording):

    - AUC: how often a word with the label scores higher than one without; .5 is chance. The detectors' cues (emphasis,
      pitch level, pitch at the end, pause) are measured without a plain clip. The baseline is the duration of the word.
    - top-1: how often the highest word of a recording has an accent, compared with chance.
    - agreement of each cue with each listener, inside each recording: rank correlation, and the same highest word.

    A recording that cannot be scored counts as `unmeasurable`, and the reason names file and line. The others are still scored.
    With --folder, the exit code is then 2.

    Example: `harness validate own --folder data/examples/labelled`
    """
    from harness.outputs import check_output
    from harness.prosody.validation import load_set
    from harness.prosody.validation import validate as run
    from harness.prosody.validation.results import write_result

    labelled = load_set(name, folder)
    if result:
        check_output(result, inputs=[*folder.rglob("*")] if folder else [], force=force)
    chosen, lacking = _listeners(listeners)
    with progress_bar("Recordings") as update:
        figures = run(labelled, chosen, n_resamples=resamples, seed=seed, progress=update)
    figures = {
        "schema": figures.pop("schema"), "set": name, "folder": str(folder) if folder else None, **figures,
        "not_available": lacking,
    }  # fmt: skip
    if result:
        write_result(figures, result)
    if as_json:
        print_json(figures)
    else:
        _print(figures)
    if folder:
        for problem in figures["problems"]:
            print(f"harness: {problem}", file=sys.stderr)
        if figures["problems"]:
            raise typer.Exit(2)


def _listeners(names: str | None) -> tuple[list[Listener], dict[str, str]]:
    """Return the listeners to ask, and for each that cannot run here, why."""
    from harness.errors import HarnessError
    from harness.prosody.listeners import LISTENERS, load_listener

    if (wanted := listener_names(names)) is not None:
        return [load_listener(name) for name in wanted], {}
    found, lacking = [], {}
    for name in LISTENERS.names():
        if name != FOR_TESTS:
            try:
                found.append(load_listener(name))
            except HarnessError as error:
                lacking[name] = error.message
    return found, lacking


def _print(figures: dict[str, Any]) -> None:
    from harness.publish.tables import interval

    counts = figures["recordings"]
    typer.echo(
        f"{figures['set']}: {counts['scored']} of {counts['all']} recordings scored ({counts['distinct']} distinct), "
        f"{figures['words']} words"
    )
    for kind in ("accent", "boundary"):
        if labels := figures["labels"][kind]:
            typer.echo(f"{kind}: " + ", ".join(f"{label} {count}" for label, count in labels.items()))
    if pauses := figures["labels"]["pause"]:
        typer.echo(f"pause: {pauses}")
    if figures["auc"]:
        rows = [
            [_new(row["contrast"], before), _cue(row), interval(row["auc"], row["low"], row["high"]),
             str(row["positive"]), str(row["negative"]), str(row["unmeasurable"])]
            for row, before in zip(figures["auc"], [None, *figures["auc"]], strict=False)
        ]  # fmt: skip
        print_table("\nHow well does each measure tell the labels apart?",
                    ["label", "measure", "AUC", "with", "other", "unmeas."], rows)  # fmt: skip
    top = [row for row in figures["top1"] if row["recordings"]]
    if top:
        rows = [
            [_cue(row), interval(row["rate"], row["low"], row["high"]), f"{row['hits']} of {row['recordings']}", f"{row['chance']:.2f}"]
            for row in top
        ]  # fmt: skip
        print_table(
            "Does the highest word of a recording have an accent?", ["measure", "top-1", "recordings", "chance"], rows
        )
    if figures["agreement"]:
        rows = [
            [f"{row['cue']} and {row['listener']}", interval(*row["rank_correlation"].values()),
             interval(*list(row["same_top_word"].values())[:3]), _number(row["same_top_word"]["chance"]), str(row["recordings"])]
            for row in figures["agreement"]
        ]  # fmt: skip
        print_table("Do detectors and listeners agree inside a recording?",
                    ["measures", "rank corr.", "same top word", "chance", "n"], rows)  # fmt: skip
    for row in figures["quality"]:
        typer.echo(
            f"quality by {row['listener']}: {interval(row['mean'], row['low'], row['high'])} ({row['recordings']} recordings)"
        )
    _print_missing(figures)


def _print_missing(figures: dict[str, Any]) -> None:
    for clip in figures["clips"]:
        if clip["status"] == "unmeasurable":
            typer.echo(f"unmeasurable: {clip['name']}: {clip['reason']}")
    for listener, row in figures["listeners"].items():
        for reason, count in row["unmeasurable"].items():
            typer.echo(f"unmeasurable by {listener}: {count} x {reason}")
    for reason in figures["not_available"].values():
        typer.echo(f"not asked: {reason}")


def _new(contrast: str, before: dict[str, Any] | None) -> str:
    """Return the name of a contrast in its first row only."""
    return "" if before and before["contrast"] == contrast else contrast


def _cue(row: dict[str, Any]) -> str:
    return row["cue"] if row["role"] == "detector" else f"{row['cue']} ({row['role']})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
