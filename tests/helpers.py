"""What tests of several folders call: the command as a person or a script types it, and the stacks of Higgs."""

import subprocess
import sys

import pytest

from harness.datasets import REMOTES, locate
from harness.errors import HarnessError
from harness.higgs.stacks import here, python_of
from harness.paths import ROOT
from harness.processes import call


def harness(*arguments, stdin=None, cwd=ROOT, **options):
    """Run the command to its end; what it printed is kept, in bytes unless ``text=True``."""
    command = [sys.executable, "-m", "harness", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, cwd=cwd, **options)


def needs_data(name):
    """Mark a test that needs a data set that is fetched on demand, such as ``helsinki-prosody``."""
    missing = [file.path for file in REMOTES[name].files if locate(file.path) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{name} is not on this machine: harness data fetch {name}")


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
