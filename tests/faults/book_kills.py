"""Kill `doit site` in a copy of the checkout repeatedly, and compare the site with that of an undisturbed build."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.paths import ROOT
from harness.processes.stacks import BOSON, NATIVE, PYTHON_VARIABLES, python_of
from harness.publish.stage import REPORT_PAGE
from tests.faults.processes import Command

# Short chapters that show no times, so that their pages must be identical; and the ledger, which reads the results of all.
CHAPTERS = ("02_architecture", "05_data", "12_claims")
_STARTED = re.compile(r"^\.  (\S+)", re.M)


class Checkout:
    """A copy of this checkout and its `_build`, in which all tasks count as done."""

    def __init__(self, folder: Path, build: Path) -> None:
        self.folder, self.log = folder, folder.with_suffix(".log")
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        changed = ["git", "ls-files", "--modified", "--others", "--exclude-standard"]
        for name in subprocess.run(changed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        ignored = shutil.ignore_patterns("second-server", "faults-*")  # by default, the copy itself is in faults-*
        shutil.copytree(build, folder / "_build", symlinks=True, ignore=ignored)
        for stack, name in ((NATIVE, ".venv"), (BOSON, ".venv-boson")):
            (folder / name).symlink_to(python_of(stack).parent.parent)
        assert self.doit("reset-dep").wait() == 0, self.log.read_text()

    def doit(self, *arguments: str) -> Command:
        """Start doit with the code of the copy."""
        stacks = {PYTHON_VARIABLES[stack]: str(python_of(stack)) for stack in (NATIVE, BOSON)}
        environment = {
            "PYTHONPATH": str(self.folder),
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
            **stacks,
        }
        return Command([python_of(NATIVE).parent / "doit", *arguments], self.log, cwd=self.folder, env=environment)

    def unmake(self) -> None:
        """Remove the results of the chapters, the quickstart, the staging and the site."""
        build = self.folder / "_build"
        for chapter in CHAPTERS:
            (build / "executed" / f"{chapter}.ipynb").unlink(missing_ok=True)
            for folder in (build / "results").glob(f"{chapter}-*"):
                shutil.rmtree(folder)
        (build / "numbers.json").unlink(missing_ok=True)
        for name in ("results/quickstart", "stage", "html", ".doctrees", "jupyter_execute"):
            shutil.rmtree(build / name, ignore_errors=True)

    def made(self) -> dict[str, str]:
        """Return the pages, the numbers, and the names of executed notebooks (whose content has the times of cells)."""
        build = self.folder / "_build"
        pages = [
            path for path in (build / "html").rglob("*.html") if path.name != REPORT_PAGE.name
        ]  # it has the time of its run
        texts = [build / "numbers.json", *sorted(pages)]
        found = {path.relative_to(build).as_posix(): path.read_text() for path in texts}
        return found | {path.name: "" for path in (build / "executed").iterdir()}


def undisturbed(checkout: Checkout) -> tuple[float, float]:
    """Return the seconds of a whole build, and of its longest task."""
    checkout.unmake()
    building, moments, names = checkout.doit("site"), [time.monotonic()], 0
    while not building.ended_within(0.2):
        if (count := len(_STARTED.findall(building.said))) > names:
            moments.append(time.monotonic())
            names = count
    assert building.wait() == 0, building.said
    moments.append(time.monotonic())
    return moments[-1] - moments[0], max(b - a for a, b in pairwise(moments))


def kill_book(checkout: Checkout, kills: int, generator: random.Random) -> dict[str, Any]:
    """Build once undisturbed, then kill builds at random moments, and compare the pages."""
    seconds, longest = undisturbed(checkout)
    expected = checkout.made()
    rows: list[dict[str, Any]] = []
    builds, finished, differing = 0, set[str](), set[str]()
    checkout.unmake()
    while True:
        building = checkout.doit("site")
        # If every moment were earlier than the end of the longest task, that task would never finish.
        moment = generator.uniform(0, 1.3 * longest) if len(rows) < kills else 3600
        kind = generator.choice(("parent", "group"))
        ended = building.ended_within(moment) or not building.kill(kind)
        started = _STARTED.findall(building.said)
        again = sorted(finished.intersection(started))
        if ended:
            assert building.process.returncode == 0, building.said
            builds += 1
            if rows:
                rows[-1]["again"] = again
            made = checkout.made()
            differing |= {name for name in expected.keys() | made.keys() if expected.get(name) != made.get(name)}
            finished = set()
            if len(rows) >= kills:
                break
            checkout.unmake()
            continue
        orphans, lasted = building.left()
        building.end()
        if rows and finished:
            rows[-1]["again"] = again
        finished.update(started[:-1])
        rows.append({"moment": round(moment, 1), "kind": kind, "task": started[-1] if started else "(before a task)",
                     "again": [], "orphans": orphans, "last child ended after": round(lasted, 1)})  # fmt: skip
        print(f"book  {len(rows):2d} {rows[-1]}", flush=True)
    parts = [str(path) for path in (checkout.folder / "_build").rglob("*.part")]
    return {"seconds": round(seconds), "longest task": round(longest), "builds": builds, "kills": rows,
            "pages": len(expected), "differing": sorted(differing), "half-written files": parts}  # fmt: skip
