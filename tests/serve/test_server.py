import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import openai
import psutil
import pytest
from server_process import HERE, MAIN, refused

from harness.errors import HarnessError
from harness.serve.server import serve, take_key

KEY = "sk-a-secret-of-the-tests"


def command(*arguments, **environment):
    """The command where it is to fail."""
    return subprocess.run(
        [sys.executable, "-c", MAIN, "serve", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(HERE), **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )


def raw(text):
    """A request in bytes."""
    body = b'{"model": "slow", "input": "%s"}' % text.encode()
    head = "POST /v1/audio/speech HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    return f"{head}{len(body)}\r\n\r\n".encode() + body


def in_background(server, text):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(server.speech(text)))
    thread.start()
    time.sleep(0.4)
    return thread, answers


def test_key(start):
    with start("--log", HARNESS_SERVE_KEY=KEY) as server:
        refused(server.speech("hush"), 401, "invalid_api_key")
        for header in (KEY, f"Basic {KEY}", "Bearer", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", "Bearer clé"):
            answer = server.http.get("/v1/models", headers={"Authorization": header.encode()})
            assert KEY not in refused(answer, 401, "invalid_api_key") and answer.headers["www-authenticate"] == "Bearer"
        refused(server.http.get("/nowhere"), 401, "invalid_api_key")
        assert server.http.get("/health").status_code == 200
        right = {"Authorization": f"Bearer {KEY}"}
        assert server.http.get("/v1/models", headers=right).status_code == 200
        refused(server.http.get("/nowhere/hush", headers=right), 404, "not_found")
        with openai.OpenAI(base_url=server.url, api_key=KEY, max_retries=0) as client:
            assert client.audio.speech.create(model="slow", voice="low", input="hush", response_format="wav").content
            with pytest.raises(openai.BadRequestError) as raised:
                client.audio.speech.create(model="slow", voice="low", input="environment")
            assert "PATH=" in str(raised.value) and KEY not in str(raised.value)
            with pytest.raises(openai.InternalServerError):
                client.audio.speech.create(model="slow", voice="low", input="hush bug")
        wrong = openai.OpenAI(base_url=server.url, api_key="wrong", max_retries=0)
        with wrong, pytest.raises(openai.AuthenticationError):
            wrong.models.list()
        code, out, err = server.end()
        assert code == 0 and KEY not in out + err and "hush" not in err and "Traceback" not in err
        assert "POST speech 200" in err and "GET - 401" in err


def test_key_beyond_ascii(start):
    key = "schlüssel-€-ключ"
    with start("--key-env", "OTHER", OTHER=key, HARNESS_SERVE_KEY="not this one") as server:
        sent = {"Authorization": b"Bearer " + key.encode()}
        assert server.http.get("/v1/models", headers=sent).status_code == 200
        assert server.http.get("/v1/models", headers={"Authorization": b"Bearer schl\xfcssel"}).status_code == 401


@pytest.mark.parametrize("value", [" ", "two words", "line\nbreak", "\t"])
def test_key_that_cannot_be_sent(monkeypatch, value):
    monkeypatch.setenv("SOME_KEY", value)
    with pytest.raises(HarnessError, match="SOME_KEY must hold a key without white space"):
        take_key("SOME_KEY")


def test_key_is_taken_out_of_the_environment(monkeypatch):
    monkeypatch.setenv("SOME_KEY", "abc ")
    assert take_key("SOME_KEY") == b"abc" and "SOME_KEY" not in os.environ and take_key("SOME_KEY") is None


def test_too_many_requests(start):
    with (
        start("--max-concurrent", 1, "--max-queued", 2, "--option", "seconds=0.5") as server,
        ThreadPoolExecutor(8) as threads,
    ):
        answers = list(threads.map(lambda _: server.speech(), range(8)))
        busy = [answer for answer in answers if answer.status_code != 200]
        assert len(busy) == 5
        for answer in busy:
            refused(answer, 429, "rate_limit_exceeded")
            assert int(answer.headers["retry-after"]) >= 1
        assert server.speech().status_code == 200


def test_waiting_counts_and_who_waits_harms_no_engine(start):
    with start("--timeout", 1.5, "--option", "seconds=1") as server, ThreadPoolExecutor(3) as threads:
        engines = [child.pid for child in server.children()]
        answers = sorted(answer.status_code for answer in threads.map(lambda _: server.speech(), range(3)))
        assert answers == [200, 504, 504] and [child.pid for child in server.children()] == engines


def test_workers_speak_at_once(start):
    with start("--workers", 2, "--option", "seconds=2") as server, ThreadPoolExecutor(2) as threads:
        server.speech()  # imports what resamples
        begin = time.monotonic()
        assert [answer.status_code for answer in threads.map(lambda _: server.speech(), range(2))] == [200, 200]
        assert time.monotonic() - begin < 3.9 and len(server.children()) == 2


def test_leaving_a_stream_makes_room(start):
    with start("--max-concurrent", 1, "--max-queued", 0, "--option", "seconds=0.5") as server:
        stream = {"model": "slow", "input": "Three words here. " * 30, "response_format": "pcm", "stream": True}
        with server.http.stream("POST", "/v1/audio/speech", json=stream) as answer:
            pieces = answer.iter_raw(100)  # kept: an iterator that is collected closes the stream
            next(pieces)
            refused(server.speech(), 429, "rate_limit_exceeded")
        deadline = time.monotonic() + 8  # the whole text takes 15 s
        while server.speech().status_code == 429 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert server.speech().status_code == 200


def test_leaving_the_queue_makes_room(start):
    with start("--max-concurrent", 1, "--max-queued", 1, "--option", "seconds=1") as server:
        thread, answers = in_background(server, "first")
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(raw("second"))
            time.sleep(0.2)
            refused(server.speech(), 429, "rate_limit_exceeded")
        time.sleep(0.1)
        assert server.speech().status_code == 200
        thread.join()
        assert answers[0].status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_orderly_end(start, number):
    with start() as server:
        assert server.ready == f"serving slow_engine:Slow on http://127.0.0.1:{server.port}/v1\n"
        children = server.children()
        server.speech()  # imports what resamples
        thread, answers = in_background(server, "slowly")
        server.process.send_signal(number)
        assert server.process.wait(8) == 0
        thread.join()
        assert answers[0].status_code == 200 and len(answers[0].content) > 1000
        assert children and not any(child.is_running() for child in children)
        assert server.end()[1:] == ("", "")
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", server.port))


def test_second_signal_ends_at_once(start):
    with start() as server:
        children = server.children()
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(raw("hang"))
            time.sleep(0.4)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            assert server.process.poll() is None
            begin = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(5) == 128 + signal.SIGTERM and time.monotonic() - begin < 1
        assert "Traceback" not in server.end()[2]
        assert not psutil.wait_procs(children, timeout=2)[1]


def test_end_does_not_wait_for_a_hanging_engine_forever(start):
    with start(GRACE="2") as server:
        children = server.children()
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(raw("hang"))
            time.sleep(0.4)
            begin = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(8) == 0 and 1.9 < time.monotonic() - begin < 5
        assert server.end()[2] == "" and not psutil.wait_procs(children, timeout=2)[1]


def test_port_in_use(slow):
    ended = command("--port", slow.port)
    assert ended.returncode == 2 and ended.stdout == ""
    assert (
        ended.stderr
        == f"harness: port {slow.port} on 127.0.0.1 is in use (give another --port; 0 chooses a free one)\n"
    )


def test_engine_that_cannot_be_served():
    ended = command("--port", 0, "--option", "voice=klingon")
    assert ended.returncode == 2 and ended.stdout == "" and "Traceback" not in ended.stderr
    assert ended.stderr.startswith("harness: ") and "espeak has no voice" in ended.stderr


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"host": "0.0.0.0"}, "no key is set"),
        ({"host": "::"}, "no key is set"),
        ({"host": "not a host"}, "cannot listen on 'not a host'"),
        ({"port": 70000}, "port must be from 0 to 65535, got 70000"),
        ({"timeout": float("nan")}, "timeout must be greater than 0 seconds, got nan"),
        ({"max_queued": -1}, "max_queued must be at least 0, got -1"),
    ],
)
def test_what_cannot_be_served(monkeypatch, fields, message):
    monkeypatch.delenv("HARNESS_SERVE_KEY", raising=False)
    with pytest.raises(HarnessError, match=message):
        serve("no engine starts before these are checked", **fields)


def test_other_host_with_a_key(start):
    with start("--host", "0.0.0.0", HARNESS_SERVE_KEY=KEY) as server:
        assert server.speech().status_code == 401
        err = server.end()[2]
        assert "warning: other machines can reach 0.0.0.0" in err and KEY not in err


def test_memory_does_not_grow(slow):
    server = psutil.Process(slow.process.pid)

    def ask(count):
        for number in range(count):
            name = ("wav", "mp3", "flac", "opus", "pcm")[number % 5]
            assert slow.speech("one two three four", response_format=name).status_code == 200
            refused(slow.speech("a <b> c"), 400, "invalid_tag", "input")
        return server.memory_info().rss + sum(child.memory_info().rss for child in server.children())

    before = ask(50)
    assert ask(200) - before < 8 * 2**20
    assert len(server.children()) == 1 and server.num_fds() < 40
