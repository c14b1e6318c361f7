"""Try a client against a server that misbehaves: a few faults, live, with the server of `faulty_server`."""

from __future__ import annotations

import time
from typing import Any

from harness.chapters.ch09_higgs_api import faulty_server as faulty
from harness.engines.base import SpeechRequest
from harness.engines.openai_speech import OpenAISpeechEngine
from harness.errors import HarnessError
from harness.tagged import TaggedText

TEXT = "We guarantee it"
ALWAYS = 9  # more often than the client tries
TRIALS: tuple[tuple[str, tuple[faulty.Fault, ...]], ...] = (
    ("429, Retry-After: 1, once", (faulty.status(429, "slow down", headers=[("Retry-After", "1")]),)),
    ("500, twice", (faulty.status(500, "out of memory"),) * 2),
    ("connection reset, once", (faulty.reset,)),
    ("half of the promised bytes, once", (faulty.truncated,)),
    ("an HTML page with status 200, always", (faulty.content(faulty.HTML, "text/html"),) * ALWAYS),
    ("half a second of silence, always", (faulty.samples(0 * faulty.tone()),) * ALWAYS),
    ("401, always", (faulty.status(401, "no such key"),) * ALWAYS),
    ("400 input_too_long, always", (faulty.status(400, "Input too long", code="input_too_long"),) * ALWAYS),
)


def try_faults() -> list[dict[str, Any]]:
    """Send a request to the misbehaving server for each fault.

    Returns
    -------
    list of dict
        One row per fault. ``server``: what the server did; ``requests``: number of requests it got; ``seconds``: time until the
        client gave a result; ``heard``: whether that was audio; ``outcome``: length of the audio, or the error message.
    """
    rows = []
    for name, faults in TRIALS:
        with faulty.Server(*faults) as server:
            engine = OpenAISpeechEngine(server.url, key_env=None, cache=None, retries=3)
            begun, heard = time.monotonic(), False
            try:
                audio = engine.speak(SpeechRequest(TaggedText.parse(TEXT))).audio
                heard, outcome = True, f"{audio.seconds:.1f} s of audio"
            except HarnessError as error:
                outcome = str(error).replace(server.host, "127.0.0.1")
            rows.append({"server": name, "requests": len(server.requests), "seconds": time.monotonic() - begun,
                         "heard": heard, "outcome": outcome})  # fmt: skip
    return rows
