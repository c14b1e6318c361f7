import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import processes
from harness.engines.apart import EngineTimeout
from harness.errors import DataError, HarnessError, NotAvailable, TagError
from harness.paths import ROOT
from harness.processes import call, call_together
from harness.processes.stacks import BOSON, NATIVE, PYTHON_VARIABLES

PYTHON = Path(sys.executable)
HERE = "harness.processes.stacks:here"


def test_a_call_runs_in_the_other_environment(boson_python, monkeypatch):
    assert call(BOSON, HERE) == BOSON and boson_python != PYTHON
    monkeypatch.setenv(PYTHON_VARIABLES[BOSON], str(PYTHON))
    assert call(BOSON, HERE) == NATIVE


def test_a_result_comes_back_and_paths_go_there(tmp_path):
    (tmp_path / "é.json").write_text('{"a": [1, 2.5, null, "ö"]}', encoding="utf-8")
    assert call(PYTHON, "harness.store:read_json", path=tmp_path / "é.json") == {"a": [1, 2.5, None, "ö"]}


def test_an_error_keeps_its_class_place_and_remedy(tmp_path):
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(DataError) as caught:
        call(NATIVE, "harness.store:read_json", path=tmp_path / "list.json")
    assert (caught.value.path, caught.value.message) == (str(tmp_path / "list.json"), "not a JSON object")
    with pytest.raises(DataError) as caught:
        call(NATIVE, "harness.higgs.samples:prompt", text="<|eot_id|>")
    assert caught.value.remedy == "take it out"


class OwnError(DataError):
    pass


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(OwnError, DataError), (TagError, TagError), (EngineTimeout, EngineTimeout), (OSError, HarnessError)],
)
def test_an_error_comes_back_as_the_nearest_class_of_the_harness(kind, expected):
    error = processes.rebuilt(processes.described(kind("why"), "the engine e"))
    assert type(error) is expected and "why" in error.message


@pytest.mark.parametrize(
    ("function", "arguments", "error"),
    [
        (HERE, {"surprise": 1}, "TypeError: .*unexpected keyword"),
        ("harness.processes.stacks:no_such_function", {}, "AttributeError: .*no_such_function"),
        ("harness.processes.stacks:python_of", {"stack": NATIVE}, r"TypeError: Object of type \w+ is not JSON "),
    ],
)
def test_any_other_failure_is_reported_with_its_last_error(function, arguments, error):
    with pytest.raises(HarnessError, match=rf"{function} gave no answer: .* ended \(exit code 1\): {error}") as caught:
        call(NATIVE, function, **arguments)
    assert caught.value.path == str(PYTHON)


def test_a_module_that_cannot_be_imported_first():
    with pytest.raises(NotAvailable, match="cannot import no_such_module: No module named 'no_such_module'"):
        call(NATIVE, HERE, before=("json", "no_such_module"))


def test_a_worker_of_a_group_can_call(monkeypatch):
    # a process of a group other than its first writes no answer; a call made by such a worker must not inherit that
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert call(NATIVE, HERE) == NATIVE


def test_only_the_first_process_of_a_group_answers(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(HarnessError, match=r"gave no answer: the process ended \(exit code 0\)"):
        call(NATIVE, HERE, launcher=("-X", "utf8"))
    with pytest.raises(DataError, match="control tokens"):  # but whichever fails says why
        call(NATIVE, "harness.higgs.samples:prompt", launcher=("-X", "utf8"), text="<|")


def test_printed_text_is_not_part_of_the_result(capfd, monkeypatch, tmp_path):
    (tmp_path / "chatty.py").write_text("print('hello'); import sys; print('there', file=sys.stderr)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert call(NATIVE, HERE, before=("chatty",)) == NATIVE
    assert capfd.readouterr() == ("", "")
    call(NATIVE, HERE, before=("chatty",), quiet=False)
    assert capfd.readouterr() == ("", "hello\nthere\n")


def test_an_interpreter_that_cannot_be_run(tmp_path):
    (tmp_path / "python").write_text("not a program")
    with pytest.raises(NotAvailable, match="cannot be run"):
        call(tmp_path / "python", HERE)


def test_calls_together_share_the_cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(processes.os, "cpu_count", lambda: 8)
    got = call_together({name: lambda: os.environ["OMP_NUM_THREADS"] for name in ("one", "two", "three")})
    assert got == {"one": "4", "two": "4", "three": "4"} and "OMP_NUM_THREADS" not in os.environ


def test_a_child_does_not_see_the_packages_of_this_interpreter(monkeypatch):
    monkeypatch.syspath_prepend(sys.prefix)
    path = processes.search_path()
    assert path[0] == str(ROOT) and str(Path(__file__).parent) in path
    assert sys.prefix not in path
    assert not any("site-packages" in entry or Path(entry) == Path(os.__file__).parent for entry in path)


WAITS = """
import signal, sys
from harness.processes.stacks import NATIVE
from harness.processes import call
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as the command line does
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where the tests run in the background
call(NATIVE, "harness.store:read_json", path=sys.argv[1], launcher=tuple(sys.argv[2:]))  # of a pipe without a writer
"""
LAUNCHER = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, *sys.argv[1:]]))"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("number", "launcher"),
    [(signal.SIGINT, []), (signal.SIGTERM, ["-c", LAUNCHER]), (signal.SIGKILL, []), (signal.SIGKILL, ["-c", LAUNCHER])],
)
def test_no_process_is_left_behind(number, launcher, tmp_path):
    """However the caller ends, the process that it started ends too, and so does one started by a launcher."""
    os.mkfifo(tmp_path / "pipe")
    command = [sys.executable, "-c", WAITS, str(tmp_path / "pipe"), *launcher]
    caller = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        child = wait_for(lambda: children_of(caller.pid))[0]
        last = wait_for(lambda: children_of(child))[0] if launcher else child
        caller.send_signal(number)
        caller.wait(timeout=30)
        wait_for(lambda: not Path(f"/proc/{last}").exists())
    finally:
        caller.kill()


UNAIDED = """
import os, sys, time
from harness import processes
sys.platform = "other"
processes.end_with_caller()
time.sleep(30)
"""
STARTS_IT = """
import os, subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", {code!r}], env={{**os.environ, "HARNESS_CALLER": str(os.getpid())}}).pid,
      flush=True)
time.sleep(30)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_child_ends_where_the_kernel_does_not_help():
    code = STARTS_IT.format(code=UNAIDED)
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        time.sleep(2)
        assert Path(f"/proc/{child}").exists()
        parent.kill()
        wait_for(lambda: not Path(f"/proc/{child}").exists())


def children_of(pid):
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for children in threads for child in children.read_text().split()]


def wait_for(condition, seconds=30):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")
