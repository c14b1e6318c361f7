"""Engines: their speed, both Higgs stacks on the same tiny weights, and the speech server compared with its engine."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil

from harness.audio import Audio
from harness.chapters.ch09_higgs_api.background import Background
from harness.engines import SpeechRequest, make_engine
from harness.engines.apart import EngineApart
from harness.experiment.sentences import load_items
from harness.higgs.convert import convert
from harness.paths import ROOT
from harness.processes import call
from harness.processes.stacks import BOSON, NATIVE, python_of
from harness.tagged import Tag, TaggedText
from tests.bench.table import Row, add, compared, seconds

MEASURE = "harness.chapters.ch08_higgs_engine.measure"
TINY = "harness.engines.higgs.tiny:tiny_folders_as_text"
TEXTS = (
    "We guarantee thirty percent savings, and nobody else does.",
    "You asked for proof, so here are the numbers.",
) * 4
SENTENCE = "We guarantee thirty percent savings, and nobody else does."
CALLS, REQUESTS, CLIENTS = 200, 1000, 8


def speaking_rows() -> list[Row]:
    """Measure the speed of the embedded engines, compared with real time and espeak."""
    texts = [item.text.stripped() for item in load_items("quick", tags=[Tag.EMPH])][:10]
    rows: list[Row] = []
    for name in ("espeak", "hibari", "piper"):
        engine = make_engine(name)
        engine.speak(SpeechRequest(texts[0]))  # loads the model
        clips: list[Audio] = []
        took = seconds(lambda: clips.extend(engine.speak(SpeechRequest(text)).audio for text in texts))  # noqa: B023
        note = f"{took / sum(clip.seconds for clip in clips):.3f} x real time"
        add(rows, f"{name} speaks {len(texts)} sentences", took, note)
    return rows


def higgs_step_rows() -> list[Row]:
    """Measure a training step of each stack, with LoRA and with all weights, each in a new process for its peak memory."""
    script = str(Path(__file__).parent / "higgs_steps.py")
    rows: list[Row] = []
    for stack in (BOSON, NATIVE):
        for method in ("lora", "full"):
            line = [str(python_of(stack)), script, method]
            done = subprocess.run(line, cwd=ROOT, check=True, capture_output=True, text=True)
            step = json.loads(done.stdout)
            name = f"Higgs training step, {stack}, {method}, {step['parameters'] / 1e6:.0f} M parameters"
            note = f"peak memory {step['peak_bytes'] / 1e9:.2f} GB"
            add(rows, name, step["seconds"], note)
    return rows


def higgs_engine_rows() -> list[Row]:
    """Measure the frames of both engines on the same weights; only codes, since the tiny codecs differ in size."""
    with tempfile.TemporaryDirectory() as kept:
        model, _ = call(BOSON, TINY, stack=BOSON, seed=1)
        convert(Path(model), Path(kept) / "converted")
        codec = call(NATIVE, TINY, stack=NATIVE, seed=1)[1]
        found = {
            "boson": call(BOSON, f"{MEASURE}:speed", texts=TEXTS, temperature=0, checkpoint="tiny", seed=1),
            "native": call(NATIVE, f"{MEASURE}:speed", texts=TEXTS, batches=[1, 4, 8], temperature=0,
                           checkpoint=str(Path(kept) / "converted"), codec=codec),
        }  # fmt: skip
    rows: list[Row] = []
    for stack, result in found.items():
        for batch, one in result["batches"].items():
            rate = statistics.median(f / s for f, s in zip(one["frames"], one["seconds"], strict=True))
            name = f"a frame of Higgs, tiny weights: {stack}, {batch} of {len(TEXTS)} texts at a time"
            note = f"{rate:,.0f} frames, {8 * rate:,.0f} codes a second"
            add(rows, name, 1 / rate, note)
    return rows


def memory(process: psutil.Process) -> dict[str, float]:
    """Return the resident megabytes of the server and of its engine processes."""
    return {
        "server": process.memory_info().rss / 1e6,
        "engines": sum(child.memory_info().rss for child in process.children(recursive=True)) / 1e6,
    }


def server_rows() -> list[Row]:
    """Measure the cost of process, HTTP and file format, and the memory, which must not grow with the number of requests."""
    request = SpeechRequest(TaggedText.parse(SENTENCE))
    direct = make_engine("espeak")
    body = {"model": "espeak", "input": SENTENCE, "voice": "en-us", "response_format": "wav"}
    with (
        EngineApart("espeak") as apart,
        Background() as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):

        def ask() -> None:
            client.post("/audio/speech", json=body).raise_for_status()

        ways: dict[str, Callable[[], object]] = {
            "called directly": lambda: direct.speak(request), "in a process of its own": lambda: apart.speak(request),
            "over HTTP, one client": ask,
        }  # fmt: skip
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for way in ways.values():
            way()
        for _ in range(CALLS):  # in turn, so that other load of the machine affects all three
            for name, way in ways.items():
                taken[name].append(seconds(way))
        medians = {name: statistics.median(values) for name, values in taken.items()}
        first, *others = medians
        base = Row(f"espeak speaks a sentence, {first} (median of {CALLS})", medians[first])
        rows = [base]
        for name in others:
            added = f"{1000 * (medians[name] - base.seconds):+.1f} ms"
            rows.append(compared(base, f"espeak speaks a sentence, {name} (median of {CALLS})", medians[name], added))
        process = psutil.Process(server.process.pid)
        before = memory(process)
        took = seconds(lambda: [ask() for _ in range(REQUESTS)])
        after = memory(process)
        grown = ", ".join(f"{name} {before[name]:.0f} -> {after[name]:.0f} MB" for name in before)
        rows.append(compared(base, f"a sentence of {REQUESTS:,} more, one client", took / REQUESTS, grown))
    for workers in (1, 2):
        with Background("espeak", None, "--workers", str(workers), "--max-concurrent", str(CLIENTS)) as server:
            count = CLIENTS * (CALLS // 2)
            took = _throughput(server.url, body) / count
            name = f"a sentence of {count}, {CLIENTS} clients, {workers} worker{'s' * (workers > 1)}"
            rows.append(compared(base, name, took, f"{1 / took:.0f} requests a second"))
    return rows


def _throughput(url: str, body: dict[str, str]) -> float:
    def client(_: int) -> None:
        with httpx.Client(base_url=url, trust_env=False) as one:
            for _ in range(CALLS // 2):
                one.post("/audio/speech", json=body).raise_for_status()

    client(0)
    with ThreadPoolExecutor(CLIENTS) as pool:
        return seconds(lambda: list(pool.map(client, range(CLIENTS))))
