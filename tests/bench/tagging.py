"""The GPT-2 tagger: its ways of decoding, and the memory of a long pipe."""

from __future__ import annotations

import subprocess
import sys
import time

from harness.benchmark.decoding import compare_decodings
from harness.datasets import load_examples
from harness.paths import ROOT
from harness.taggers.gpt2.config import TrainingConfig
from harness.taggers.gpt2.training import ensure_trained

Row = tuple[str, float, str]


def tagging_rows() -> list[Row]:
    """Seconds a sentence of each decoding as ratios to free writing, and peak memory of 10,000 lines to that of 1,000."""
    train, heldout = load_examples("train"), load_examples("heldout")
    folder = ensure_trained(TrainingConfig(), train, progress=False)
    decoded = {row["decoding"]: row["sentences_per_second"] for row in compare_decodings(folder, heldout)}
    rows: list[Row] = [
        (
            f"tag a sentence, {name}, batch {size}",
            1 / speed,
            f"{speed / decoded['generate'][size]:.1f} x as fast as generate",
        )
        for name, speeds in decoded.items()
        for size, speed in speeds.items()
    ]
    lines = [example.tagged.plain for example in heldout]
    peaks = {}
    for count in (1_000, 10_000):
        text = "\n".join(lines[k % len(lines)] for k in range(count)) + "\n"
        begun = time.perf_counter()
        peaks[count] = _peak(str(folder), text)
        rows.append((f"harness tag, {count:,} lines through a pipe", time.perf_counter() - begun,
                     f"peak memory {peaks[count] / 1e6:.0f} MB, {peaks[count] / peaks[1_000]:.2f} x"))  # fmt: skip
    return rows


def _peak(folder: str, text: str) -> int:
    """Bytes of the largest resident set while the command reads `text`; measured in a process between, which has no other child."""
    script = (
        "import resource, subprocess, sys\n"
        f"done = subprocess.run([sys.executable, '-m', 'harness', 'tag', '--adapter', {folder!r}], stdin=sys.stdin,"
        " stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)\n"
        "assert done.returncode == 0\n"
        "print(done.stdout.count(b'\\n'), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=text, cwd=ROOT, check=True, capture_output=True, text=True
    )
    lines, peak = map(int, done.stdout.split())
    assert lines == text.count("\n"), "one line out for one line in"
    return peak * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    for row in tagging_rows():
        print(*row, sep="\t")
