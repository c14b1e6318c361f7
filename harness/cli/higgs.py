"""`harness higgs probe`: try the loaders on your checkpoints, or on tiny generated ones."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.output import print_json, print_table

if TYPE_CHECKING:
    from harness.higgs.probe import StackReport

app = typer.Typer(no_args_is_help=True, help="Load, fine-tune and convert Higgs Audio v2 checkpoints.")
TINY = "tiny"
_SHOWN = 250  # characters of a message; --json has more


@app.command("probe")
def probe(
    checkpoint: Annotated[str, typer.Option(help="Folder with a config.json, hub name with --revision, or tiny.")],
    stack: Annotated[
        Literal["native", "boson", "all"],
        typer.Option(help="native: transformers 5; boson: transformers 4.46.3, in three ways."),
    ] = "all",
    revision: Annotated[
        str | None, typer.Option(help="Commit of a hub name (40 digits), because branches have changed their format.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every outcome with its message as JSON.")] = False,
) -> None:
    """Try every loader on a checkpoint in each stack, and report the results.

    A loader is a class with `from_pretrained`: AutoConfig, the Auto classes for models, transformers' Higgs class (native)
    and the class of boson_multimodal (boson). Each stack runs in a new process: boson_multimodal not imported, imported,
    or also registered for AutoModelForCausalLM; and transformers 5.

    *loads* means that all weights came from the checkpoint. If a loader returns a class with random weights, or ignores
    part of config.json, the report says so.

    A failed loader is a result: the exit code is 0 if the probe ran and 2 if the checkpoint cannot be used.

    Examples:

    - `harness higgs probe --checkpoint tiny`: generate small random checkpoints of both formats; takes half a minute.

    - `harness higgs probe --checkpoint FOLDER --stack native --json`: your own folder, in transformers 5 only.
    """
    from harness.higgs.probe import SETTINGS, matrix

    settings = [name for name, setting in SETTINGS.items() if stack in (setting.stack, "all")]
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = _tiny_of_both_formats(Path(folder)) if checkpoint == TINY else {checkpoint: checkpoint}
        revisions = {checkpoint: revision} if revision is not None else None
        reports = matrix(checkpoints, settings, revisions=revisions)
    if as_json:
        print_json(
            {
                "versions": {name: report.versions for name, report in reports.items()},
                "outcomes": [
                    {"checkpoint": label, "stack": name, **one.as_json()}
                    for label in checkpoints
                    for name, report in reports.items()
                    for one in report.outcomes[label]
                ],
            }
        )
        return
    for label in checkpoints:
        _print_outcomes(label, reports)


def _tiny_of_both_formats(folder: Path) -> Mapping[str, str | Path]:
    from harness.higgs.tiny import NATIVE_TYPE, ORIGINAL_TYPE, make_tiny_apart
    from harness.processes import call
    from harness.processes.stacks import NATIVE

    call(NATIVE, "harness.higgs.tiny:make_native_checkpoint", folder=str(folder / NATIVE_TYPE))
    return {
        f"tiny {ORIGINAL_TYPE}": make_tiny_apart(folder / ORIGINAL_TYPE),
        f"tiny {NATIVE_TYPE}": folder / NATIVE_TYPE,
    }


def _print_outcomes(label: str, reports: Mapping[str, StackReport]) -> None:
    """Print a table of short results and, below it, each message once, with the loaders that gave it."""
    loaders = [one.loader for one in next(iter(reports.values())).outcomes[label]]
    rows: list[list[str]] = []
    said: dict[str, list[str]] = {}
    for row, loader in enumerate(loaders):
        outcomes = [report.outcomes[label][row] for report in reports.values()]
        rows.append([loader, *(one.status if one.loaded else one.reason or one.exception for one in outcomes)])
        for one in outcomes:
            first = f"loads {one.loaded}" if one.loaded else f"{one.exception}: {' '.join(one.message.split())}"
            for text in (first, *one.notes):
                sources = said.setdefault(text[:_SHOWN], [])
                if loader not in sources:
                    sources.append(loader)
    print_table(label, ["loader", *reports], rows)
    for text, sources in said.items():
        typer.echo(f"- {', '.join(sources)}: {text}")
    typer.echo()
