"""A finished run and a dask cluster on loopback, for the tests of this folder."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import small

from harness.experiment import run


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Return folder and summary of a finished run of `small()`. A test must copy the folder before it changes files."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    return folder, run(small(), folder, jobs=1)


class Cluster:
    """A scheduler on a free port, and workers. Each has its own process group."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.folder, self.address, self.groups = folder, f"tcp://127.0.0.1:{port}", []
        self.scheduler = self.start("dask_scheduler", "--port", str(port), "--no-dashboard")

    def start(self, program, *arguments, path=Path(__file__).parent):
        command = [sys.executable, "-m", f"distributed.cli.{program}", "--host", "127.0.0.1", *arguments]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), os.environ.get("PYTHONPATH", "")])}
        with (self.folder / "cluster.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self.groups.append(process)
        return process

    def worker(self, **options):
        return self.start("dask_worker", self.address, "--nthreads", "1", "--no-dashboard", **options)

    def both_workers(self):
        """Start two workers, and wait until the scheduler knows both."""
        from distributed import Client

        started = [self.worker(), self.worker()]
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        return started

    def kill(self, process):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.groups.remove(process)


@pytest.fixture
def cluster(tmp_path):
    started = Cluster(tmp_path)
    yield started
    for process in list(started.groups):
        started.kill(process)
