"""The child's side of `harness.engines.apart`, and the frames that both sides exchange through pipes.

A frame is a magic word, two lengths, a JSON header, and raw float32 little-endian samples (or none). The parent asks
for an engine, the child greets; then each request gets one reply, until the parent closes the pipe.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from harness import errors
from harness.engines.base import Speech, SpeechEngine, SpeechRequest, make_engine
from harness.tagged import TaggedText

_MAGIC = b"HAF1"
_LENGTHS = struct.Struct("<IQ")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class ProtocolError(Exception):
    """Bytes that are not a frame, or a frame that lacks something."""


def send(stream: IO[bytes], header: Mapping[str, Any], samples: bytes = b"") -> None:
    """Write one frame. Every string survives, halves of surrogate pairs too."""
    text = json.dumps(header, ensure_ascii=False).encode("utf-8", "surrogatepass")
    stream.write(_MAGIC + _LENGTHS.pack(len(text), len(samples)) + text)
    stream.write(samples)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Read one frame.

    Raises
    ------
    EOFError
        If the other side is gone.
    ProtocolError
        If something else was written into the pipe.
    """
    magic = _exactly(stream, len(_MAGIC))
    if magic != _MAGIC:
        raise ProtocolError(f"read {magic!r} instead of a frame")
    text_length, samples_length = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    text, samples = _exactly(stream, text_length), _exactly(stream, samples_length)
    try:
        header = json.loads(text.decode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise ProtocolError(f"the header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise ProtocolError("the header is not a mapping")
    return header, samples


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def describe_error(error: Exception, engine: str) -> dict[str, Any]:
    """`error` as a header that `rebuild_error` understands."""
    if not isinstance(error, errors.HarnessError):
        error = errors.HarnessError(f"the engine {engine} failed: {type(error).__name__}: {error}")
    kind = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
    return {"error": {"kind": kind, **error.fields()}}


def rebuild_error(kind: str, **fields: Any) -> errors.HarnessError:
    """The error that `describe_error` described."""
    return getattr(errors, kind)(**fields)


def main() -> None:
    """Make the engine that the parent asks for, and answer its requests until it is gone."""
    _end_with_parent()
    inlet, outlet = _own_pipes()
    try:
        setup, _ = receive(inlet)
        try:
            engine = make_engine(setup["engine"], **setup["options"])
            greeting = _greet(engine)
        except Exception as error:
            send(outlet, describe_error(error, setup["engine"]))
            return
        send(outlet, greeting)
        while True:
            request, _ = receive(inlet)
            try:
                header, samples = _answer(engine, request)
            except Exception as error:
                header, samples = describe_error(error, setup["engine"]), b""
            send(outlet, header, samples)
    except (EOFError, BrokenPipeError):  # the parent has closed the pipe
        return


def _greet(engine: SpeechEngine) -> dict[str, Any]:
    return {
        "name": str(engine.name),
        "dialect": str(engine.dialect),
        "deterministic": bool(engine.deterministic),
        "revision": str(engine.revision),
        "default_voice": str(engine.default_voice),
        "voices": [str(voice) for voice in engine.voices()],
    }


def _answer(engine: SpeechEngine, request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    speech: Speech = engine.speak(
        SpeechRequest(TaggedText.parse(request["text"]), request["voice"], request["seed"]),
    )
    samples = np.asarray(speech.audio.samples, dtype="<f4")
    if samples.ndim != 1:
        raise ValueError(f"its samples have the shape {samples.shape}, not one dimension")
    words = None if speech.words is None else [word.model_dump() for word in speech.words]
    return {"sample_rate": int(speech.audio.sample_rate), "words": words}, samples.tobytes()


def _own_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Take the pipes for the protocol alone: what a library prints goes to stderr, and it reads nothing."""
    inlet, outlet = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return inlet, outlet


def _end_with_parent() -> None:
    """End this process when its parent is gone, however busy it is."""
    killed_with_parent()
    threading.Thread(target=watch_parent, args=(os.getppid(),), daemon=True).start()


def killed_with_parent() -> None:
    """Have the kernel kill this process with the thread that started it, however busy it is. On Linux; elsewhere nothing.

    For ``preexec_fn`` of `subprocess.Popen`, called in the main thread.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def watch_parent(parent: int) -> None:
    """End this process when its parent is another than the one with this number: when that one is gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    main()
