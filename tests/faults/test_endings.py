"""Signals that end a command; standard streams that are closed, full, or not read."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import HARNESS, Command

from harness.paths import DATA

QUICKSTART = DATA / "experiments" / "quickstart.yaml"
HELDOUT = DATA / "examples" / "heldout.jsonl"


def shared_memory_of(process):
    """Return what loky and joblib left in shared memory; the names contain the process id."""
    name = re.compile(rf"(sem\.loky-|joblib_memmapping_folder_){process}\D")
    return [path.name for path in Path("/dev/shm").glob("*") if name.match(path.name)]


def sent(command, log, ready, *signals):
    """Return the outcome of a command that gets signals, 0.05 s apart, as soon as `ready()`."""
    running = Command(command, log)
    try:
        while not ready() and running.process.poll() is None:
            time.sleep(0.02)
        assert running.process.poll() is None, running.said
        for number in signals:
            os.killpg(running.process.pid, number)
            time.sleep(0.05)
        code, said, left = running.outcome(60)
        return code, said, [*left, *shared_memory_of(running.process.pid)]
    finally:
        running.end()


def run_that_gets(tmp_path, *signals):
    folder = tmp_path / "run"
    command = [*HARNESS, "run", QUICKSTART, "--out", folder, "--jobs", 2]
    return sent(command, tmp_path / "log", lambda: list(folder.glob("clips/*.wav")), *signals)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_ended_by_a_signal_says_so_and_leaves_nothing(tmp_path, number):
    code, said, left = run_that_gets(tmp_path, number)
    assert (code, left) == (128 + number, [])
    assert said == f"harness: ended by {number.name}; finished work is kept (run the same command again)\n"
    assert (tmp_path / "run" / ".lock").read_bytes() == b"" and list((tmp_path / "run").glob("clips/*.wav"))


def test_repeated_ctrl_c_gives_one_line(tmp_path):
    code, said, left = run_that_gets(tmp_path, *[signal.SIGINT] * 40)
    assert (code, left) == (130, [])
    assert said.startswith("harness: interrupted; finished work is kept in") and said.count("\n") == 1
    assert str(tmp_path / "run") in said and "the same command resumes the run" in said


def test_a_signal_ends_espeak(tmp_path):
    log, begun = tmp_path / "log", time.monotonic()
    command = [*HARNESS, "say", "We go on. " * 3000, "-o", tmp_path / "x.wav"]
    code, said, left = sent(command, log, lambda: time.monotonic() - begun > 3, signal.SIGTERM)
    assert (code, left) == (143, []) and not (tmp_path / "x.wav").exists()
    assert said == "harness: ended by SIGTERM; nothing was written (run the same command again)\n"


def test_sighup_is_ignored_under_nohup(tmp_path):
    command = [sys.executable, "-c", "import harness.cli as c, os, signal, sys\n"
               "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
               "c.app = lambda: (os.kill(os.getpid(), signal.SIGHUP), print('alive'))\nc.main()"]  # fmt: skip
    assert subprocess.run(command, capture_output=True, text=True).stdout == "alive\n"


def test_ctrl_c_in_code_compiled_from_a_string_ends_with_130():
    code = "import harness.cli as c\ndef app():\n    exec('raise KeyboardInterrupt')\nc.app = app\nc.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 130 and done.stderr.startswith("harness: interrupted")


def test_ctrl_c_during_imports_gives_one_line(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nclass Hit:\n    def find_spec(self, name, *_):\n        if name == 'harness.cli':\n"
        "            exec('raise KeyboardInterrupt')\nsys.meta_path.insert(0, Hit())\n"
    )
    done = subprocess.run(
        [*HARNESS, "doctor"], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)}
    )
    assert (done.returncode, done.stderr) == (130, "harness: interrupted\n")


@pytest.mark.parametrize("arguments", [["--help"], ["tag", "--tagger", "rules", HELDOUT]])
def test_a_closed_pipe_is_not_a_failure(arguments):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*HARNESS, *map(str, arguments)], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("command", "code"),
    [("tag --tagger rules <&-", 0), ("run no.yaml 2>/dev/full", 2), ("tag --tagger no <&- >&- 2>&-", 2)],
)
def test_closed_and_full_streams(command, code):
    line = f'"$@" {command}'
    done = subprocess.run(
        ["/bin/sh", "-c", line, "sh", *HARNESS], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (code, "")


def test_a_file_does_not_get_the_number_of_a_closed_stream(tmp_path):
    """Otherwise, the output of a library would be written into it."""
    code = f"import harness.cli as c\nc.app = lambda: print(open({str(tmp_path / 'x')!r}, 'w').fileno())\nc.main()"
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" <&- 2>&-', "sh", sys.executable, "-c", code], capture_output=True, text=True
    )
    assert int(done.stdout) > 2
