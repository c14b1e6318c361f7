"""The `harness` command. Each module adds the commands of one subject; the logic is in the packages below."""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import typer

from harness import __version__
from harness.cli import (
    benchmark,
    boards,
    chapters,
    checking,
    comparing,
    data,
    doctor,
    higgs,
    higgs_speech,
    higgs_training,
    listening,
    reporting,
    runs,
    scoring,
    serving,
    speech,
    taggers,
    validating,
)
from harness.cli.output import TextCommand
from harness.cli.speech import ENDINGS
from harness.errors import HarnessError, Interrupted

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Place prosody tags in text, speak them, and measure whether they can be heard.\n\n"
    'Start with `harness doctor`, then `harness say "We <emph> guarantee 30% savings" -o x.wav`.',
)
app.command("doctor")(doctor.doctor)
app.command("tag")(taggers.tag)
app.add_typer(taggers.train_app, name="train")
app.command("say", cls=TextCommand)(speech.say)
app.command("align")(speech.align)
app.add_typer(benchmark.app, name="benchmark")
app.command("new")(checking.new)
app.command("check")(checking.check)
app.command("run")(runs.run)
app.command("compare")(comparing.compare)
app.command("report")(reporting.report)
app.command("leaderboard")(boards.leaderboard)
app.command("listen")(listening.listen)
app.command("validate")(validating.validate)
app.command("serve")(serving.serve)
scoring.app.command("listening")(listening.score_listening)
app.add_typer(scoring.app, name="score")
higgs.app.command("tiny")(higgs_training.tiny)
higgs.app.command("convert")(higgs_training.convert)
higgs.app.command("train")(higgs_training.train)
higgs.app.add_typer(higgs_speech.codec_app, name="codec")
higgs.app.command("teach")(higgs_speech.teach)
higgs.app.command("pretrain")(higgs_speech.pretrain)
higgs.app.command("evaluate")(higgs_speech.evaluate)
higgs.app.command("curve")(higgs_speech.curve)
app.add_typer(higgs.app, name="higgs")
app.add_typer(data.app, name="data")
app.add_typer(chapters.app, name="chapter")


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command, and report every problem that the user can fix in one line.

    Exit codes are 0: done; 1: finished with failures; 2: wrong usage or input; 130: interrupted; 143 and 129: ended by the
    SIGTERM of a scheduler, or by the SIGHUP of a closed terminal. Finished work is kept in all cases.
    """
    _open_streams()
    for number in ENDINGS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, lambda number, _: sys.exit(128 + number))  # a regular exit also ends the workers
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
    except SystemExit as error:  # typer turns an interrupt into code 130, and a closed pipe into code 1
        if error.code == Interrupted.exit_code:
            _interrupted()
        for number in ENDINGS:
            if error.code == 128 + number:
                _ended(number)
        if error.code == 1 and _reader_left(error):
            _quiet()
            raise SystemExit(0) from None
        try:
            sys.stdout.flush()  # a failure in Python's final flush would have neither message nor exit code
        except OSError as full:
            _full(full)
        raise


def _open_streams() -> None:
    """Replace a closed standard stream (`<&-`) by an empty one. Otherwise the next open file would get its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
            empty = Path(os.devnull).open("w" if number else "r", encoding="utf-8")  # noqa: SIM115 - stays open
            setattr(sys, name, empty)


def _reader_left(error: SystemExit) -> bool:
    """Return whether exit code 1 of typer or rich means that the reader of the output closed the pipe (`| head`)."""
    return type(sys.stdout).__name__ == "PacifyFlushWrapper" or isinstance(error.__context__, BrokenPipeError)


def _ended(number: int) -> NoReturn:
    with suppress(OSError):  # the terminal may be gone
        sys.stdout.flush()
    _quiet()
    ended = f"ended by {signal.Signals(number).name}"
    _leave(f"{ended}; finished work is kept (run the same command again)", 128 + number)


def _interrupted() -> NoReturn:
    logging.disable()  # asyncio would print the traceback of an abandoned wait for a kernel
    _leave("interrupted; finished work is kept (run the same command again)", Interrupted.exit_code)


def _full(error: OSError) -> NoReturn:
    _quiet()
    _leave(f"{error.filename or 'the output'}: {error.strerror} (make room, then run the same command again)", 2)


def _quiet(stream: int = 1) -> None:
    """Discard Python's final flush of a stream that has already failed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def _leave(message: str, code: int) -> NoReturn:
    for number in (signal.SIGINT, *ENDINGS):  # a second signal would print a traceback while Python ends the workers
        signal.signal(number, signal.SIG_IGN)
    # If Ctrl-C hits code that was compiled from a string (such as a dataclass), Python ends by SIGINT instead of with 130.
    # Executing a string again resets that.
    exec("")
    try:
        print(f"harness: {message}", file=sys.stderr, flush=True)
    except OSError:  # the stream is full, or its terminal is gone; the exit code remains
        _quiet(2)
    sys.exit(code)
