"""Placement scores of a million words compared with seqeval and scikit-learn, and their growth with the number of sentences."""

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
from tests.bench.table import Row, add, command, growth_rows, seconds

HARNESS = ROOT / ".venv" / "bin" / "harness"
WORDS, SENTENCES = 12, 84_000  # 1,008,000 words
SIZES = (1_000, 10_000, 100_000, 1_000_000)
TAGGED = (
    3  # number of slots with a tag in each sentence, at most one tag each, because seqeval allows one label per token
)


def sentences(count: int, seed: int) -> Iterator[TaggedText]:
    """Yield numbered words with random tags; the words are the same for every seed."""
    generator = np.random.default_rng(seed)
    slots = generator.random((count, WORDS)).argsort(axis=1)[:, :TAGGED]
    kinds = generator.integers(len(TAGS), size=(count, TAGGED))
    for row in range(count):
        words = [f"w{(row + k) % 5000}" for k in range(WORDS)]
        placed = zip(slots[row].tolist(), kinds[row].tolist(), strict=True)
        yield TaggedText(words, [(slot, TAGS[kind]) for slot, kind in placed])


def _labels(texts: list[TaggedText]) -> list[list[str]]:
    """Return spans of one word in the scheme of seqeval."""
    rows = []
    for text in texts:
        by_slot = text.by_slot()
        rows.append([f"B-{by_slot[slot][0].bare}" if slot in by_slot else "O" for slot in range(WORDS)])
    return rows


def _indicators(texts: list[TaggedText]) -> np.ndarray:
    """Return a row for each slot and a column for each tag, as scikit-learn expects."""
    table = np.zeros((len(texts) * WORDS, len(TAGS)), dtype=np.int8)
    for row, text in enumerate(texts):
        for slot, tag in text.tags:
            table[row * WORDS + slot, TAGS.index(tag)] = 1
    return table


def library_rows() -> list[Row]:
    """Measure the same micro F1 by three libraries. The conversion of texts to the library's input counts as its time."""
    gold, guess = list(sentences(SENTENCES, 0)), list(sentences(SENTENCES, 1))
    found: dict[str, float] = {}

    def ours(name: str, resamples: int) -> None:
        found[name] = score_placement(gold, guess, n_resamples=resamples).micro.f1.value

    def seqeval() -> None:
        found["seqeval"] = f1_score(_labels(gold), _labels(guess))

    def sklearn() -> None:
        tables = _indicators(gold), _indicators(guess)
        found["scikit-learn"] = precision_recall_fscore_support(*tables, average="micro", zero_division=0)[2]

    count = f"{SENTENCES * WORDS:,} words"
    rows: list[Row] = []
    add(rows, f"micro F1 of {count}, seqeval", seconds(seqeval), "no interval, no tolerance, one tag a slot")
    add(rows, f"micro F1 of {count}, scikit-learn", seconds(sklearn), "no interval, no tolerance")
    add(rows, f"all placement scores of {count}, harness, no interval", seconds(lambda: ours("alone", 0)))
    add(rows, f"all placement scores of {count}, harness, 2,000 resamples", seconds(lambda: ours("whole", 2000)))
    if max(found.values()) - min(found.values()) > 1e-12:
        raise RuntimeError(f"the libraries disagree on micro F1: {found}")
    return rows


def growth_of_scores() -> list[Row]:
    """Measure `harness score placement` on two files, in a new process."""
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
    """Return all rows of this group."""
    return [*library_rows(), *growth_of_scores()]
