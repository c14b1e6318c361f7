"""The `harness` command: thin, no logic. Each module adds the commands of one subject."""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import sys
from typing import NoReturn

import typer

from harness import __version__
from harness.cli import (
    benchmarks,
    chapters,
    comparing,
    data,
    doctor,
    higgs,
    higgs_training,
    listening,
    runs,
    scoring,
    serving,
    speech,
    taggers,
)
from harness.errors import HarnessError, Interrupted

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Place prosody tags, speak them, and measure whether they can be heard.\n\n"
    'Start with `harness doctor`, then `harness say "We <emph> guarantee 30% savings" -o x.wav`.',
)
app.command("doctor")(doctor.doctor)
app.command("tag")(taggers.tag)
app.add_typer(taggers.train_app, name="train")
app.command("say")(speech.say)
app.command("align")(speech.align)
app.add_typer(benchmarks.app, name="benchmark")
app.command("run")(runs.run)
app.command("compare")(comparing.compare)
app.command("listen")(listening.listen)
app.command("serve")(serving.serve)
scoring.app.command("listening")(listening.score_listening)
app.add_typer(scoring.app, name="score")
higgs.app.command("tiny")(higgs_training.tiny)
higgs.app.command("convert")(higgs_training.convert)
higgs.app.command("train")(higgs_training.train)
app.add_typer(higgs.app, name="higgs")
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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an orderly end, so that worker processes end too
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    try:
        app()
    except HarnessError as error:
        _leave(str(error), error.exit_code)
    except OSError as error:
        if error.errno in FULL:
            _full(error)
        where = f"{error.filename}: " if error.filename else ""
        _leave(f"{where}{error.strerror or error}", 2)
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as error:  # typer turns an interrupt into 130, and a reader who left early into 1
        if error.code == Interrupted.exit_code:
            _interrupted()
        if error.code == 1 and type(sys.stdout).__name__ == "PacifyFlushWrapper":
            _quiet()
            raise SystemExit(0) from None
        try:
            sys.stdout.flush()  # what is lost in Python's own last flush gets no line and no code
        except OSError as full:
            _full(full)
        raise


def _interrupted() -> NoReturn:
    logging.disable()  # asyncio would print the traceback of a kernel's wait that nobody waits for any more
    _leave("interrupted; what was finished is kept (give the same command again)", Interrupted.exit_code)


def _full(error: OSError) -> NoReturn:
    _quiet()
    _leave(f"{error.filename or 'the output'}: {error.strerror} (make room, then give the same command again)", 2)


def _quiet() -> None:
    """Let Python's last flush of standard output go nowhere: it has failed already."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _leave(message: str, code: int) -> NoReturn:
    print(f"harness: {message}", file=sys.stderr)
    sys.exit(code)
