"""The two Higgs engines on the same tiny weights, and the speech server beside the engine that it serves."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil

from harness.engines import SpeechRequest, make_engine
from harness.engines.apart import EngineApart
from harness.higgs.convert import convert
from harness.higgs.stacks import BOSON, NATIVE, call
from harness.serve.background import Background
from harness.tagged import TaggedText

MEASURE = "harness.engines.higgs_audio.measure"
TINY = "harness.engines.higgs_audio.tiny:tiny_folders_as_text"
TEXTS = (
    "We guarantee thirty percent savings, and nobody else does.",
    "You asked for proof, so here are the numbers.",
) * 4
SENTENCE = "We guarantee thirty percent savings, and nobody else does."
CALLS, REQUESTS, CLIENTS = 200, 1000, 8


def higgs_engine_rows() -> list[tuple[str, float, str]]:
    """Frames a second of both engines on the same weights; codes only, since the tiny codecs differ in size."""
    with tempfile.TemporaryDirectory() as kept:
        model, _ = call(BOSON, TINY, stack=BOSON, seed=1)
        convert(Path(model), Path(kept) / "converted")
        codec = call(NATIVE, TINY, stack=NATIVE, seed=1)[1]
        found = {
            "boson": call(BOSON, f"{MEASURE}:speed", texts=TEXTS, temperature=0, seed=1),
            "native": call(NATIVE, f"{MEASURE}:speed", texts=TEXTS, batches=[1, 4, 8], temperature=0,
                           checkpoint=str(Path(kept) / "converted"), codec=codec),
        }  # fmt: skip
    rates = {
        (stack, batch): (statistics.median(f / s for f, s in zip(one["frames"], one["seconds"], strict=True)),
                         statistics.median(one["seconds"]))
        for stack, result in found.items() for batch, one in result["batches"].items()
    }  # fmt: skip
    base = rates["boson", "1"][0]
    return [
        (
            f"Higgs engine, tiny weights, {stack}, {batch} of {len(TEXTS)} texts at a time",
            seconds,
            f"{rate:,.0f} frames/s = {8 * rate:,.0f} codes/s, {rate / base:.2f} x boson",
        )
        for (stack, batch), (rate, seconds) in rates.items()
    ]


def memory(process: psutil.Process) -> dict[str, float]:
    """Resident megabytes of the server, and of the processes that speak for it."""
    return {
        "server": process.memory_info().rss / 1e6,
        "engines": sum(child.memory_info().rss for child in process.children(recursive=True)) / 1e6,
    }


def server_rows() -> list[tuple[str, float, str]]:
    """A server adds a process, HTTP and a file format to a call; memory must not grow with the number of requests."""
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
        for _ in range(CALLS):  # in turn, so that whatever else the machine does hits all three
            for name, way in ways.items():
                begun = time.perf_counter()
                way()
                taken[name].append(time.perf_counter() - begun)
        medians = {name: statistics.median(values) for name, values in taken.items()}
        base = medians["called directly"]
        rows = [(f"espeak speaks a sentence, {name} (median of {CALLS})", median, f"{1000 * (median - base):+.1f} ms")
                for name, median in medians.items()]  # fmt: skip
        process = psutil.Process(server.process.pid)
        before, begun = memory(process), time.perf_counter()
        for _ in range(REQUESTS):
            ask()
        after = memory(process)
        grown = ", ".join(f"{name} {before[name]:.0f} -> {after[name]:.0f} MB" for name in before)
        rows.append((f"{REQUESTS:,} more requests, one client", time.perf_counter() - begun, grown))
    for workers in (1, 2):
        with Background("espeak", None, "--workers", str(workers), "--max-concurrent", str(CLIENTS)) as server:
            rows.append(_throughput(server.url, body, workers, base))
    return rows


def _throughput(url: str, body: dict[str, str], workers: int, base: float) -> tuple[str, float, str]:
    def client(_: int) -> None:
        with httpx.Client(base_url=url, trust_env=False) as one:
            for _ in range(CALLS // 2):
                one.post("/audio/speech", json=body).raise_for_status()

    client(0)
    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    took = time.perf_counter() - begun
    rate = CLIENTS * (CALLS // 2) / took
    return (f"{CLIENTS} clients, {CLIENTS * (CALLS // 2)} requests, {workers} worker{'s' * (workers > 1)}", took,
            f"{rate:.0f} requests/s, {rate * base:.2f} x the engine called directly")  # fmt: skip
