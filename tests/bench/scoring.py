"""Scoring of audio: its parts compared with a pipeline around librosa's pYIN, and one core compared with two."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.audio import write_wav
from harness.engines import SpeechRequest, make_engine
from harness.experiment.sentences import load_items
from harness.paths import ROOT
from harness.processes.parallel import in_parallel
from harness.processes.stacks import BOSON, python_of
from harness.prosody.align import align
from harness.prosody.features import measure
from harness.prosody.scorer import analyse, analyse_tagged
from tests.bench.table import Row, compared, seconds

CLIPS = 40
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


def _score(pair) -> None:
    text, clip = pair
    analyse_tagged(clip, text, text.tags)


def piece_rows() -> list[Row]:
    """Measure alignment, features, and both with the leak check, compared with a pipeline around pYIN on the same clips."""
    engine = make_engine("espeak")
    texts = [item.text for item in load_items("quick")][:CLIPS]
    clips = [engine.speak(SpeechRequest(text)).audio for text in texts]
    length = sum(clip.seconds for clip in clips)
    pairs = list(zip(texts, clips, strict=True))
    _score(pairs[0])  # reads the dictionary, once per process
    words = [align(clip, text.words) for text, clip in pairs]
    aligned = seconds(lambda: [align(clip, text.words) for text, clip in pairs])
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{number}.wav") for number in range(len(clips))]
        for path, clip in zip(paths, clips, strict=True):
            write_wav(path, clip)
        done = subprocess.run([str(python_of(BOSON)), "-c", PYIN, *paths], check=True, capture_output=True, text=True)
    pipeline = aligned + json.loads(done.stdout)

    def times(took: float) -> str:
        return f"{took / length:.3f} x real time"

    base = Row(f"score {CLIPS} clips: align, and F0 by librosa's pYIN", pipeline, note=times(pipeline))
    pieces = {
        "align alone": aligned,
        "features alone": seconds(lambda: [measure(clip, spans) for clip, spans in zip(clips, words, strict=True)]),
        "plain clips (align, features)": seconds(lambda: [analyse(clip, text) for text, clip in pairs]),
        "tagged clips (align, leak check, features)": seconds(lambda: [_score(pair) for pair in pairs]),
    }
    return [base, *(compared(base, f"score {CLIPS} clips: {name}", took, times(took)) for name, took in pieces.items())]


def core_rows() -> list[Row]:
    """Score the same clips with one process, with two, and with two that share nothing (the limit on this machine)."""
    engine = make_engine("espeak")
    texts = [item.text for item in load_items("standard")][:400]
    pairs = [(text, engine.speak(SpeechRequest(text)).audio) for text in texts]
    list(in_parallel(_score, pairs[:8], jobs=2))  # starts the workers
    _score(pairs[0])
    one = seconds(lambda: list(in_parallel(_score, pairs, jobs=1)))
    two = seconds(lambda: list(in_parallel(_score, pairs, jobs=2)))
    base = Row(f"score {len(pairs)} clips, 1 process", one)
    alone, both = _alone(1), _alone(2)
    ceiling = Row("score 100 clips, 1 process", alone)
    shared, separate = (
        f"score {len(pairs)} clips, 2 processes",
        "score 100 clips in each of 2 processes that share nothing",
    )
    return [
        base,
        compared(base, shared, two, f"{one / two:.2f} x throughput"),
        ceiling,
        compared(ceiling, separate, both, f"{2 * alone / both:.2f} x throughput"),
    ]


def _alone(processes: int) -> float:
    command = [sys.executable, "-c", ALONE]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return max(json.loads(process.communicate()[0]) for process in running)


def rows() -> list[Row]:
    """Return all rows of this group."""
    return [*piece_rows(), *core_rows()]
