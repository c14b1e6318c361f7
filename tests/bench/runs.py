"""`harness run`: one worker compared with two, and about 100 to 5,000 clips."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from harness.experiment.folder import RECORDS
from tests.bench.table import Row, command, compared, growth_rows

SIZES = {100: (13, 1), 1_000: (125, 1), 5_000: (216, 3)}  # clips: sentences of the standard set, and voices
WORKERS_SENTENCES = 40
RUN = """
import sys
from pathlib import Path
from harness.experiment import run, validate
sentences, voices, jobs, folder = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
engines = [{"name": "espeak", "voice": voice} for voice in ["en-us", "en-gb", "en-gb-x-rp"][:voices]]
fields = {"name": "bench", "sentences": "standard", "listeners": [], "limit": sentences, "engines": engines}
summary = run(validate(fields), folder, jobs=jobs)
sys.exit(summary["failed_units"])
"""


def _run(sentences: int, voices: int, jobs: int) -> tuple[int, float, int, bytes]:
    """Return the number of clips, seconds, peak bytes of the largest process, and the file of outcomes."""
    with tempfile.TemporaryDirectory() as folder:
        took, peak = command(sys.executable, "-c", RUN, sentences, voices, jobs, folder)
        clips, outcomes = ((Path(folder) / f"{name}.jsonl").read_bytes() for name in list(RECORDS)[:2])
    return clips.count(b"\n"), took, peak, outcomes


def worker_rows() -> list[Row]:
    """Run the same experiment with one process and with two, including start and end."""
    clips, one, _, first = _run(WORKERS_SENTENCES, 1, 1)
    _, two, _, second = _run(WORKERS_SENTENCES, 1, 2)
    if first != second:
        raise RuntimeError("one worker and two wrote other outcomes")
    base = Row(f"harness run, {clips} clips, 1 worker", one)
    note = f"{one / two:.2f} x throughput, same bytes"
    return [base, compared(base, f"harness run, {clips} clips, 2 workers", two, note)]


def size_rows() -> list[Row]:
    """Run each size in a new process, with two workers."""
    measured = {}
    for sentences, voices in SIZES.values():
        clips, took, peak, _ = _run(sentences, voices, 2)
        measured[clips] = (took, peak)
    return growth_rows("harness run", tuple(measured), measured, "clip")


def rows() -> list[Row]:
    """Return all rows of this group."""
    return [*worker_rows(), *size_rows()]
