"""What else goes wrong: a full disk, a read-only one, two runs at once, Ctrl-C. Each condition is a row: what was done, what came of it."""

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
from tests.faults.processes import HARNESS, Command, interrupted
from tests.faults.run_kills import command, content, write_experiment

TEXT = "We <emph> guarantee a fair price."


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Callable[[str], None]]:
    """A file system in memory, mounted at `folder`; yields a function that mounts it again with other options."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder], check=True)
    try:
        yield lambda options: subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True) and None
    finally:
        subprocess.run(["umount", folder], check=True)


def row(
    name: str, code: int, said: str, wanted: int, *parts: str, left: list[str] | None = None, then: bool = True
) -> dict[str, Any]:
    """One condition; it is good if the code is the wanted one, and the last line is the only trouble and says enough."""
    last = (said.strip().splitlines() or [""])[-1]
    good = code == wanted and then and not left and "Traceback" not in said and all(part in last for part in parts)
    print(f"{'good' if good else 'BAD '}  {name}: {code}, {last}", flush=True)
    return {"condition": name, "good": good, "exit code": code, "said": last, "orphans": left or []}


def try_conditions(folder: Path, checkout: Checkout) -> list[dict[str, Any]]:
    """All conditions that this user may make."""
    experiment = write_experiment(folder, limit=4)
    run = command(experiment, folder / "whole")
    assert (whole := Command(run, folder / "log")).wait() == 0, whole.said
    rows = [*at_once(folder), *stopped(folder, experiment)]
    if os.geteuid() == 0 and os.uname().sysname == "Linux":
        rows += [*full_disk(folder, experiment), *read_only(folder, experiment)]
    else:
        print(
            "not root: a full and a read-only disk are tried by tests/faults/test_interruptions.py alone, with a limit and rights"
        )
    return [*rows, stopped_book(checkout)]


def full_disk(folder: Path, experiment: Path) -> Iterator[dict[str, Any]]:
    with small_disk(folder / "disk", 400) as again:
        disk = folder / "disk"
        running = Command(command(experiment, disk / "run"), folder / "log")
        code, said = running.wait(), running.said
        again("size=100m")
        then = Command(command(experiment, disk / "run"), folder / "log").wait() == 0
        then = then and content(disk / "run") == content(folder / "whole")
        yield row(
            "harness run, disk full; then there is room",
            code,
            said,
            2,
            "make room",
            str(disk),
            left=running.left()[0],
            then=then,
        )
    with small_disk(folder / "disk2", 40) as again:
        out = folder / "disk2"
        gold = DATA / "examples" / "heldout.jsonl"
        for name, arguments in (
            ("harness say -o, disk full", ["say", TEXT, "-o", out / "x.wav"]),
            (
                "harness align -o, disk full",
                ["align", folder / "x.wav", "--text", "We guarantee it", "-o", out / "x.TextGrid"],
            ),
        ):
            if "align" in arguments:
                Command([*HARNESS, "say", "We guarantee it", "-o", folder / "x.wav"], folder / "log").wait()
                (out / "filler").write_bytes(
                    bytes(40 * 1024 - sum(p.stat().st_size for p in out.iterdir()) // 4096 * 4096)
                )
            running = Command([*HARNESS, *arguments], folder / "log")
            yield row(name, running.wait(), running.said, 2, "room", str(out))
        for name, text in (
            ("harness tag > file, disk full", "tag --tagger rules"),
            ("harness score > file, disk full", "score placement --json"),
        ):
            arguments = [*HARNESS, *text.split()]
            arguments += [gold, gold] if "score" in text else []
            source = "We go on with it.\n" * 9999
            with (out / "out.txt").open("w") as output:
                done = subprocess.run(
                    list(map(str, arguments)), input=source, stdout=output, stderr=subprocess.PIPE, text=True
                )
            yield row(name, done.returncode, done.stderr, 2, "make room")


def read_only(folder: Path, experiment: Path) -> Iterator[dict[str, Any]]:
    with small_disk(folder / "read", 9000) as again:
        target = folder / "read" / "run"
        for _ in range(2):  # before anything is there, and with a finished run
            again("ro")
            running = Command(command(experiment, target), folder / "log")
            yield row(
                "harness run, read-only disk",
                running.wait(),
                running.said,
                2,
                "Read-only file system",
                "choose",
                str(target),
            )
            again("rw")
            assert Command(command(experiment, target), folder / "log").wait() == 0
        again("ro")
        running = Command([*HARNESS, "say", TEXT, "-o", target / "x.wav"], folder / "log")
        yield row("harness say -o, read-only disk", running.wait(), running.said, 2, "cannot be written", str(target))
        again("rw")


def at_once(folder: Path) -> Iterator[dict[str, Any]]:
    experiment, target = write_experiment(folder, limit=4), folder / "twice"
    first = Command(command(experiment, target), folder / "first.log")
    while not (target / ".lock").exists() or not (target / ".lock").read_text():
        time.sleep(0.01)
    second = Command(command(experiment, target), folder / "log")
    code, said = second.wait(), second.said
    then = first.wait() == 0 and content(target) == content(folder / "whole")
    yield row(
        "two runs into one folder", code, said, 2, "another run is writing", str(first.process.pid), "wait", then=then
    )


def stopped(folder: Path, experiment: Path) -> Iterator[dict[str, Any]]:
    target = folder / "stopped"
    code, said, left = interrupted(
        command(experiment, target), folder / "log", lambda: list(target.glob("clips/*.wav"))
    )
    then = Command(command(experiment, target), folder / "log").wait() == 0 and content(target) == content(
        folder / "whole"
    )
    yield row("harness run, Ctrl-C", code, said, 130, "is kept", "the same command", left=left, then=then)
    (folder / "many.txt").write_text("We go on with it.\n" * 2_000_000)
    for name, arguments in (
        ("say", ["say", "We go on. " * 3000, "-o", folder / "long.wav"]),
        ("tag", ["tag", "--tagger", "rules", folder / "many.txt"]),
    ):
        begun = time.monotonic()
        code, said, left = interrupted(
            [*HARNESS, *arguments], folder / "log", lambda begun=begun: time.monotonic() - begun > 2.5
        )
        yield row(f"harness {name}, Ctrl-C", code, said, 130, "interrupted", "the same command", left=left)
    log = folder / "log"
    code, said, left = interrupted([*HARNESS, "serve", "--port", "0"], log, lambda: "serving" in log.read_text())
    yield row("harness serve, Ctrl-C (its ordinary end)", code, said, 0, left=left)


def stopped_book(checkout: Checkout) -> dict[str, Any]:
    checkout.unmake()
    code, said, left = 0, "", [""]
    building = checkout.doit("site")
    try:
        while "notebook:02" not in building.said and building.process.poll() is None:
            time.sleep(0.1)
        time.sleep(8)  # the kernel runs
        code = building.interrupt()
        said, left = building.said, building.left()[0]
    finally:
        building.end()
    return row("make book, Ctrl-C", code, said, 130, "interrupted", "the same command goes on", left=left)
