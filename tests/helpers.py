"""What tests of several folders call: the command as a person or a script types it, and the stacks of Higgs."""

import subprocess
import sys

import pytest

from harness.datasets import REMOTES, locate
from harness.errors import HarnessError
from harness.paths import ROOT
from harness.processes import call
from harness.processes.stacks import here, python_of


def harness(*arguments, stdin=None, cwd=ROOT, **options):
    """Run the command to its end; what it printed is kept, in bytes unless ``text=True``."""
    command = [sys.executable, "-m", "harness", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, cwd=cwd, **options)


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
    """The interpreter of a stack; the test is skipped without one."""
    try:
        return python_of(stack)
    except HarnessError as error:
        pytest.skip(str(error))


def in_stack(module, stack, function, /, **arguments):
    """Call a function of the module in this process if it is of the stack, else in one that is; skip without one."""
    if stack == here():
        pytest.importorskip("torch")
        return getattr(module, function)(**arguments)
    python_or_skip(stack)
    return call(stack, f"{module.__name__}:{function}", **arguments)
