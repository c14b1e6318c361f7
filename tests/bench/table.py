"""Rows of the benchmark. Each compares two measurements of one run: ratios carry over to other machines, seconds do not."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from harness.paths import ROOT
from harness.publish.bench_page import duration

# Runs a command as its only child, and prints its seconds and its largest resident set.
_MEASURE = """
import json, resource, subprocess, sys, time
begun = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdin=sys.stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
took = time.perf_counter() - begun
if done.returncode:
    sys.exit(done.stderr)
unit = 1 if sys.platform == "darwin" else 1024
print(json.dumps([took, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit]))
"""


@dataclass(frozen=True)
class Row:
    """One measurement.

    Parameters
    ----------
    what : str
        Name of the measurement.
    seconds : float
        Time of the whole, or of one item if `what` says so.
    against : str
        Name of the measurement it is compared with; empty for a base of comparison.
    ratio : float, optional
        Seconds divided by those of `against`; below 1 means faster.
    note : str
        Memory, throughput, agreement of the figures.
    """

    what: str
    seconds: float
    against: str = ""
    ratio: float | None = None
    note: str = ""

    def as_json(self) -> dict:
        """Return the row of ``bench.json``."""
        return asdict(self)

    def line(self) -> str:
        """Return the line for a terminal."""
        ratio = "" if self.ratio is None else f"{self.ratio:.3g} x {self.against}"
        return f"  {self.what}: {'; '.join(part for part in (duration(self.seconds), ratio, self.note) if part)}"


def compared(base: Row, what: str, seconds: float, note: str = "") -> Row:
    """Return a row that is compared with `base`."""
    return Row(what, seconds, base.what, seconds / base.seconds, note)


def add(rows: list[Row], what: str, seconds: float, note: str = "") -> None:
    """Append a row that is compared with the first, unless it is the first."""
    rows.append(compared(rows[0], what, seconds, note) if rows else Row(what, seconds, note=note))


def seconds(action: Callable[[], object]) -> float:
    """Return how long a call takes."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def command(*parts: object, stdin: str | None = None) -> tuple[float, int]:
    """Return the seconds and peak bytes of a command in a new process; `stdin` is the path of a file."""
    line = [sys.executable, "-c", _MEASURE, *map(str, parts)]
    with open(stdin or "/dev/null") as source:  # noqa: PTH123 - a device
        done = subprocess.run(line, cwd=ROOT, stdin=source, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, parts))}: {done.stderr[-2000:]}")
    took, peak = json.loads(done.stdout)
    return took, peak


def growth(values: Mapping[int, float]) -> float:
    """Return the exponent b of values ~ size ** b, by least squares on logarithms: 1 is linear, 0 is constant."""
    sizes, found = np.log(list(values)), np.log(list(values.values()))
    return float(np.polyfit(sizes, found, 1)[0])


def growth_rows(what: str, sizes: Sequence[int], measured: Mapping[int, tuple[float, int]], unit: str) -> list[Row]:
    """Return time and memory at each size compared with the smallest, and the fitted exponents with the largest."""
    first = sizes[0]
    rows = []
    for size in sizes:
        took, peak = measured[size]
        note = f"{1000 * took / size:.3g} ms a {unit}, peak memory {peak / 1e6:.0f} MB"
        if size == sizes[-1]:
            times, peaks = ({one: float(both[k]) for one, both in measured.items()} for k in (0, 1))
            last = sizes[-2:]  # a start that costs the same at every size flattens the fit, least the last step
            note += f"; time grows as size^{growth(times):.2f} (last step ^{growth({one: times[one] for one in last}):.2f}), "
            note += f"memory as size^{growth(peaks):.2f}"
        name = f"{what}, {size:,} {unit}s"
        against = "" if size == first else f"{first:,} {unit}s"
        rows.append(Row(name, took, against, None if size == first else took / measured[first][0], note))
    return rows
