"""`harness run`."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from harness.cli.listener_tables import Listeners, listener_names, print_listeners
from harness.cli.output import Jobs, print_json, print_table, progress_bar
from harness.errors import DataError, HarnessError, Interrupted

_LONG, _PACE = 20, 5  # sentences: from which number a run is long, and how many tell how long it takes


def run(
    experiment: Annotated[
        Path, typer.Argument(metavar="EXPERIMENT.yaml", help="See data/experiments/quickstart.yaml.")
    ],
    out: Annotated[Path | None, typer.Option(help="Run folder; _build/results/NAME by default.")] = None,
    sentences: Annotated[
        str | None,
        typer.Option(
            help="Sentences to use instead of the file's: quick, standard, train, heldout, or a JSON Lines file.",
            metavar="FILE|SET",
        ),
    ] = None,
    jobs: Jobs = -1,
    backend: Annotated[str, typer.Option(help="loky: processes on this machine; dask: a cluster.")] = "loky",
    scheduler: Annotated[
        str | None,
        typer.Option(help="Address of a dask scheduler, such as tcp://127.0.0.1:8786; by default one is started."),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            help="Engine to use instead of the file's: a name from `harness doctor`, or your own package.module:Class."
        ),
    ] = None,
    voice: Annotated[str | None, typer.Option(help="Voice of that engine.")] = None,
    label: Annotated[str | None, typer.Option(metavar="NAME", help="Name of that engine in tables and files.")] = None,
    role: Annotated[
        Literal["positive", "negative", "leak"] | None,
        typer.Option(
            help="What that engine does with tags, for tables of controls: obey them, not get them, or read them aloud."
        ),
    ] = None,
    option: Annotated[list[str] | None, typer.Option(help="Option of that engine, KEY=VALUE; may be repeated.")] = None,
    base_url: Annotated[
        str | None,
        typer.Option(
            help="Address of a server with OpenAI's speech API; short for --engine openai_speech --option base_url=URL."
        ),
    ] = None,
    max_requests: Annotated[
        int | None, typer.Option(min=0, help="Maximum number of requests that each worker process sends to the server.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Number of sentences to use; a run can be continued with a larger one.")
    ] = None,
    listeners: Listeners = None,
    result: Annotated[
        Path | None, typer.Option(help="Also write the summary, with machine and versions, to this file.")
    ] = None,
    clips: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of tagged clips of each engine to store with --result, so that others can score them."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing --result of another run.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Empty the folder if it holds something else.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Tag every sentence with every tagger, speak it with every engine, and score the audio.

    The same command resumes a stopped run. To score your own engine:
    `harness run data/experiments/engine.yaml --engine mypackage.voice:MyEngine --option speed=1.1`. To score a speech server:
    `harness run data/experiments/engine.yaml --base-url http://127.0.0.1:8000/v1 --option model=espeak --option dialect=prompted`.
    """
    from harness.experiment import changed, load_experiment
    from harness.experiment import run as run_experiment
    from harness.experiment.folder import FILES, MANIFEST, is_complete
    from harness.experiment.result_files import publish, published
    from harness.experiment.sentences import sentences_file
    from harness.experiment.stored_clips import MOST, store_clips
    from harness.outputs import check_output, files_among
    from harness.paths import RESULTS, to_type
    from harness.publish.tables import f1_of

    if clips and (not result or clips > MOST):
        raise DataError(
            f"--clips needs --result and is at most {MOST}, got {clips}",
            remedy="for instance --result mine.json --clips 8",
        )
    options = list(option or [])
    if base_url is not None:
        engine, options = engine or "openai_speech", [*options, f"base_url={base_url}"]
    if max_requests is not None:
        options.append(f"max_requests={max_requests}")
    spec = changed(
        load_experiment(experiment),
        sentences=sentences,
        engine=engine,
        voice=voice,
        label=label,
        role=role,
        options=options,
        limit=limit,
        listeners=listener_names(listeners),
    )
    folder = out or RESULTS / spec.name
    if result:
        chosen = [*(one.options for one in spec.engines), *(one.options for one in spec.taggers)]
        given = [value for names in chosen for value in names.values()]
        read = [experiment, sentences_file(spec.sentences), *files_among(given)]
        inputs = [*read, *(folder / name for name in FILES)]
        check_output(result, inputs=inputs, force=force or published(folder, result))
    finished = is_complete(folder) and (folder / MANIFEST).stat().st_mtime_ns
    try:
        with progress_bar("Sentences") as update:
            summary = run_experiment(
                spec, folder, jobs=jobs, backend=backend, scheduler=scheduler, progress=_with_first_clip(folder, update),
                replace=replace, check=_check,
            )  # fmt: skip
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; finished work is kept in {to_type(folder)}",
                          remedy="the same command resumes the run") from None  # fmt: skip
    except HarnessError as error:
        raise error if error.path else error.at(experiment) from error
    if result and not summary["failed_units"]:
        publish(folder, result, store_clips(folder, result, clips) if clips else ())
    if as_json:
        print_json(summary)
    else:
        _print_engines(summary)
        if summary["taggers"]:
            rows = [[name, f1_of(row["micro"])] for name, row in summary["taggers"].items()]
            print_table("Taggers: placement", ["tagger", "micro F1"], rows)
        unchanged = finished == (folder / MANIFEST).stat().st_mtime_ns
        typer.echo(f"results: {to_type(folder)}" + (" (complete, read from disk)" if unchanged else ""))
        typer.echo(f"a page with figures and clips: harness report {shlex.quote(to_type(folder))}")
    if summary["failed_units"]:
        for reason, count in summary["failures"].items():
            typer.echo(f"failed: {count} x {reason}", err=True)
        typer.echo(
            "the tags of failed sentences count as unmeasurable; the same command repeats only these sentences",
            err=True,
        )
        raise typer.Exit(1)


def _check(experiment: Any) -> None:
    from harness.experiment.before import ask_servers, check_parts

    ask_servers(experiment)
    check_parts(experiment, _tell)


def _tell(line: str) -> None:
    print(f"harness: {line}", file=sys.stderr, flush=True)


def _with_first_clip(folder: Path, update: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """Return an ``update`` that also says, in a long run, where the first clip is, and then once how long the rest takes."""
    from harness.experiment.folder import AUDIO
    from harness.paths import to_type
    from harness.records import Arm, Clip
    from harness.store import iterate_jsonl

    start: int | None = None  # what an interrupted run had already done
    first_at = 0.0

    def told(done: int, total: int) -> None:
        nonlocal start, first_at
        update(done, total)
        start = done if start is None else start
        if total - start < _LONG or done - start not in (1, _PACE + 1):
            return
        if done - start == 1:
            first_at = time.monotonic()
            clips = [clip for _, clip in iterate_jsonl(folder / f"{AUDIO}.jsonl", Clip) if clip.arm is Arm.TAGGED]
            if clips:
                _tell(f"a first clip to listen to: {to_type(folder / clips[-1].audio)} ({clips[-1].text})")
        else:  # not from the start: the first clips wait for the engine
            minutes = (time.monotonic() - first_at) / _PACE * (total - done) / 60
            _tell(f"about {minutes:.0f} min for {total - done} more sentences")

    return told


def _print_engines(summary: dict[str, Any]) -> None:
    """Print what was heard of each engine, why tags failed, its thresholds, and end to end if the run has taggers."""
    from harness.publish.run_tables import (
        JOINT_NOTE,
        PAUSE_NOTE,
        audio_rows,
        covers,
        hints,
        joint_rows,
        pause_rows,
        threshold_rows,
    )

    for name, found in summary["engines"].items():
        _print_rows(f"{name}: tags in the audio, in {covers(found)}", audio_rows(found["per_tag"]))
        for hint in hints(found["per_tag"]):
            typer.echo(hint)
        if pauses := pause_rows(found["per_tag"]):
            _print_rows(f"{name}: pauses at punctuation and elsewhere", pauses)
            typer.echo(PAUSE_NOTE)
        _print_rows(f"{name}: thresholds, and the engine's own variation", threshold_rows(found))
        print_listeners(name, found["listeners"])
        if summary["taggers"]:
            _print_rows(f"{name}: end to end", joint_rows(found))
            typer.echo(JOINT_NOTE)


def _print_rows(title: str, rows: list[dict[str, str]]) -> None:
    """Print rows with intervals and units on a second line, so that the table fits a narrow terminal."""
    if rows:
        short = {"unmeasurable": "un-\nmeas.", "not expressible": "not\nexpr.", "sentences": "sen-\ntences"}
        empty = {name for name in short if all(row.get(name) == "0" for row in rows)}  # for room
        rows = [{name: cell for name, cell in row.items() if name not in empty} for row in rows]
        columns = [short.get(column, column.replace(" ", "\n", 1)) for column in rows[0]]
        print_table(title, columns, [[_folded(cell) for cell in row.values()] for row in rows])


def _folded(cell: str) -> str:
    if "[" in cell:
        return cell.replace(" [", "\n[").replace(", ", ",")
    return cell.replace(" ", "\n", 1) if cell[:1].isdigit() or cell[:1] == "-" else cell
