"""Run with the interpreter of .venv-boson: everything that the tests ask of the engine in this process, as JSON.

Arguments: output file, and a recording to clone.
"""

import json
import sys
import time
from itertools import count
from pathlib import Path

import numpy as np

from harness.chapters.ch08_higgs_engine.failures import failures
from harness.chapters.ch08_higgs_engine.measure import codes
from harness.engines import SpeechRequest
from harness.engines.higgs.boson import BosonInProcess, _without_codec
from harness.errors import HarnessError
from harness.tagged import TaggedText

TEXTS = ("We <emph> guarantee 30% savings", "Never again.", "Is it <pitch_rising> true?", "Go")
GREEDY = {"checkpoint": "tiny", "seed": 1, "temperature": 0, "max_seconds": 2.0}
SMALL_TEXT = "We <emph> guarantee thirty percent savings"
TEXT = SpeechRequest(TaggedText.parse(TEXTS[0]))


def failing(engine, how):
    """Stream while the model does `how` at its fifth step; return how the stream ended, and after how many seconds."""
    steps = count(1)
    hook = engine.engine.model.register_forward_pre_hook(lambda *_: how() if next(steps) == 5 else None)
    begun = time.monotonic()
    try:
        list(engine.stream(TEXT, timeout=1.0))
        ended = "ended"
    except HarnessError as error:
        ended = str(error)
    finally:
        hook.remove()
    return ended, time.monotonic() - begun


def crash():
    raise RuntimeError("as the test wants it")


def refusal(engine, text):
    try:
        engine.speak(SpeechRequest(TaggedText.from_plain(text)))
    except HarnessError as error:
        return str(error)
    return "spoken"


def main(output, recording):
    engine = BosonInProcess(**GREEDY)
    found = {"crash": failing(engine, crash), "hang": failing(engine, lambda: time.sleep(3))}
    found["control token"] = refusal(engine, r"a \<|eot_id|> b")
    whole, again = engine.speak(TEXT).audio, engine.speak(TEXT).audio
    joined = np.concatenate([piece.samples for piece in engine.stream(TEXT, piece_frames=7)])
    found["stream"] = [len(whole.samples), float(np.abs(joined - whole.samples).max())]
    made = engine.generate(TEXT).codes
    with _without_codec(engine.engine):  # as another thread's `generate` does while a stream is decoded
        found["codec"] = len(engine.codec.decode(made[:, :10]))
    found["repeats"] = bool((whole.samples == again.samples).all())
    stream = engine.stream(TEXT, piece_frames=5)
    first = next(stream)
    begun = time.monotonic()
    stream.close()
    found["left"] = [len(first.samples), time.monotonic() - begun]
    drawn = BosonInProcess(checkpoint="tiny", seed=1, temperature=1.0, max_seconds=1.0)
    takes = [drawn.generate(SpeechRequest(TEXT.text, seed=seed)).codes for seed in (0, 1, 0)]
    found["seeds"] = [np.array_equal(takes[0], takes[2]), np.array_equal(takes[0], takes[1])]
    cloned = BosonInProcess(**GREEDY, reference_audio=recording, reference_text="Hello there.")
    found["clone"] = [cloned.default_voice, cloned.speak(TEXT).audio.seconds]
    found["clone differs"] = not np.array_equal(cloned.generate(TEXT).codes[:, :20], made[:, :20])
    found["codes"] = codes(TEXTS, **GREEDY)
    found["small"] = codes([SMALL_TEXT], checkpoint="small", temperature=0)[0]
    found["failures"] = failures(patience=1.0, seed=1)
    Path(output).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
