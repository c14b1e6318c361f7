"""Answers that would last for ever."""

import socket
import threading
import time

import pytest

from harness.chapters.ch09_higgs_api import faulty_server as faulty
from harness.chapters.ch09_higgs_api.reach import reachable
from harness.engines.base import SpeechRequest
from harness.engines.openai_speech import OpenAISpeechEngine, client
from harness.errors import HarnessError
from harness.tagged import TaggedText

SECONDS = 0.5


def speak(server, **options):
    engine = OpenAISpeechEngine(server.url, key_env=None, cache=None, retries=0, **options)
    return engine.speak(SpeechRequest(TaggedText.parse("We guarantee it")))


def test_a_refusal_that_drips_is_not_waited_for():
    def refuse(server, handler, request):
        handler.send_response(400)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not server.stopping.wait(0.05):
            handler.wfile.write(b" ")

    with faulty.Server(refuse) as server:
        begun = time.monotonic()
        with pytest.raises(HarnessError, match=r"no whole answer within 0\.5 s"):
            speak(server, timeout=SECONDS)
        assert time.monotonic() - begun < SECONDS + 10


def test_an_answer_that_grows_and_grows_is_not_kept(monkeypatch):
    monkeypatch.setattr(client, "MAX_BYTES", 2**20)
    with (
        faulty.Server(faulty.content(bytes(2**21))) as server,
        pytest.raises(HarnessError, match="more than 1 MB came"),
    ):
        speak(server)


def test_each_request_has_the_whole_time_and_connections_are_kept():
    def late(server, handler, request):
        server.stopping.wait(0.9)
        faulty.good(server, handler, request)

    with faulty.Server(late, late, late) as server:
        engine = OpenAISpeechEngine(server.url, key_env=None, cache=None, retries=0, timeout=1.5)
        for seed in range(3):
            assert engine.speak(SpeechRequest(TaggedText.parse("We guarantee it"), seed=seed)).audio.seconds == 0.5


def test_asking_whether_a_server_is_there_ends_too_and_goes_nowhere_else():
    """`reachable` sends GET, which the misbehaving server does not know: so a bare socket answers here."""
    elsewhere = socket.create_server(("127.0.0.1", 0))
    elsewhere.settimeout(0.2)
    answers = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", "answers"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % elsewhere.getsockname()[1],
         "answers with status 302"),
        (b"", "no answer within 0.5 s"),
    ]  # fmt: skip
    with elsewhere, socket.create_server(("127.0.0.1", 0)) as listener:
        for content, said in answers:

            def answer(content=content):
                with listener.accept()[0] as one:
                    one.recv(65536)
                    one.sendall(content)
                    one.recv(1)

            threading.Thread(target=answer, daemon=True).start()
            begun = time.monotonic()
            answered, words = reachable(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", timeout=SECONDS)
            assert words.startswith(said) and answered == bool(content) and time.monotonic() - begun < SECONDS + 10
        with pytest.raises(TimeoutError):
            elsewhere.accept()
