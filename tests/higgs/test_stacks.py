import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import DataError, HarnessError, NotAvailable
from harness.higgs.stacks import BOSON, NATIVE, PYTHON_VARIABLES, call, here, python_of
from harness.paths import ROOT

PYTHON = Path(sys.executable)


def test_this_environment_is_native():
    assert here() == NATIVE and python_of(NATIVE) == PYTHON


def test_a_call_runs_in_the_other_environment(boson_python):
    assert call(BOSON, "harness.higgs.stacks:here") == BOSON
    assert boson_python != PYTHON


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


def test_any_other_end_is_told_with_its_last_error():
    with pytest.raises(HarnessError, match=r"without an answer: status 1, TypeError: .*unexpected keyword") as caught:
        call(NATIVE, "harness.higgs.stacks:here", surprise=1)
    assert caught.value.path == str(PYTHON)
    with pytest.raises(HarnessError, match=r"status 1, AttributeError: .*no_such_function"):
        call(NATIVE, "harness.higgs.stacks:no_such_function")
    with pytest.raises(HarnessError, match=r"status 1, TypeError: Object of type \w+ is not JSON serializable"):
        call(NATIVE, "harness.higgs.stacks:python_of", stack=NATIVE)


def test_a_module_that_cannot_be_imported_first():
    with pytest.raises(NotAvailable, match="cannot import no_such_module: No module named 'no_such_module'"):
        call(NATIVE, "harness.higgs.stacks:here", before=("json", "no_such_module"))


def test_only_functions_of_the_harness_are_called():
    with pytest.raises(HarnessError, match="'os:getcwd' is not a function of the harness"):
        call(NATIVE, "os:getcwd")
    with pytest.raises(HarnessError, match="not a function of the harness"):
        call(NATIVE, "harness_of_another:here")


def test_a_worker_of_a_group_can_call(monkeypatch):
    # a process of a group other than its first writes no answer; a call made by such a worker must not inherit that
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert call(NATIVE, "harness.higgs.stacks:here") == NATIVE


def test_of_a_group_the_first_answers(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(HarnessError, match="without an answer: status 0"):
        call(NATIVE, "harness.higgs.stacks:here", launcher=("-X", "utf8"))
    with pytest.raises(DataError, match="control tokens"):  # but whichever fails says why
        call(NATIVE, "harness.higgs.samples:prompt", launcher=("-X", "utf8"), text="<|")


def test_what_is_printed_is_no_result(capfd, monkeypatch, tmp_path):
    (tmp_path / "chatty.py").write_text("print('hello'); import sys; print('there', file=sys.stderr)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert call(NATIVE, "harness.higgs.stacks:here", before=("chatty",)) == NATIVE
    assert capfd.readouterr() == ("", "")
    call(NATIVE, "harness.higgs.stacks:here", before=("chatty",), quiet=False)
    assert capfd.readouterr() == ("", "hello\nthere\n")


def test_a_missing_interpreter(monkeypatch, tmp_path):
    with pytest.raises(HarnessError, match=r"no stack is called 'tf' \(choose from: native, boson\)"):
        python_of("tf")
    monkeypatch.setenv(PYTHON_VARIABLES[BOSON], str(tmp_path / "python"))
    with pytest.raises(NotAvailable, match="HARNESS_BOSON_PYTHON") as caught:
        call(BOSON, "harness.higgs.stacks:here")
    assert caught.value.path == str(tmp_path / "python")
    (tmp_path / "python").write_text("not a program")
    with pytest.raises(NotAvailable, match="cannot be run"):
        call(BOSON, "harness.higgs.stacks:here")


def test_a_chosen_interpreter(monkeypatch):
    monkeypatch.setenv(PYTHON_VARIABLES[BOSON], str(PYTHON))
    assert call(BOSON, "harness.higgs.stacks:here") == NATIVE
    monkeypatch.delenv(PYTHON_VARIABLES[BOSON])
    monkeypatch.setattr("harness.higgs.stacks.ROOT", ROOT / "nowhere")
    with pytest.raises(NotAvailable, match="make env"):
        python_of(BOSON)


WAITS = """
import signal, sys
from harness.higgs.stacks import NATIVE, call
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as the command line does
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where the tests run in the background
call(NATIVE, "harness.store:read_json", path=sys.argv[1])  # of a pipe that nobody writes into
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_is_left_behind(number, tmp_path):
    """Whatever ends the caller, the process that it asked for ends too."""
    os.mkfifo(tmp_path / "pipe")
    command = [sys.executable, "-c", WAITS, str(tmp_path / "pipe")]
    caller = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        child = wait_for(lambda: children_of(caller.pid))[0]
        caller.send_signal(number)
        caller.wait(timeout=30)
        wait_for(lambda: not Path(f"/proc/{child}").exists())
    finally:
        caller.kill()


def children_of(pid):
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for(condition, seconds=30):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")
