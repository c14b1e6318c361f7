"""One training at a time in a tagger's folder."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from harness.errors import DataError
from harness.paths import relative

LOCK = ".training.lock"


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Hold the lock of a tagger's folder; yields whether this process had to wait for another one."""
    if int(os.environ.get("RANK") or 0) > 0:  # one of several processes of a launcher; the first holds the lock for all
        yield False
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        waited = False
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"harness: another process is training the tagger in {relative(folder)}; waiting for its result",
                  file=sys.stderr, flush=True)  # fmt: skip
            lock.acquire()
            waited = int(os.environ.get("WORLD_SIZE") or 1) == 1  # the other processes of a launcher did not wait
    except OSError as error:
        raise DataError(f"the tagger's folder cannot be created: {error.strerror}", path=folder) from error
    try:
        yield waited
    finally:
        lock.release()
