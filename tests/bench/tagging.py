"""Tagging: the decodings of GPT-2, and the growth of the commands with the number of lines."""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness.benchmark.decoding import compare_decodings
from harness.datasets import load_examples
from harness.paths import ROOT
from harness.taggers.gpt2.config import TrainingConfig
from harness.taggers.gpt2.training import ensure_trained
from tests.bench.table import Row, command, growth_rows

HARNESS = ROOT / ".venv" / "bin" / "harness"
RULES = (1_000, 10_000, 100_000, 1_000_000)
SLOTS = (1_000, 10_000)


def decoding_rows(folder: Path) -> list[Row]:
    """Compare each decoding with free generation at the same batch size."""
    decoded = compare_decodings(folder, load_examples("heldout"))
    speeds = {(row["decoding"], size): speed for row in decoded for size, speed in row["sentences_per_second"].items()}
    rows = []
    for (name, size), speed in speeds.items():
        free = speeds["generate", size]
        against = "" if name == "generate" else f"generate, batch {size}"
        rows.append(Row(f"gpt2 tags a sentence: {name}, batch {size}", 1 / speed, against,
                        free / speed if against else None, f"{speed:.3g} sentences a second"))  # fmt: skip
    return rows


def growth_of_tags(name: str, arguments: list[str], sizes: tuple[int, ...]) -> list[Row]:
    """Measure `harness tag` with lines from standard input."""
    lines = [example.tagged.plain for example in load_examples("heldout")]
    measured = {}
    with tempfile.TemporaryDirectory() as kept:
        path = Path(kept) / "lines.txt"
        for size in sizes:
            path.write_text("".join(lines[k % len(lines)] + "\n" for k in range(size)))
            measured[size] = command(HARNESS, "tag", *arguments, stdin=str(path))
    return growth_rows(f"harness tag, {name}", sizes, measured, "line")


def rows() -> list[Row]:
    """Return all rows of this group."""
    folder = ensure_trained(TrainingConfig(), load_examples("train"), progress=False)
    return [
        *decoding_rows(folder),
        *growth_of_tags("rules", ["--tagger", "rules"], RULES),
        *growth_of_tags("gpt2", ["--adapter", str(folder)], SLOTS),
    ]
