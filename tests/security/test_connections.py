"""Clients that hold connections, and pages that are not from here."""

import resource
import socket
import threading
import time
from contextlib import suppress

import pytest
from server_process import refused, running

from harness.serve import connections
from harness.serve.hosts import stranger

CROWD = 850
FILES = 700  # that the server may open: fewer than the crowd
HALF = b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
HEADED = b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
IN_CHUNKS = HEADED.replace(b"Content-Length: 99\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n")


@pytest.fixture(scope="module")
def server():
    with running() as found:
        resource.prlimit(found.process.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
        yield found


@pytest.mark.parametrize("sent", [b"", HALF, HEADED], ids=["nothing", "half a head", "no body"])
def test_a_crowd_that_sends_half_a_request_keeps_nobody_out(server, sent):
    crowd = []
    try:
        for _ in range(CROWD):
            one = socket.create_connection(("127.0.0.1", server.port), timeout=5)
            crowd.append(one)
            with suppress(OSError):  # the server may have closed it already
                one.sendall(sent)
        assert server.speech().status_code == 200
        assert len(list(open_sockets(server))) <= connections.MAX_OPEN + 10
    finally:
        for one in crowd:
            one.close()
    assert server.speech().status_code == 200


def open_sockets(server):
    import psutil

    return (one for one in psutil.Process(server.process.pid).net_connections("tcp") if one.status == "ESTABLISHED")


def test_an_unfinished_head_is_not_waited_for_though_it_drips(server):
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=1) as drip, pytest.raises(OSError):
        drip.sendall(HALF)
        for _ in range(60):
            time.sleep(0.5)
            drip.sendall(b"x")
    assert connections.HEAD_SECONDS - 1 < time.monotonic() - started < connections.HEAD_SECONDS + 5


def chunked(size, body):
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return IN_CHUNKS + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 1000])
def test_a_body_in_chunks_is_refused_in_words(server, size):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(chunked(size, b'{"model": "espeak", "voice": "en-us", "input": "We go on."}'))
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 411 ") and b"Content-Length" in answer


def test_the_rest_of_a_request_that_is_none_is_passed_over():
    with running() as server:
        for content in (
            b"NONE\r\n\r\n" + b"x" * 20_000,
            HEADED.replace(b": 99", b": 1") + b"\0 bad\r\n\r\n" + b"y" * 20_000,
        ):
            with (
                socket.create_connection(("127.0.0.1", server.port), timeout=10) as client,
                suppress(ConnectionResetError),
            ):
                client.sendall(content)
                while client.recv(65536):
                    pass
        assert server.http.get("/health").status_code == 200
        assert "Traceback" not in server.end()[2]


def test_very_many_chunks_keep_nobody_waiting(server):
    """Each would be an event in the loop that serves all: eight such bodies held it for half a minute."""
    body = chunked(1, b" " * 200_000)
    ended = threading.Event()

    def flood():
        while not ended.is_set():
            with suppress(OSError), socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
                client.sendall(body)

    threads = [threading.Thread(target=flood) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1)
        for _ in range(3):
            assert server.http.get("/health", timeout=10).status_code == 200
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", "localhost."]
)
def test_names_of_this_machine(host):
    assert stranger([(b"host", host.encode())], ()) is None


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "localhost:x", "[::1", "a@localhost",
     "evil.example#@localhost", "localhost/../evil", "0.0.0.0", "\xff", "127.0.0.1%evil.example", "127.0.0.1.nip.io", "localhost.."],
)  # fmt: skip
def test_names_of_others(host):
    assert "another name" in stranger([(b"host", host.encode("latin-1"))], ())


def test_a_name_that_was_allowed_and_two_names():
    allowed = [(b"host", b"Studio:8000")]
    assert stranger(allowed, {"studio"}) is None and stranger(allowed, ())
    assert stranger([], ()) and stranger([(b"host", b"localhost"), (b"host", b"evil.example")], ())


@pytest.mark.parametrize(
    ("origin", "answered"),
    [("http://evil.example", False), ("null", False), ("http://localhost:1", False), ("http://{own}", True)],
)
def test_pages_of_other_origins(server, origin, answered):
    headers = {"Origin": origin.format(own=f"127.0.0.1:{server.port}")}
    assert (server.http.get("/v1/models", headers=headers).status_code == 200) is answered


def test_a_rebound_name_is_refused_on_every_route_and_a_key_lifts_that(server):
    for path in ("/health", "/v1/models", "/nowhere"):
        refused(server.http.get(path, headers={"Host": "evil.example"}), 403, "wrong_host", within="another name")
    with running("--allow-host", "Studio") as named:
        assert named.http.get("/health", headers={"Host": "studio:99"}).status_code == 200
    with running(HARNESS_SERVE_KEY="a-key-of-the-tests") as keyed:
        headers = {"Host": "evil.example", "Authorization": "Bearer a-key-of-the-tests"}
        assert keyed.http.get("/v1/models", headers=headers).status_code == 200


def test_the_key_is_compared_in_constant_time(monkeypatch):
    from harness.serve import app

    compared = []
    monkeypatch.setattr(app.hmac, "compare_digest", lambda *both: compared.append(both) or False)
    gate = app._Gate(None, b"secret", (), False)
    assert not gate._knows_key({"headers": [(b"authorization", b"Bearer guess")]})
    assert compared == [(b"guess", b"secret")]
