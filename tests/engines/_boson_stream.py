"""Runs in .venv-boson: what the in-process engine does in unusual situations, as JSON. Arguments: output file, a recording."""

import json
import sys
import time
from itertools import count
from pathlib import Path

import numpy as np

from harness.engines import SpeechRequest
from harness.engines.higgs.boson import BosonInProcess, _without_codec
from harness.errors import HarnessError
from harness.tagged import TaggedText

TEXT = SpeechRequest(TaggedText.parse("We <emph> guarantee 30% savings"))


def failing(engine, how):
    """A stream whose model does `how` at its fifth step."""
    steps = count(1)
    hook = engine.engine.model.register_forward_pre_hook(lambda *_: how() if next(steps) == 5 else None)
    begun = time.monotonic()
    try:
        list(engine.stream(TEXT, timeout=1.0))
        said = "ended"
    except HarnessError as error:
        said = str(error)
    finally:
        hook.remove()
    return said, time.monotonic() - begun


def crash():
    raise RuntimeError("as the test wants it")


def main(output, recording):
    engine = BosonInProcess(seed=1, temperature=0)
    found = {"crash": failing(engine, crash), "hang": failing(engine, lambda: time.sleep(3))}
    whole, again = engine.speak(TEXT).audio, engine.speak(TEXT).audio
    joined = np.concatenate([piece.samples for piece in engine.stream(TEXT, piece_frames=7)])
    found["stream"] = [len(whole.samples), float(np.abs(joined - whole.samples).max())]
    codes = engine.generate(TEXT).codes[:, :10]
    with _without_codec(engine.engine):  # as another thread's `generate` does while a stream is decoded
        found["codec"] = len(engine.codec.decode(codes))
    found["repeats"] = bool((whole.samples == again.samples).all())
    stream = engine.stream(TEXT, piece_frames=5)
    first = next(stream)
    begun = time.monotonic()
    stream.close()
    found["left"] = [len(first.samples), time.monotonic() - begun]
    drawn = BosonInProcess(seed=1, temperature=1.0)
    takes = [drawn.speak(SpeechRequest(TEXT.text, seed=seed)).audio.samples for seed in (0, 1, 0)]
    found["seeds"] = [bool(np.array_equal(takes[0], takes[2])), bool(np.array_equal(takes[0], takes[1]))]
    cloned = BosonInProcess(
        seed=1, temperature=0, reference_audio=recording, reference_text="Hello there.", max_seconds=2
    )
    found["clone"] = [cloned.default_voice, cloned.speak(TEXT).audio.seconds]
    found["clone differs"] = not np.array_equal(
        cloned.generate(TEXT).codes[:, :20], engine.generate(TEXT).codes[:, :20]
    )
    Path(output).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
