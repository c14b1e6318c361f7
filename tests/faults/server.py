"""A speech server on 127.0.0.1 that misbehaves as it is told. Every request gets the next fault of its list, then a good answer."""

import base64
import io
import json
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import soundfile

RATE = 24000
HTML = b"<!DOCTYPE html><html><body>Gateway says hello</body></html>"


def tone(seconds=0.5, rate=RATE, hertz=200):
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def encoded(samples, rate=RATE, kind="wav", subtype=None):
    """A file of samples, or s16le for "pcm"."""
    if kind == "pcm":
        return (samples * 32767).astype("<i2").tobytes()
    container, coding = {
        "wav": ("WAV", "PCM_16"),
        "mp3": ("MP3", None),
        "flac": ("FLAC", "PCM_16"),
        "opus": ("OGG", "OPUS"),
    }[kind]
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=container, subtype=subtype or coding)
    return buffer.getvalue()


class Request:
    """What the server was asked."""

    def __init__(self, path, headers, fields):
        self.path, self.headers, self.fields, self.at = path, headers, fields, time.monotonic()

    @property
    def text(self):
        return self.fields["input"] if "input" in self.fields else self.fields["messages"][-1]["content"]

    @property
    def kind(self):
        asked = self.fields.get("response_format") or self.fields.get("audio", {}).get("format", "wav")
        return asked.replace("pcm16", "pcm")


class Server:
    """Use as a context manager. `speak` makes the samples of a good answer; `faults` is used up from the front."""

    def __init__(self, *faults, speak=lambda text: tone(), rate=RATE):
        self.faults, self.speak, self.rate, self.requests = list(faults), speak, rate, []
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                fields = json.loads(self.rfile.read(int(self.headers["content-length"])))
                request = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, fields)
                with server._lock:
                    server.requests.append(request)
                    fault = server.faults.pop(0) if server.faults else good
                (fault or good)(server, self, request)

            def log_message(self, *arguments):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.host = f"127.0.0.1:{self._http.server_address[1]}"
        self.url = f"http://{self.host}/v1"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()


def send(handler, status, body, kind="application/json", promised=None, headers=()):
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body) if promised is None else promised))
    for name, value in headers:
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
    handler.wfile.flush()


def audio_answer(handler, request, content, **more):
    """Audio as the request wants it: the body, or base64 inside a chat completion."""
    if request.path.endswith("/chat/completions"):
        return chat_answer(handler, base64.b64encode(content).decode(), **more)
    return send(handler, 200, content, f"audio/{request.kind}", **more)


def chat_answer(handler, data, finish="stop", **more):
    message = {"role": "assistant", "content": None, "audio": {"id": "a", "data": data, "transcript": ""}}
    answer = {
        "id": "c",
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": finish, "message": message}],
    }
    send(handler, 200, json.dumps(answer).encode(), **more)


# The faults. Each is a function of server, handler and request.


def good(server, handler, request):
    audio_answer(handler, request, encoded(server.speak(request.text), server.rate, request.kind))


def status(number, message="as told", headers=(), **fields):
    body = json.dumps({"error": {"message": message, **fields}}).encode()
    return lambda server, handler, request: send(handler, number, body, headers=headers)


def content(body, kind="audio/wav"):
    """These bytes with status 200."""
    return lambda server, handler, request: send(handler, 200, body, kind)


def samples(values, rate=RATE, subtype=None):
    """A good answer but for its samples."""
    return lambda server, handler, request: audio_answer(handler, request, encoded(values, rate, "wav", subtype))


def chat(data, **more):
    """A chat completion with this as its audio."""
    return lambda server, handler, request: chat_answer(handler, data, **more)


def hang(server, handler, request):
    server.stopping.wait(20)
    handler.close_connection = True


def drip(server, handler, request):
    """A byte now and then: no single read takes long."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.close_connection = True
    try:
        for _ in range(60):
            handler.wfile.write(b"R")
            handler.wfile.flush()
            if server.stopping.wait(0.05):
                break
    except OSError:
        pass


def reset(server, handler, request):
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True
    handler.rfile.close()
    handler.wfile = io.BytesIO()


def truncated(server, handler, request):
    whole = encoded(server.speak(request.text), server.rate)
    send(handler, 200, whole[: len(whole) // 2], "audio/wav", promised=len(whole))
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def echo_key(code):
    """Repeats the key that it was sent, in the message and far enough for a cut to go through it."""

    def answer(server, handler, request):
        sent = request.headers["authorization"]
        status(code, f"bad key {sent} " + "x" * 192 + f" {sent}")(server, handler, request)

    return answer
