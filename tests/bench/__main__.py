"""Time the parts, each compared with its usual alternative in the same run: `make bench`.

Nothing is asserted about time. The rows are written to `_build/results/bench.json` when their group is done; the page
reference/benchmarks shows them. `--publish` copies them to `data/results/bench.json`, which the page shows on other machines.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime

from harness.provenance import git_state, machine, package_versions
from harness.publish.bench_page import HERE, PUBLISHED, SCHEMA
from harness.store import read_json, write_json
from tests.bench import book, engines, placement, runs, scoring, tagging
from tests.bench.table import Row

GROUPS: dict[str, tuple[str, Callable[[], list[Row]]]] = {
    "placement": ("Placement scores", placement.rows),
    "tagging": ("Tagging", tagging.rows),
    "scoring": ("Scoring of audio", scoring.rows),
    "runs": ("Experiments", runs.rows),
    "engines": ("Engines", engines.speaking_rows),
    "higgs": ("Both Higgs stacks", lambda: [*engines.higgs_engine_rows(), *engines.higgs_step_rows()]),
    "server": ("The speech server", engines.server_rows),
    "book": ("The book", book.rows),
}


def main() -> None:
    """Measure the groups one after another. The file keeps earlier rows of a group until it is measured again."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", choices=GROUPS, default=list(GROUPS), help="groups to measure; default: all"
    )
    parser.add_argument("--publish", action="store_true", help=f"copy the file to {PUBLISHED.name} in data/results")
    chosen = parser.parse_args()
    before = read_json(HERE) if HERE.is_file() and set(chosen.only) != set(GROUPS) else {}
    kept = {one["name"]: one for one in before["groups"]} if before.get("schema") == SCHEMA else {}
    for name in chosen.only:
        title, rows = GROUPS[name]
        print(f"\n{title}, on {machine()}", flush=True)
        found = rows()
        print("\n".join(row.line() for row in found), flush=True)
        kept[name] = {
            "name": name, "title": title, "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "git_revision": git_state()[0], "rows": [row.as_json() for row in found],
        }  # fmt: skip
        HERE.parent.mkdir(parents=True, exist_ok=True)
        write_json(HERE, {
            "schema": SCHEMA, "machine": machine(), "packages": package_versions(),
            "groups": [kept[one] for one in GROUPS if one in kept],
        })  # fmt: skip
    if chosen.publish:
        write_json(PUBLISHED, read_json(HERE))
    print("written to _build/results/bench.json; `make book` puts it on the page reference/benchmarks")


if __name__ == "__main__":
    main()
