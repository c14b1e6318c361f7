"""Clients that hold connections open, and names that are not this machine's."""

import socket
import time

import pytest
from server_process import refused

from harness.serve import connections

HALF = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "


def connect(server, content=HALF):
    one = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    one.sendall(content)
    return one


def closed(one):
    """Whether the server has ended the connection."""
    one.settimeout(20)
    try:
        return one.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_thousand_half_headers_do_not_keep_others_out(start):
    """They used up the file descriptors, and the server answered nobody until it was started again."""
    with start() as server:
        held = []
        try:
            for number in range(1100):
                held.append(connect(server))
                if number % 200 == 0:
                    assert server.http.get("/health").status_code == 200
            assert server.speech().status_code == 200
            assert sum(map(closed, held[: 1100 - connections.MAX_CONNECTIONS])) == 1100 - connections.MAX_CONNECTIONS
        finally:
            for one in held:
                one.close()
        assert server.speech().status_code == 200


def test_a_header_has_a_deadline_and_a_drip_does_not_move_it(start):
    with start(HEADER_SECONDS="1") as server:
        silent, dripping = connect(server, b""), connect(server)
        begun = time.monotonic()
        for _ in range(4):
            dripping.sendall(b"x")
            time.sleep(0.2)
        assert closed(dripping) and closed(silent)
        assert 0.5 < time.monotonic() - begun < 5
        assert server.speech("slowly").status_code == 200, "who is at work is left alone"


def test_who_asks_in_turn_is_not_cut_off(start):
    with start(HEADER_SECONDS="1") as server:
        for _ in range(4):
            assert server.http.get("/health").status_code == 200
            time.sleep(0.4)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST.", "127.8.8.8:8000", "[::1]:8000"])
def test_names_of_this_machine(slow, host):
    assert slow.http.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::1", "8.8.8.8"],
)
def test_a_web_page_cannot_lend_its_name_to_a_server_without_a_key(slow, host):
    """DNS rebinding: the page's name resolves to 127.0.0.1, and the browser takes the answer for the page's own."""
    refused(slow.http.get("/health", headers={"Host": host}), 421, "unknown_host")
    refused(slow.http.get("/v1/models", headers={"Host": host}), 421, "unknown_host")


def test_a_key_replaces_the_name(start):
    with start(HARNESS_SERVE_KEY="sk-a-secret-of-the-tests") as server:
        headers = {"Host": "speech.example", "Authorization": "Bearer sk-a-secret-of-the-tests"}
        assert server.http.get("/v1/models", headers=headers).status_code == 200
