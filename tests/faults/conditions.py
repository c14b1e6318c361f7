"""Conditions other than a kill: a full disk, a read-only disk, two runs at once, Ctrl-C. Each gives one row of a table."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.paths import DATA
from tests.faults.book_kills import Checkout
from tests.faults.processes import HARNESS, Command, Outcome, interrupted
from tests.faults.run_kills import command, content, write_experiment

TEXT = "We <emph> guarantee a fair price."


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Callable[[str], None]]:
    """Mount a file system in memory at `folder`; yield a function that remounts it with other options."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder], check=True)
    try:
        yield lambda options: subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True) and None
    finally:
        subprocess.run(["umount", folder], check=True)


def row(name: str, outcome: Outcome, wanted: int, *parts: object, then: bool = True) -> dict[str, Any]:
    """Return the row of a condition.

    It is good if the exit code is the wanted one, no process is left, the last line of the output contains all `parts` and
    there is no traceback, and what was tried afterwards succeeded (`then`).
    """
    code, said, left = outcome
    last = (said.strip().splitlines() or [""])[-1]
    good = code == wanted and then and not left and "Traceback" not in said and all(str(part) in last for part in parts)
    print(f"{'good' if good else 'BAD '}  {name}: {code}, {last}", flush=True)
    return {"condition": name, "good": good, "exit code": code, "said": last, "orphans": left}


def try_conditions(folder: Path, checkout: Checkout) -> list[dict[str, Any]]:
    """Try all conditions that this user can create."""
    experiment = write_experiment(folder, limit=4)
    assert finished(folder, experiment, "whole"), (folder / "log").read_text()
    rows = [*at_once(folder, experiment), *stopped(folder, experiment)]
    if os.geteuid() == 0 and os.uname().sysname == "Linux":
        rows += [*full_disk(folder, experiment), *read_only(folder, experiment)]
    else:
        print("not root: full and read-only disks are tried only by tests/faults/test_interruptions.py, in another way")
    return [*rows, stopped_book(checkout)]


def outcome_of(folder: Path, *arguments: object) -> Outcome:
    """Run a command of the harness to its end."""
    return Command([*HARNESS, *arguments], folder / "log").outcome()


def finished(folder: Path, experiment: Path, target: Path | str) -> bool:
    """Run the experiment, or the rest of it; return whether it ends with the same files as the undisturbed run."""
    code, *_ = Command(command(experiment, folder / target), folder / "log").outcome()
    return code == 0 and content(folder / target) == content(folder / "whole")


def full_disk(folder: Path, experiment: Path) -> Iterator[dict[str, Any]]:
    disk = folder / "disk"
    with small_disk(disk, 400) as remount:
        stopped_run = Command(command(experiment, disk / "run"), folder / "log").outcome()
        remount("size=100m")
        then = finished(folder, experiment, disk / "run")
        yield row("harness run, disk full; then there is room", stopped_run, 2, "make room", disk, then=then)
    outcome_of(folder, "say", "We guarantee it", "-o", folder / "x.wav")
    disk = folder / "disk2"
    with small_disk(disk, 40):
        yield row("harness say -o, disk full", outcome_of(folder, "say", TEXT, "-o", disk / "x.wav"), 2, "room", disk)
        used = sum(path.stat().st_size for path in disk.iterdir()) // 4096 * 4096
        (disk / "filler").write_bytes(bytes(40 * 1024 - used))
        align = outcome_of(folder, "align", folder / "x.wav", "--text", "We guarantee it", "-o", disk / "x.TextGrid")
        yield row("harness align -o, disk full", align, 2, "room", disk)
        gold = DATA / "examples" / "heldout.jsonl"
        for name, arguments in (("tag", ["--tagger", "rules"]), ("score", ["placement", "--json", gold, gold])):
            with (disk / "out.txt").open("w") as output:
                done = subprocess.run([*HARNESS, name, *map(str, arguments)], input="We go on with it.\n" * 9999,
                                      stdout=output, stderr=subprocess.PIPE, text=True)  # fmt: skip
            yield row(f"harness {name} > file, disk full", (done.returncode, done.stderr, []), 2, "make room")


def read_only(folder: Path, experiment: Path) -> Iterator[dict[str, Any]]:
    target = folder / "read" / "run"
    with small_disk(folder / "read", 9000) as remount:
        for _ in range(2):  # into an empty folder, and into a finished run
            remount("ro")
            refused = Command(command(experiment, target), folder / "log").outcome()
            yield row("harness run, read-only disk", refused, 2, "Read-only file system", "choose", target)
            remount("rw")
            assert finished(folder, experiment, target)
        remount("ro")
        refused = outcome_of(folder, "say", TEXT, "-o", target / "x.wav")
        yield row("harness say -o, read-only disk", refused, 2, "cannot be written", target)
        remount("rw")


def at_once(folder: Path, experiment: Path) -> Iterator[dict[str, Any]]:
    target = folder / "twice"
    first = Command(command(experiment, target), folder / "first.log")
    while not (target / ".lock").exists() or not (target / ".lock").read_text():
        time.sleep(0.01)
    second = Command(command(experiment, target), folder / "log").outcome()
    then = first.wait() == 0 and content(target) == content(folder / "whole")
    yield row("two runs into one folder", second, 2, "another run is writing", first.process.pid, "wait", then=then)


def stopped(folder: Path, experiment: Path) -> Iterator[dict[str, Any]]:
    target, log = folder / "stopped", folder / "log"
    stopped_run = interrupted(command(experiment, target), log, lambda: list(target.glob("clips/*.wav")))
    then = finished(folder, experiment, target)
    yield row("harness run, Ctrl-C", stopped_run, 130, "is kept", "the same command", then=then)
    say = [*HARNESS, "say", "We go on. " * 3000, "-o", folder / "long.wav"]
    ready_at = time.monotonic() + 2.5
    stopped_say = interrupted(say, log, lambda: time.monotonic() > ready_at)
    yield row("harness say, Ctrl-C", stopped_say, 130, "interrupted", "the same command")


def stopped_book(checkout: Checkout) -> dict[str, Any]:
    checkout.unmake()
    outcome: Outcome = 0, "", ["?"]
    building = checkout.doit("site")
    try:
        while "notebook:02" not in building.said and building.process.poll() is None:
            time.sleep(0.1)
        time.sleep(8)  # until the kernel runs
        building.interrupt()
        outcome = building.outcome()
    finally:
        building.end()
    return row("make book, Ctrl-C", outcome, 130, "interrupted", "the same command")
