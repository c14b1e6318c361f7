"""Scoring: its pieces against alignment alone and against librosa's pYIN, one core against two, 100 clips against 5,000."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness.audio import write_wav
from harness.engines import SpeechRequest, make_engine
from harness.experiment.parallel import in_parallel
from harness.experiment.sentences import load_items
from harness.higgs.stacks import BOSON, python_of
from harness.paths import ROOT
from harness.prosody.align import align
from harness.prosody.features import measure
from harness.prosody.scorer import analyse, analyse_tagged

CLIPS = 40
SIZES = {100: 13, 1_000: 125, 5_000: 216}  # clips: sentences of the standard set, each plain and with seven tags
PYIN = """
import json, sys, time
import librosa
seconds = 0.0
for path in sys.argv[1:]:
    samples, rate = librosa.load(path, sr=None)
    begun = time.perf_counter()
    librosa.pyin(samples, fmin=60, fmax=500, sr=rate)
    seconds += time.perf_counter() - begun
print(json.dumps(seconds))
"""
ALONE = """
import json, sys, time
from harness.engines import SpeechRequest, make_engine
from harness.experiment.sentences import load_items
from harness.prosody.scorer import analyse_tagged
engine = make_engine("espeak")
pairs = [(item.text, engine.speak(SpeechRequest(item.text)).audio) for item in load_items("quick")[:100]]
for text, clip in pairs[:1] + pairs:
    if text is pairs[0][0]:
        begun = time.perf_counter()  # the first time, it reads the dictionary
    analyse_tagged(clip, text, text.tags)
print(json.dumps(time.perf_counter() - begun))
"""
RUN = """
import json, resource, sys
from pathlib import Path
from harness.experiment import run, validate
voices = ["en-us", "en-gb", "en-gb-x-rp"][: int(sys.argv[2])]
fields = {"name": "bench", "sentences": "standard", "limit": int(sys.argv[1]), "engines": [{"name": "espeak", "voice": v} for v in voices]}
summary = run(validate(fields), Path(sys.argv[3]))
# ru_maxrss of a process counts from before its exec, so it would be that of the benchmark
own = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
peak = [1024 * own, 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]
print(json.dumps({"peak": peak, "failed": summary["failed_units"]}))
"""


def seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def _score(pair) -> None:
    text, clip = pair
    analyse_tagged(clip, text, text.tags)


def piece_rows() -> list[tuple[str, float, str]]:
    """Alignment, features, both with the leak check, and a pipeline around pYIN, on the same clips."""
    engine = make_engine("espeak")
    texts = [item.text for item in load_items("quick")][:CLIPS]
    clips = [engine.speak(SpeechRequest(text)).audio for text in texts]
    length = sum(clip.seconds for clip in clips)
    pairs = list(zip(texts, clips, strict=True))
    _score(pairs[0])  # reads the dictionary, once a process
    words = [align(clip, text.words) for text, clip in pairs]
    aligned = seconds(lambda: [align(clip, text.words) for text, clip in pairs])
    rows = {
        "align": aligned,
        "features": seconds(lambda: [measure(clip, times) for clip, times in zip(clips, words, strict=True)]),
        "plain clip: align, features": seconds(lambda: [analyse(clip, text) for text, clip in pairs]),
        "tagged clip: align, leak check, features": seconds(lambda: [_score(pair) for pair in pairs]),
    }
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{number}.wav") for number in range(len(clips))]
        for path, clip in zip(paths, clips, strict=True):
            write_wav(path, clip)
        done = subprocess.run([str(python_of(BOSON)), "-c", PYIN, *paths], check=True, capture_output=True, text=True)
        rows["align, and F0 by librosa's pYIN"] = aligned + json.loads(done.stdout)
    return [
        (f"{name}, {len(clips)} clips", took, f"{took / length:.3f} x real time, {took / aligned:.2f} x align")
        for name, took in rows.items()
    ]


def core_rows() -> list[tuple[str, float, str]]:
    """The same clips scored by one process and by two."""
    engine = make_engine("espeak")
    texts = [item.text for item in load_items("standard")][:400]
    pairs = [(text, engine.speak(SpeechRequest(text)).audio) for text in texts]
    list(in_parallel(_score, pairs[:8], jobs=2))  # starts the workers
    _score(pairs[0])
    one = seconds(lambda: list(in_parallel(_score, pairs, jobs=1)))
    two = seconds(lambda: list(in_parallel(_score, pairs, jobs=2)))
    return [
        (f"scoring {len(pairs)} clips, 1 process", one, "1"),
        (f"scoring {len(pairs)} clips, 2 processes", two, f"{one / two:.2f} x throughput"),
        ceiling_row(),
    ]


def ceiling_row() -> tuple[str, float, str]:
    """What this machine's two cores give to processes that share nothing: they still share its cache and memory."""

    def alone(processes: int) -> float:
        command = [sys.executable, "-c", ALONE]
        running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
        return max(json.loads(process.communicate()[0]) for process in running)

    one, two = alone(1), alone(2)
    return "scoring 100 clips in each of 2 processes that share nothing", two, f"{2 * one / two:.2f} x throughput"


def size_rows() -> list[tuple[str, float, str]]:
    """`harness run` on about 100, 1,000 and 5,000 clips, each in a process of its own: time a clip, peak memory."""
    rows, base = [], None
    for size, sentences in SIZES.items():
        voices = 3 if size == 5_000 else 1
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            command = [sys.executable, "-c", RUN, str(sentences), str(voices), folder]
            done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
            took = time.perf_counter() - begun
            clips = sum(1 for _ in (Path(folder) / "clips.jsonl").open())
        own, workers = (peak / 1e6 for peak in json.loads(done.stdout.splitlines()[-1])["peak"])
        base = base or (took / clips, own, workers)
        rows.append(
            (f"run of {clips} clips", took, f"{1000 * took / clips:.0f} ms a clip, {took / clips / base[0]:.2f} x; peak memory "
             f"{own:.0f} MB, {own / base[1]:.2f} x, of a worker {workers:.0f} MB, {workers / base[2]:.2f} x")
        )  # fmt: skip
    return rows


def scoring_rows() -> list[tuple[str, float, str]]:
    """All of them."""
    return [*piece_rows(), *core_rows(), *size_rows()]


if __name__ == "__main__":
    for what, took, ratio in scoring_rows():
        print(f"{what:60} {took:8.2f} s  {ratio}", flush=True)
