"""Helpers shared by tests of several folders: the `harness` command, espeak, optional data sets and the stacks of Higgs."""

import contextlib
import io
import re
import signal
import subprocess
import sys
from unittest import mock

import pytest

from harness.datasets import REMOTES, locate
from harness.errors import HarnessError
from harness.paths import ROOT
from harness.processes import call
from harness.processes.stacks import here, python_of
from harness.tagged import TaggedText


def harness(*arguments, stdin=None, cwd=ROOT, **options):
    """Run the command in a process; return its output as bytes, or as text with ``text=True``."""
    command = [sys.executable, "-m", "harness", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, cwd=cwd, **options)


def command(*arguments, stdin=b"", cwd=ROOT):
    """Run the command in this process, which is faster than `harness`; exit code and output are the same."""
    from harness.cli import ENDINGS, main  # not at the top, where it would slow down every start of pytest

    argv = ["harness", *map(str, arguments)]
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for name in ("stdout", "stderr")}
    source = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDINGS)}
    code = 0
    with mock.patch.multiple(sys, argv=argv, stdin=source, **streams), contextlib.chdir(cwd):
        try:
            main()
        except SystemExit as error:
            code = error.code or 0
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            for stream in streams.values():
                stream.flush()
    return subprocess.CompletedProcess(argv, code, *(stream.buffer.getvalue() for stream in streams.values()))


def say(text, voice=None, **options):
    """Return the clip of a text, plain or tagged, by espeak."""
    from harness.engines import SpeechRequest, make_engine

    text = text if isinstance(text, TaggedText) else TaggedText.from_plain(text)
    return make_engine("espeak", **options).speak(SpeechRequest(text, voice)).audio


NOT_EMBEDDED = "data that is not embedded: "  # such a test gets the marker `data`; see conftest.py


def needs_data(name):
    """Mark a test that needs a data set that is fetched on demand, such as ``helsinki-prosody``."""
    missing = any(locate(file.path) is None for file in REMOTES[name].files)
    return pytest.mark.skipif(missing, reason=f"{NOT_EMBEDDED}harness data fetch {name}")


def needs_recordings(*names):
    """Mark a test that needs files of the data folder real-speech/, which no command fetches."""
    missing = any(locate(f"real-speech/{name}") is None for name in names)
    return pytest.mark.skipif(missing, reason=f"{NOT_EMBEDDED}put real-speech/ into the folder that HARNESS_DATA names")


def python_or_skip(stack):
    """Return the interpreter of a stack; skip the test if there is none."""
    try:
        return python_of(stack)
    except HarnessError as error:
        pytest.skip(str(error))


def in_stack(module, stack, function, /, **arguments):
    """Call a function of the module in the environment of the stack; skip the test if it is not installed."""
    if stack == here():
        pytest.importorskip("torch")
        return getattr(module, function)(**arguments)
    python_or_skip(stack)
    return call(stack, f"{module.__name__}:{function}", **arguments)


def unspanned(table):
    """Return the HTML of a table without its spans, so that a rate and its interval are one text."""
    return re.sub(r"</?span[^>]*>", "", table.html)


def small(**fields):
    """Return an experiment of four sentences and two taggers by espeak."""
    from harness.experiment import validate

    fields = {
        "name": "small",
        "limit": 4,
        "engines": ["espeak"],
        "taggers": ["gold", "rules"],
        "timeout": None,
        **fields,
    }
    return validate(fields)
