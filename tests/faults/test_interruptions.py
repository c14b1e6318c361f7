"""A kill, Ctrl-C, a full disk, a read-only folder, two runs at once, a clock that jumps."""

import ctypes
import errno
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from helpers import small
from processes import HARNESS, Command, content, interrupted

from harness.errors import DataError, HarnessError
from harness.experiment import run, tiny_training_set
from harness.higgs.train_config import TrainConfig
from harness.higgs.training import launch
from harness.processes import parallel
from harness.processes.parallel import in_parallel
from harness.records import Prediction
from harness.store import Store, locked, write_atomic

TEXT = "We <emph> guarantee a fair price."
SMALL = small(limit=3)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the files of an undisturbed run."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    run(SMALL, folder, jobs=1)
    return content(folder)


@pytest.fixture
def experiment(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL.model_dump(mode="json", by_alias=True)))
    return path


def resumes_to(files, folder):
    """Return whether the rest of the run gives the files of an undisturbed run."""
    run(SMALL, folder, jobs=1)
    return content(folder) == files


def limited():
    """Limit files of this process to 30 kB, as on a nearly full disk; the clips are larger."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))


def one_clear_line(said, *parts):
    lines = said.strip().splitlines()
    assert "Traceback" not in said and lines[-1].startswith("harness: ")
    for part in parts:
        assert part in lines[-1], said


# Locks.


def test_a_lock_names_its_holder_and_is_released_when_it_dies(tmp_path):
    program = f"""
import time
from pathlib import Path
from harness.store import locked
with locked(Path({str(tmp_path)!r}), "run"):
    print("held", flush=True)
    time.sleep(600)
"""
    holder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        message = rf"another run is writing into this folder \(process {holder.pid}\)"
        with pytest.raises(DataError, match=message) as found:
            run(SMALL, tmp_path)
        assert found.value.path == str(tmp_path) and "wait for it" in found.value.remedy
    finally:
        holder.kill()
        holder.wait()
    with locked(tmp_path, "run"):  # the file still contains the id of the dead process
        pass
    assert (tmp_path / ".lock").read_bytes() == b""


def test_a_folder_that_is_a_file_cannot_be_locked(tmp_path):
    (tmp_path / "file").write_text("")
    message = r"cannot be written: .* \(check that the folder exists"
    with pytest.raises(DataError, match=message), locked(tmp_path / "file", "run"):
        pass


def test_a_training_is_locked_too(tmp_path):
    config = TrainConfig(stack="native", model="m", codec="c", manifest="m.jsonl", output=str(tmp_path))
    with locked(tmp_path, "training"), pytest.raises(DataError, match="another training is writing into this folder"):
        launch(config)


def test_an_interrupted_tiny_training_set_leaves_nothing(tmp_path, monkeypatch):
    def make(folder, **_):
        folder.mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(tiny_training_set, "make_tiny_apart", make)
    with pytest.raises(KeyboardInterrupt):
        tiny_training_set.make_tiny_training_set(tmp_path / "play")
    assert [*tmp_path.iterdir()] == []


# Kills.


@pytest.mark.parametrize(("kind", "longest"), [("group", 0.5), ("parent", 6)])
def test_a_killed_run_leaves_no_process_and_resumes_to_the_same_bytes(tmp_path, experiment, finished, kind, longest):
    """The kill comes at a random moment of the first sentences, or of the whole run."""
    folder = tmp_path / "run"
    running = Command([*HARNESS, "run", experiment, "--out", folder, "--jobs", 2], tmp_path / "log")
    try:
        while not list(folder.glob("clips/*.wav")) and running.process.poll() is None:
            time.sleep(0.02)
        assert running.process.poll() is None, running.said
        if not running.ended_within(random.uniform(0, longest)):
            running.kill(kind)
        assert running.left()[0] == []
    finally:
        running.end()
    assert resumes_to(finished, folder)


def die_once(task):
    folder, number = task
    if number == 3 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_work_of_a_killed_worker_is_repeated_until_too_many_die(tmp_path, monkeypatch):
    assert sorted(in_parallel(die_once, [(tmp_path, number) for number in range(20)], jobs=2)) == [*range(20)]
    assert (tmp_path / "died").exists()
    monkeypatch.setattr(parallel, "DEATHS", 1)
    with pytest.raises(HarnessError, match=r"worker processes died 1 times in a row \(.* fewer --jobs"):
        list(in_parallel(die, range(3, 5), jobs=2))


# Ctrl-C.


def test_an_interrupted_run_says_how_to_resume_it(tmp_path, experiment, finished):
    folder = tmp_path / "run"
    command = [*HARNESS, "run", experiment, "--out", folder, "--jobs", 2]
    code, said, left = interrupted(command, tmp_path / "log", lambda: list(folder.glob("clips/*.wav")))
    assert (code, left) == (130, [])
    one_clear_line(said, "interrupted; finished work is kept in", str(folder), "the same command resumes the run")
    assert resumes_to(finished, folder)


def test_an_interrupt_hides_errors_of_abandoned_tasks():
    """If a kernel dies with the build, asyncio reports the failed task, which was never awaited, at garbage collection."""
    code = """
import asyncio
import harness.cli

def app():
    async def dies():
        raise OSError("the kernel died")
    async def builds():
        task = asyncio.create_task(dies())
        await asyncio.sleep(0)
        raise KeyboardInterrupt
    asyncio.run(builds())

harness.cli.app = app
harness.cli.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr.startswith("harness: interrupted") and len(done.stderr.splitlines()) == 1


def test_an_interrupted_tagging_keeps_whole_lines(tmp_path):
    program = """
import sys, time
from harness.taggers.rules import RulesTagger
class Slow(RulesTagger):
    def tag(self, texts):
        if texts and texts[0].words[0] == "Later":
            time.sleep(600)
        return super().tag(texts)
"""
    (tmp_path / "slow_tagger.py").write_text(program)
    (tmp_path / "in.txt").write_text("First we go on.\n" * 64 + "Later we stop.\n" * 64)
    command = [*HARNESS, "tag", tmp_path / "in.txt", "--tagger", "slow_tagger:Slow"]
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    log = tmp_path / "log"
    code, said, left = interrupted(command, log, lambda: log.read_text().count("\n") >= 64, env={"PYTHONPATH": path})
    assert (code, left) == (130, [])
    one_clear_line(said, "interrupted")
    assert said.count("\n") == 65


# A full disk.


def test_a_full_disk_gives_one_line_and_the_run_resumes_to_the_same_bytes(tmp_path, experiment, finished):
    folder = tmp_path / "run"
    command = [*HARNESS, "run", experiment, "--out", folder, "--jobs", "1"]
    done = subprocess.run(command, preexec_fn=limited, capture_output=True, text=True)
    assert done.returncode == 2
    one_clear_line(done.stderr, str(folder / "clips"), "the audio file cannot be written", "make room on the disk")
    assert not [*folder.rglob("*.wav")]
    assert resumes_to(finished, folder)


def test_a_full_disk_stops_commands_that_write_one_file(tmp_path):
    out = tmp_path / "x.wav"
    done = subprocess.run([*HARNESS, "say", TEXT, "-o", out], preexec_fn=limited, capture_output=True, text=True)
    assert done.returncode == 2
    one_clear_line(done.stderr, str(out), "cannot be written", "room")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*HARNESS, "tag", "--tagger", "rules"], input="We go on.\n", stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    one_clear_line(done.stderr, "the output: No space left on device (make room")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "make room on the disk"), (errno.EROFS, "choose a folder that can be written")],
)
def test_the_error_of_a_file_that_cannot_be_written_has_a_remedy(tmp_path, monkeypatch, number, remedy):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    store = Store(tmp_path / "s.jsonl", Prediction)
    monkeypatch.setattr(os, "fsync", fail)
    for write in (
        lambda: store.add([Prediction(tagger="t", id="1", text="Yes")]),
        lambda: write_atomic(store.path, "x"),
    ):
        with pytest.raises(DataError, match=rf"cannot be written: .* \({remedy}") as found:
            write()
        assert found.value.path == str(store.path)
    assert len(store) == 0 and [path.name for path in tmp_path.iterdir()] == ["s.jsonl"]


# A folder that cannot be written.


def without_root_rights():
    """Drop the right of root to write anywhere (linux/prctl.h, linux/capability.h)."""
    if os.geteuid() == 0:
        drop_from_bounding_set, dac_override = 24, 1
        assert ctypes.CDLL(None).prctl(drop_from_bounding_set, dac_override, 0, 0, 0) == 0


def test_a_folder_that_cannot_be_written(tmp_path, experiment):
    folder = tmp_path / "run"
    (folder / "clips").mkdir(parents=True)
    folder.chmod(0o555)
    command = [*HARNESS, "run", experiment, "--out", folder]
    done = subprocess.run(command, preexec_fn=without_root_rights, capture_output=True, text=True)
    assert done.returncode == 2
    one_clear_line(done.stderr, str(folder), "Permission denied", "choose a folder that you may write into")


# The clock.


def test_a_clock_that_jumps_changes_no_result(tmp_path, finished, monkeypatch):
    moments = iter(range(10**6))
    monkeypatch.setattr(time, "time", lambda: 2e9 - 1e6 * next(moments))  # eleven days back at every call
    folder = tmp_path / "run"
    with monkeypatch.context() as stopped:
        stopped.setattr("harness.experiment.runner.summarise", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(SMALL, folder, jobs=1)
    future = (datetime.now(UTC) + timedelta(days=400)).timestamp()
    for number, path in enumerate(sorted(folder.rglob("*"))):
        os.utime(path, (future, future) if number % 2 else (0, 0))
    assert resumes_to(finished, folder)
    before = json.loads((folder / "manifest.json").read_text())
    run(SMALL, folder, jobs=1)  # a finished run stays finished, whatever the times of its files
    assert json.loads((folder / "manifest.json").read_text()) == before
