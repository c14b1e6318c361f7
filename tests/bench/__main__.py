"""How long the pieces take, as ratios within one run: `make bench`. A table, no assertion; also `_build/results/bench.json`."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.metrics import precision_recall_fscore_support

from harness.audio import Audio
from harness.cli.output import print_table
from harness.engines import SpeechRequest, make_engine
from harness.experiment.sentences import load_items
from harness.higgs.stacks import BOSON, NATIVE, python_of
from harness.manifest import machine
from harness.paths import BOOK, BUILD, RESULTS, ROOT
from harness.placement import score_placement
from harness.store import write_json
from harness.tagged import TAGS, Tag, TaggedText
from tests.bench.engines import higgs_engine_rows, server_rows
from tests.bench.scoring import scoring_rows
from tests.bench.tagging import tagging_rows

DOIT = [str(ROOT / ".venv" / "bin" / "doit"), "site"]


def seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def build() -> None:
    subprocess.run(DOIT, cwd=ROOT, check=True, capture_output=True)


def with_changed_page() -> float:
    page = BOOK / "howto" / "data.md"
    before = page.read_text()
    try:
        page.write_text(before + "\n<!-- changed by the benchmark -->\n")
        return seconds(build)
    finally:
        page.write_text(before)
        build()


def cold() -> float:
    (BUILD / ".doit.json").unlink(missing_ok=True)
    for folder in ("models", "results", "executed", "stage", "html", ".doctrees"):
        subprocess.run(["rm", "-rf", str(BUILD / folder)], check=True)
    return seconds(build)


def placement_rows() -> list[tuple[str, float, str]]:
    generator = np.random.default_rng(0)
    gold, guess = [], []
    for _ in range(10_000):
        words = [f"w{k}" for k in range(12)]
        draw = [{(int(generator.integers(13)), TAGS[generator.integers(7)]) for _ in range(3)} for _ in range(2)]
        gold.append(TaggedText(words, draw[0]))
        guess.append(TaggedText(words, draw[1]))

    def ours() -> None:
        score_placement(gold, guess)

    def theirs() -> None:
        tables = [
            np.array([[tag in text.by_slot().get(slot, ()) for tag in TAGS] for text in texts for slot in range(13)])
            for texts in (gold, guess)
        ]
        precision_recall_fscore_support(*tables, average="micro", zero_division=0)

    mine, sklearn = seconds(ours), seconds(theirs)
    return [
        (
            "placement of 10,000 sentences with 2,000 resamples",
            mine,
            f"{mine / sklearn:.2f} x scikit-learn without intervals",
        ),
        ("the same rate by scikit-learn, no interval", sklearn, "1"),
    ]


def speaking_rows() -> list[tuple[str, float, str]]:
    """How fast each engine that is installed here speaks."""
    texts = [item.text.stripped() for item in load_items("quick", tags=[Tag.EMPH])][:10]
    rows = []
    for name in ("espeak", "hibari", "piper"):
        engine = make_engine(name)
        engine.speak(SpeechRequest(texts[0]))  # loads the model
        clips: list[Audio] = []
        took = seconds(lambda: clips.extend(engine.speak(SpeechRequest(text)).audio for text in texts))  # noqa: B023
        rows.append(
            (f"{name} speaks {len(texts)} sentences", took, f"{took / sum(c.seconds for c in clips):.3f} x real time")
        )
    return rows


def higgs_rows() -> list[tuple[str, float, str]]:
    """A training step of each stack, LoRA and all weights; each in a process of its own, for the peak memory."""
    script = str(Path(__file__).parent / "higgs_steps.py")
    steps = {}
    for stack in (NATIVE, BOSON):
        for method in ("lora", "full"):
            done = subprocess.run(
                [str(python_of(stack)), script, method], cwd=ROOT, check=True, capture_output=True, text=True
            )
            steps[stack, method] = json.loads(done.stdout)
    base = steps[NATIVE, "lora"]
    return [
        (
            f"Higgs training step, {stack}, {method}, {one['parameters'] / 1e6:.0f} M parameters",
            one["seconds"],
            f"{one['seconds'] / base['seconds']:.2f} x native LoRA; peak memory {one['peak_bytes'] / 1e9:.2f} GB, "
            f"{one['peak_bytes'] / base['peak_bytes']:.2f} x",
        )
        for (stack, method), one in steps.items()
    ]


def main() -> None:
    rows = [
        *placement_rows(),
        *tagging_rows(),
        *speaking_rows(),
        *scoring_rows(),
        *higgs_rows(),
        *higgs_engine_rows(),
        *server_rows(),
    ]
    full = cold()
    rows += [("book, cold (environments exist)", full, "1")]
    for name, took in (
        ("book, nothing changed", seconds(build)),
        ("book, one prose page changed", with_changed_page()),
    ):
        rows.append((name, took, f"{took / full:.3f} x cold"))
    print_table(f"Benchmarks on {machine()}", ["what", "seconds", "ratio"], [(n, f"{s:.2f}", r) for n, s, r in rows])
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_json(
        RESULTS / "bench.json",
        {"machine": machine(), "rows": [{"what": n, "seconds": s, "ratio": r} for n, s, r in rows]},
    )
    print(f"written to {Path(RESULTS / 'bench.json').relative_to(ROOT)}")


if __name__ == "__main__":
    main()
