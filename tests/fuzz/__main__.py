"""Run the long attack, `make fuzz`: ten thousand new cases of each property; write a table and `_build/results/fuzz.json`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from attack import CASES_VARIABLE, REPORTS_VARIABLE

from harness.cli.output import print_table
from harness.paths import RESULTS, ROOT
from harness.provenance import git_state, machine
from harness.store import write_json

REPORT = RESULTS / "fuzz.json"


def main() -> int:
    """Test the properties, print the outcomes of their cases, and return 0 if all held."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="number of cases of each property")
    parser.add_argument("-k", default="", help="only properties whose name matches, as in pytest")
    chosen = parser.parse_args()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, CASES_VARIABLE: str(chosen.cases), REPORTS_VARIABLE: folder}
        options = f"-q -n 2 --timeout 3600 {Path(__file__).parent}".split()
        command = [sys.executable, "-m", "pytest", *options, "-k", chosen.k]
        code = subprocess.run(command, cwd=ROOT, env=environment).returncode
        rows = [json.loads(path.read_text()) for path in sorted(Path(folder).glob("*.json"))]
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_json(REPORT, {
        "schema": "harness.fuzz/1", "machine": machine(), "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_revision": git_state()[0], "seconds": round(time.perf_counter() - begun), "held": code == 0, "properties": rows,
    })  # fmt: skip
    cells = []
    for row in rows:
        outcomes = ", ".join(f"{count:,} {name}" for name, count in row["outcomes"].items())
        cells.append([row["property"], f"{row['cases']:,}", f"{row['seconds']:.0f}", outcomes])
    print_table(f"{len(rows)} properties were tested to the end", ["property", "cases", "seconds", "outcomes"], cells)
    print(f"{'all held' if code == 0 else 'NOT all held: see above'}; written to _build/results/fuzz.json")
    return code


if __name__ == "__main__":
    sys.exit(main())
