"""Placement scores of a million words beside seqeval and scikit-learn, and how they grow with the number of sentences."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from seqeval.metrics import f1_score
from sklearn.metrics import precision_recall_fscore_support

from harness.paths import ROOT
from harness.placement import score_placement
from harness.tagged import TAGS, TaggedText
from tests.bench.table import Row, beside, command, growth_rows, seconds

HARNESS = ROOT / ".venv" / "bin" / "harness"
WORDS, SENTENCES = 12, 84_000  # 1,008,000 words
SIZES = (1_000, 10_000, 100_000, 1_000_000)
TAGGED = 3  # slots of each sentence that hold a tag, at most one each: seqeval knows one label a token


def sentences(count: int, seed: int) -> Iterator[TaggedText]:
    """Random tags on numbered words; the words are the same for every seed."""
    generator = np.random.default_rng(seed)
    slots = generator.random((count, WORDS)).argsort(axis=1)[:, :TAGGED]
    kinds = generator.integers(len(TAGS), size=(count, TAGGED))
    for row in range(count):
        words = [f"w{(row + k) % 5000}" for k in range(WORDS)]
        placed = zip(slots[row].tolist(), kinds[row].tolist(), strict=True)
        yield TaggedText(words, [(slot, TAGS[kind]) for slot, kind in placed])


def _labels(texts: list[TaggedText]) -> list[list[str]]:
    """Spans of one word in the scheme that seqeval reads."""
    rows = []
    for text in texts:
        by_slot = text.by_slot()
        rows.append([f"B-{by_slot[slot][0].bare}" if slot in by_slot else "O" for slot in range(WORDS)])
    return rows


def _indicators(texts: list[TaggedText]) -> np.ndarray:
    """A row for each slot, a column for each tag, as scikit-learn reads them."""
    table = np.zeros((len(texts) * WORDS, len(TAGS)), dtype=np.int8)
    for row, text in enumerate(texts):
        for slot, tag in text.tags:
            table[row * WORDS + slot, TAGS.index(tag)] = 1
    return table


def library_rows() -> list[Row]:
    """The same micro F1 by three libraries, from the same texts; what turns texts into a library's input counts as its time."""
    gold, guess = list(sentences(SENTENCES, 0)), list(sentences(SENTENCES, 1))
    found: dict[str, float] = {}

    def ours(name: str, resamples: int) -> None:
        found[name] = score_placement(gold, guess, n_resamples=resamples).micro.f1.value

    def seqeval() -> None:
        found["seqeval"] = f1_score(_labels(gold), _labels(guess))

    def sklearn() -> None:
        tables = _indicators(gold), _indicators(guess)
        found["scikit-learn"] = precision_recall_fscore_support(*tables, average="micro", zero_division=0)[2]

    count = SENTENCES * WORDS
    base = Row(
        f"micro F1 of {count:,} words, seqeval", seconds(seqeval), note="no interval, no tolerance, one tag a slot"
    )
    rows = [
        base,
        beside(base, f"micro F1 of {count:,} words, scikit-learn", seconds(sklearn), "no interval, no tolerance"),
        beside(
            base, f"all placement scores of {count:,} words, harness, no interval", seconds(lambda: ours("alone", 0))
        ),
        beside(
            base,
            f"all placement scores of {count:,} words, harness, 2,000 resamples",
            seconds(lambda: ours("whole", 2000)),
        ),
    ]
    if max(found.values()) - min(found.values()) > 1e-12:
        raise RuntimeError(f"the libraries disagree on micro F1: {found}")
    return rows


def growth_of_scores() -> list[Row]:
    """`harness score placement` on two files, in a process of its own."""
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("gold.jsonl", "guess.jsonl")]
        for size in SIZES:
            for seed, path in enumerate(files):
                with path.open("w") as handle:
                    for number, text in enumerate(sentences(size, seed)):
                        handle.write(json.dumps({"id": f"s{number}", "text": text.format()}) + "\n")
            measured[size] = command(HARNESS, "score", "placement", *files, "--json")
    return growth_rows("harness score placement", SIZES, measured, "sentence")


def rows() -> list[Row]:
    """All of them."""
    return [*library_rows(), *growth_of_scores()]
