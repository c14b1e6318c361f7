"""Answers that would last for ever, or unfold in memory or in time."""

import gzip
import json
import socket
import subprocess
import sys
import threading
import time

import pytest

from harness.chapters.ch09_higgs_api import faulty_server as faulty
from harness.chapters.ch09_higgs_api.reach import reachable
from harness.engines.base import SpeechRequest
from harness.engines.openai_speech import OpenAISpeechEngine
from harness.engines.openai_speech.decode import BadAudio, decode, from_chat
from harness.engines.openai_speech.exchange import Exchange
from harness.errors import HarnessError
from harness.tagged import TaggedText

SECONDS = 0.5
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
DRIPS = {
    "head": (OK + b"X-Slow: ", b"a"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "chunk": (CHUNKED + b"1;", b"a"),
    "trailer": (CHUNKED + b"1\r\na\r\n0\r\nX-Slow: ", b"a"),
    "refusal": (b"HTTP/1.1 400 Bad Request\r\nX-Slow: ", b"a"),
}


def raw(first, again=b""):
    """These bytes as the answer, the second ones again and again."""

    def answer(server, handler, request):
        handler.close_connection = True
        try:
            handler.connection.sendall(first)
            for _ in range(400 if again else 0):  # 20 s
                handler.connection.sendall(again)
                if server.stopping.wait(0.05):
                    break
        except OSError:
            pass

    return answer


def speak(server, **options):
    engine = OpenAISpeechEngine(server.url, key_env=None, cache=None, retries=0, **options)
    return engine.speak(SpeechRequest(TaggedText.parse("We guarantee it")))


@pytest.mark.parametrize("part", DRIPS)
@pytest.mark.parametrize("api", ["speech", "chat"])
def test_an_answer_that_drips_is_not_waited_for(part, api):
    with faulty.Server(raw(*DRIPS[part])) as server:
        begun = time.monotonic()
        with pytest.raises(HarnessError, match=r"no whole answer within 0\.5 s"):
            speak(server, api=api, timeout=SECONDS)
        assert time.monotonic() - begun < SECONDS + 10


def test_each_request_has_the_whole_time_and_connections_are_kept():
    def late(server, handler, request):
        server.stopping.wait(0.9)
        faulty.good(server, handler, request)

    with faulty.Server(late, late, late) as server:
        engine = OpenAISpeechEngine(server.url, key_env=None, cache=None, retries=0, timeout=1.5)
        for seed in range(3):
            assert engine.speak(SpeechRequest(TaggedText.parse("We guarantee it"), seed=seed)).audio.seconds == 0.5


@pytest.mark.parametrize("status", [200, 400])
def test_compressed_answers_are_not_asked_for_and_not_unfolded(status):
    # Empty blocks: unfolding more of them takes time, and gives no byte.
    nothing = gzip.compress(b"\0\0\0\xff\xff" * 1_000_000)
    head = f"HTTP/1.1 {status} X\r\nContent-Encoding: gzip, gzip\r\nContent-Length: {len(nothing)}\r\n\r\n".encode()
    with faulty.Server(raw(head + nothing)) as server:
        with pytest.raises(HarnessError) as caught:
            speak(server)
        assert server.requests[0].headers["accept-encoding"] == "identity"
    assert "is compressed" in str(caught.value) if status == 200 else "answered 400" in str(caught.value)


FLOOD = """
import resource, sys
from harness.engines.openai_speech.decode import BadAudio, decode, from_chat
content = b'{"choices":[' + b"[]," * 4_000_000 + b"[]]}"
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    from_chat(content) if sys.argv[1] == "chat" else decode(content, "wav", pcm_rate=24000, characters=40, content_type=sys.argv[1])
except BadAudio as error:
    print(error, file=sys.stderr)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("kind", ["chat", "application/json", "audio/wav"])
def test_json_of_very_many_parts_is_not_unfolded(kind):
    done = subprocess.run([sys.executable, "-c", FLOOD, kind], capture_output=True, text=True, timeout=120)
    assert done.stderr and "Traceback" not in done.stderr and int(done.stdout) < 100_000


def test_a_long_chat_is_read_all_the_same():
    answer = {"choices": [{"message": {"audio": {"data": "UklGRg==", "transcript": "one, [two], " * 400}}}]}
    assert from_chat(json.dumps(answer).encode()) == b"RIFF"
    with pytest.raises(BadAudio, match=r"JSON \(no such model\) came back"):
        decode(b'{"detail": "no such model"}', "wav", pcm_rate=24000, characters=40)


@pytest.mark.parametrize("answer", [b"[" * 100_000, b"[" * 50_000 + b"]" * 50_000, b"[" + b"0," * 200_000 + b"0]"])
def test_json_that_cannot_be_laid_out_is_shown_as_it_came(answer):
    seen = Exchange("POST", "http://x/v1", {}, b"{}", 200, {"content-type": "application/json"}, answer, 0.1, 0.2)
    assert answer.decode() in seen.without("key of tests").written()


def test_asking_whether_a_server_is_there_ends_too_and_goes_nowhere_else():
    """`reachable` sends GET, which the misbehaving server does not know: so a bare socket answers here."""
    elsewhere = socket.create_server(("127.0.0.1", 0))
    elsewhere.settimeout(0.2)
    answers = [
        (OK + b"Content-Length: 999999999\r\n\r\n", "answers"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % elsewhere.getsockname()[1],
         "answers with status 302"),
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
            assert answered and words.startswith(said) and time.monotonic() - begun < SECONDS + 10
        with pytest.raises(TimeoutError):
            elsewhere.accept()
