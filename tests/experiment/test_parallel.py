"""Parallel work gives the same results as serial work, each once, even if processes die."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from harness.errors import HarnessError, NotAvailable
from harness.processes import parallel
from harness.processes.parallel import in_parallel

pytest.importorskip("distributed")


def square(number):
    return number * number


def fail_at_three(number):
    if number == 3:
        raise OSError("three")  # also what dask raises for a lost connection
    return number


def slow(folder, key):
    with Path(folder, "log").open("a") as log:
        log.write(f"{key} {os.getpid()}\n")
    time.sleep(0.1)
    return key


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


class Lazy:
    """A sequence that counts how many items were read."""

    def __init__(self, length):
        self.length, self.read = length, 0

    def __len__(self):
        return self.length

    def __iter__(self):
        for number in range(self.length):
            self.read += 1
            yield number


@contextmanager
def no_process_left():
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    deadline = time.monotonic() + 10
    while left := [c for c in psutil.Process().children(recursive=True) if c.pid not in before and _works(c)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def _works(process):
    """Return whether the process is a worker, not a tracker of multiprocessing, which lives as long as this process."""
    try:
        return "tracker" not in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_the_same_results_as_in_serial(backend):
    for items in (range(40), []):
        found = list(in_parallel(square, items, jobs=2, backend=backend))
        assert sorted(found) == [square(item) for item in items]


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_an_exception_of_the_function_is_raised_by_the_caller(backend):
    with pytest.raises(OSError, match="three"):
        list(in_parallel(fail_at_three, range(8), jobs=2, backend=backend))


@pytest.mark.parametrize(("backend", "most"), [("loky", 2 * parallel.CHUNK), ("dask", 3 * 2 * parallel.WINDOW)])
def test_items_are_not_read_far_ahead_of_a_slow_caller(backend, most):
    items = Lazy(10_000)
    with no_process_left():
        results = in_parallel(square, items, jobs=2, backend=backend)
        next(results)
        time.sleep(1.5)  # enough time for hundreds of items
        assert items.read <= most
        results.close()


def test_one_job_stays_in_this_process():
    items = Lazy(100)
    results = in_parallel(lambda _: os.getpid(), items, jobs=1)
    assert next(results) == os.getpid()
    assert items.read == 2


def test_a_local_cluster_listens_on_loopback_only_and_leaves_nothing(tmp_path, monkeypatch):
    import dask

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("DASK_TEMPORARY_DIRECTORY", raising=False)
    with no_process_left(), dask.config.set({"temporary-directory": None}):
        results = in_parallel(square, range(1000), jobs=2, backend="dask")
        next(results)
        processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
        connections = [one for process in processes if _works(process) for one in process.net_connections("inet")]
        listening = [one.laddr.ip for one in connections if one.status == "LISTEN"]
        assert len(listening) > 3 and set(listening) == {"127.0.0.1"}
        assert len(list(results)) == 999
    assert not list(tmp_path.iterdir())


def test_a_worker_killed_during_the_work_loses_and_doubles_nothing(cluster, tmp_path):
    workers = cluster.both_workers()
    found = []
    with no_process_left():
        for key in in_parallel(partial(slow, str(tmp_path)), Lazy(40), backend="dask", scheduler=cluster.address):
            found.append(key)
            if len(found) == 6:
                cluster.kill(workers[0])
    assert sorted(found) == list(range(40))
    runs = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    times = Counter(int(key) for key, _ in runs)
    assert set(times) == set(range(40))
    assert len({pid for _, pid in runs}) == 2  # the killed worker had tasks


def test_a_worker_may_join_later(cluster):
    threading.Timer(2, cluster.worker).start()
    found = sorted(in_parallel(square, range(20), backend="dask", scheduler=cluster.address))
    assert found == [square(number) for number in range(20)]


def test_no_scheduler(monkeypatch):
    monkeypatch.setattr(parallel, "LIMIT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections but never answers
        answering_nothing = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        for address in (answering_nothing, "tcp://127.0.0.1:1", "nonsense://x", "127.0.0.1:many"):
            begun = time.monotonic()
            with pytest.raises(HarnessError, match=r"dask scheduler --host 127\.0\.0\.1.*dask worker"):
                list(in_parallel(square, range(4), backend="dask", scheduler=address))
            assert time.monotonic() - begun < 5


def test_no_workers(cluster, monkeypatch):
    monkeypatch.setattr(parallel, "LIMIT", 4.0)
    with pytest.raises(HarnessError, match=r"no workers.*dask worker"):
        list(in_parallel(square, range(4), backend="dask", scheduler=cluster.address))


@pytest.mark.parametrize(("victim", "message"), [("worker", "no workers"), ("scheduler", "was lost")])
def test_the_last_worker_or_the_scheduler_dies(victim, message, cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "LIMIT", 4.0)
    worker = cluster.worker()
    results = in_parallel(partial(slow, str(tmp_path)), range(200), backend="dask", scheduler=cluster.address)
    next(results)
    cluster.kill(worker if victim == "worker" else cluster.scheduler)
    begun = time.monotonic()
    with pytest.raises(HarnessError, match=message):
        list(results)
    assert time.monotonic() - begun < 25


def test_a_unit_that_kills_its_workers_is_an_error():
    with no_process_left(), pytest.raises(HarnessError, match="died"):
        list(in_parallel(die, range(2), jobs=2, backend="dask"))


@pytest.mark.parametrize(
    ("source", "message"),
    [("def running_code(): return 'harness 0.0.7 on Python 2'",
      r"^the dask worker tcp\S+ runs harness 0\.0\.7 on Python 2, but .* runs harness"),
     ("", "cannot import")],
)  # fmt: skip
def test_workers_with_other_code_are_refused(source, message, cluster, tmp_path):
    other = tmp_path / "other" / "harness" / "processes"
    other.mkdir(parents=True)
    for file in (other.parent / "__init__.py", other / "__init__.py"):
        file.touch()
    (other / "parallel.py").write_text(source)
    cluster.worker(path=tmp_path / "other")
    with pytest.raises(HarnessError, match=message):
        list(in_parallel(square, range(4), backend="dask", scheduler=cluster.address))


def test_a_worker_with_other_code_that_comes_later_is_refused():
    with pytest.raises(HarnessError, match="harness 9"):
        parallel._unit(square, 2, "harness 9")


def test_a_missing_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(NotAvailable, match="pip install distributed"):
        list(in_parallel(square, range(4), backend="dask"))


@pytest.mark.parametrize("options", [{"backend": "slurm"}, {"scheduler": "tcp://127.0.0.1:1"}, {"jobs": 0}])
def test_impossible_options(options):
    with pytest.raises(HarnessError):
        in_parallel(square, range(4), **options)


@pytest.mark.parametrize(("backend", "everyone"), [("loky", False), ("dask", True), ("dask", False)])
def test_an_interrupt_leaves_no_process(backend, everyone, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from functools import partial\nfrom test_parallel import slow\nfrom harness.processes.parallel import in_parallel\n"
        "if __name__ == '__main__':\n"
        f"    for key in in_parallel(partial(slow, {str(tmp_path)!r}), range(1000), jobs=2, backend={backend!r}): pass\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    process = subprocess.Popen(
        [sys.executable, script], env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "log").exists() or len((tmp_path / "log").read_text().splitlines()) < 10:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.1)
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 2
        (os.killpg if everyone else os.kill)(process.pid, signal.SIGINT)  # Ctrl-C, or `kill -INT`
        _, errors = process.communicate(timeout=60)
        assert "KeyboardInterrupt" in errors
        _, left = psutil.wait_procs(family, timeout=10)
        assert not left
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def die_at_three(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_an_item_that_kills_its_workers_costs_only_itself(backend):
    found = list(in_parallel(die_at_three, range(9), jobs=2, backend=backend, lost=lambda number: -number))
    assert sorted(found) == sorted(-number if number == 3 else number * number for number in range(9))
