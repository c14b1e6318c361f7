"""A speech server on this machine that misbehaves on request, to show how a client copes.

Each request gets the next fault of the server's list. When the list is empty, the server answers correctly:

>>> with Server(status(503), reset) as server:  # doctest: +SKIP
...     make_engine("openai_speech", base_url=server.url).speak(request)
"""

from __future__ import annotations

import base64
import io
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 24000  # Hz
HTML = b"<!DOCTYPE html><html><body>Gateway says hello</body></html>"
_HANG_SECONDS = 20.0  # longer than any client in the tests waits

Samples = NDArray[np.float32]


def tone(seconds: float = 0.5, rate: int = RATE, hertz: float = 200) -> Samples:
    """Return a sine at a third of full scale."""
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def encoded(samples: Samples, rate: int = RATE, kind: str = "wav", subtype: str | None = None) -> bytes:
    """Return samples as a file ("wav", "mp3", "flac", "opus"), or as 16-bit little-endian integers for "pcm"."""
    if kind == "pcm":
        return (samples * 32767).astype("<i2").tobytes()
    coding = {"wav": "PCM_16", "mp3": None, "flac": "PCM_16", "opus": "OPUS"}[kind]
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="OGG" if kind == "opus" else kind, subtype=subtype or coding)
    return buffer.getvalue()


class Request:
    """A request that the server got: ``path``, ``headers`` by lower-case name, ``fields`` of the JSON body, time ``at`` in seconds."""

    def __init__(self, path: str, headers: dict[str, str], fields: dict[str, Any]) -> None:
        self.path, self.headers, self.fields, self.at = path, headers, fields, time.monotonic()

    @property
    def text(self) -> str:
        """Text to speak."""
        return self.fields["input"] if "input" in self.fields else self.fields["messages"][-1]["content"]

    @property
    def kind(self) -> str:
        """Requested audio format."""
        asked = self.fields.get("response_format") or self.fields.get("audio", {}).get("format", "wav")
        return asked.replace("pcm16", "pcm")


class Server:
    """A server that answers with faults while its ``with`` block runs.

    Parameters
    ----------
    *faults : Fault or None
        Faults for the first requests, in order; None for a correct answer.
    speak : callable
        Function from a text to the samples of a correct answer.
    rate : int
        Sampling rate of these samples in Hz.
    """

    def __init__(
        self, *faults: Fault | None, speak: Callable[[str], Samples] = lambda text: tone(), rate: int = RATE
    ) -> None:
        self.faults, self.speak, self.rate = list(faults), speak, rate
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                fields = json.loads(self.rfile.read(int(self.headers["content-length"])))
                request = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, fields)
                with server._lock:
                    server.requests.append(request)
                    fault = server.faults.pop(0) if server.faults else good
                (fault or good)(server, self, request)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.host = f"127.0.0.1:{self._http.server_address[1]}"
        self.url = f"http://{self.host}/v1"

    def __enter__(self) -> Server:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()


Fault = Callable[[Server, Any, Request], None]  # takes the server, the handler of the connection, and the request


def good(server: Server, handler: Any, request: Request) -> None:
    """Answer correctly."""
    _audio_answer(handler, request, encoded(server.speak(request.text), server.rate, request.kind))


def status(number: int, message: str = "as told", headers: Sequence[tuple[str, str]] = (), **fields: Any) -> Fault:
    """Return a fault: an error in OpenAI's shape with this status. `fields` become fields of the error."""
    body = json.dumps({"error": {"message": message, **fields}}).encode()
    return lambda server, handler, request: _send(handler, number, body, headers=headers)


def content(body: bytes, kind: str = "audio/wav") -> Fault:
    """Return a fault: these bytes with status 200."""
    return lambda server, handler, request: _send(handler, 200, body, kind)


def samples(values: Samples, rate: int = RATE, subtype: str | None = None) -> Fault:
    """Return a fault: a well-formed WAV answer with these samples."""
    return lambda server, handler, request: _audio_answer(handler, request, encoded(values, rate, "wav", subtype))


def chat(data: str | None) -> Fault:
    """Return a fault: a chat completion with this string as its audio."""
    return lambda server, handler, request: _chat_answer(handler, data)


def hang(server: Server, handler: Any, request: Request) -> None:
    """Do not answer."""
    server.stopping.wait(_HANG_SECONDS)
    handler.close_connection = True


def drip(server: Server, handler: Any, request: Request) -> None:
    """Send one byte every 50 ms, so that no single read times out."""
    _send(handler, 200, b"", "audio/wav", promised=100_000)
    handler.close_connection = True
    with suppress(OSError):
        for _ in range(60):
            handler.wfile.write(b"R")
            handler.wfile.flush()
            if server.stopping.wait(0.05):
                break


def reset(server: Server, handler: Any, request: Request) -> None:
    """Reset the connection."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True
    handler.rfile.close()
    handler.wfile = io.BytesIO()


def truncated(server: Server, handler: Any, request: Request) -> None:
    """Send half of the bytes that Content-Length promises."""
    whole = encoded(server.speak(request.text), server.rate)
    _send(handler, 200, whole[: len(whole) // 2], "audio/wav", promised=len(whole))
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def echo_key(code: int) -> Fault:
    """Return a fault: an error that repeats the key of the request, at the start and where a long message may be cut."""

    def answer(server: Server, handler: Any, request: Request) -> None:
        sent = request.headers["authorization"]
        status(code, f"bad key {sent} " + "x" * 192 + f" {sent}")(server, handler, request)

    return answer


def _send(
    handler: Any,
    status: int,
    body: bytes,
    kind: str = "application/json",
    promised: int | None = None,
    headers: Sequence[tuple[str, str]] = (),
) -> None:
    length = len(body) if promised is None else promised
    handler.send_response(status)
    for name, value in (("Content-Type", kind), ("Content-Length", str(length)), *headers):
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
    handler.wfile.flush()


def _audio_answer(handler: Any, request: Request, body: bytes) -> None:
    """Send audio as the request expects it: as the body, or as base64 in a chat completion."""
    if request.path.endswith("/chat/completions"):
        _chat_answer(handler, base64.b64encode(body).decode())
    else:
        _send(handler, 200, body, f"audio/{request.kind}")


def _chat_answer(handler: Any, data: str | None) -> None:
    message = {"role": "assistant", "content": None, "audio": {"id": "a", "data": data, "transcript": ""}}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    _send(handler, 200, json.dumps({"id": "c", "object": "chat.completion", "choices": [choice]}).encode())
