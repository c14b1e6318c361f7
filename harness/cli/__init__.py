"""The `harness` command: thin, no logic. Each module adds the commands of one subject."""

from __future__ import annotations

import os
import sys

import typer

from harness import __version__
from harness.cli import chapters, data, doctor, runs, scoring, speech, taggers
from harness.errors import HarnessError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Place prosody tags, speak them, and measure whether they can be heard.\n\n"
    'Start with `harness doctor`, then `harness say "We <emph> guarantee 30% savings" -o x.wav`.',
)
app.command("doctor")(doctor.doctor)
app.command("tag")(taggers.tag)
app.add_typer(taggers.train_app, name="train")
app.command("say")(speech.say)
app.add_typer(scoring.app, name="score")
app.command("run")(runs.run)
app.add_typer(data.app, name="data")
app.add_typer(chapters.app, name="chapter")


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and leave.")) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command; every problem the user can mend is one line, with the contract's exit code.

    0: done. 1: finished with failures. 2: bad usage or input. 130: interrupted; what was done is kept.
    """
    try:
        app()
    except HarnessError as error:
        print(f"harness: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("harness: interrupted; what was finished is kept", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output left early, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
