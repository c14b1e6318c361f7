"""Kill runs and builds at random moments, and try other faults: `make faults`, after `make book`.

The results are printed as tables and written to `_build/results/interruptions.json`. The exit code is 1 if anything was lost,
doubled, or left behind.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from harness.cli.output import print_table
from harness.paths import BUILD, RESULTS
from harness.provenance import machine
from harness.store import read_json, write_json
from tests.faults.book_kills import Checkout, kill_book
from tests.faults.conditions import try_conditions
from tests.faults.processes import end_all
from tests.faults.run_kills import kill_runs

PARTS = ("run", "book", "conditions")
RESULT = RESULTS / "interruptions.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=25, help="number of kills in each of the two parts")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be repeated")
    parser.add_argument("--build", type=Path, default=BUILD, help="finished _build folder to copy for the part book")
    chosen = parser.parse_args()
    if chosen.kills < 1:
        parser.error(f"--kills must be at least 1, got {chosen.kills}")
    found = {"schema": "harness.interruptions/1", "seed": chosen.seed, "machine": machine()}
    if chosen.part and RESULT.exists():
        found = read_json(RESULT) | found
    begun, checkout = time.monotonic(), None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the blocks below are left in order
    with tempfile.TemporaryDirectory(prefix="faults-", dir=BUILD) as folder, ExitStack() as stack:
        stack.callback(end_all)
        parts = chosen.part or PARTS
        for part in PARTS:
            if part not in parts:
                continue
            if part == "run":
                found["run"] = kill_runs(Path(folder), chosen.kills, random.Random(chosen.seed))
            else:
                checkout = checkout or Checkout(Path(folder, "book"), chosen.build)
                if part == "book":
                    found["book"] = kill_book(checkout, chosen.kills, random.Random(chosen.seed))
                else:
                    found["conditions"] = try_conditions(Path(folder), checkout)
            found["minutes"] = round((time.monotonic() - begun) / 60, 1)
            write_json(RESULT, found)
    counts = {"harness run": run_counts(found), "make book": book_counts(found)}
    columns = ["command", "kills", "whole runs", "lost or done again", "doubled", "differing", "left behind"]
    print_table("kill -9", columns, [[name, *map(str, numbers)] for name, numbers in counts.items()])
    conditions = found.get("conditions", [])
    rows = [[one["condition"], "yes" if one["good"] else "NO", str(one["exit code"]), str(len(one["orphans"]))]
            for one in conditions]  # fmt: skip
    print_table("Conditions", ["condition", "as it should be", "exit code", "orphans"], rows)
    return not all(one["good"] for one in conditions) or any(any(numbers[2:]) for numbers in counts.values())


def run_counts(found) -> list[int]:
    part = found.get("run", {"kills": [], "runs": 0, "differing": [], "left": []})
    kills = part["kills"]
    return [len(kills), part["runs"], sum(row["lost"] for row in kills), sum(row["doubled"] for row in kills),
            len(part["differing"]), len(part["left"]) + sum(len(row["orphans"]) for row in kills)]  # fmt: skip


def book_counts(found) -> list[int]:
    part = found.get("book", {"kills": [], "builds": 0, "differing": [], "half-written files": []})
    kills = part["kills"]
    return [len(kills), part["builds"], sum(len(row["again"]) for row in kills), 0, len(part["differing"]),
            len(part["half-written files"]) + sum(len(row["orphans"]) for row in kills)]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
