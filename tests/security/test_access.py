"""Who may use the speech server: this machine, not the web pages that it visits; and clients that know the key."""

import hmac

import pytest
from server_process import refused, running
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from harness.serve.middleware import AccessControl


def ask(host, *, origin=None, key=None, hosts=(), **headers):
    """Status of an answer behind the middleware."""
    client = TestClient(AccessControl(PlainTextResponse("in"), key, hosts), base_url="http://127.0.0.1")
    headers = {"host": host.encode("latin-1"), **({"origin": origin} if origin else {}), **headers}
    return client.get("/v1/models", headers=headers).status_code


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", "localhost.", "studio:99"]
)
def test_names_of_this_machine(host):
    assert ask(host, hosts=["Studio"]) == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "localhost:x", "[::1", "a@localhost",
     "evil.example#@localhost", "localhost/../evil", "0.0.0.0", "\xff", "127.0.0.1%evil.example", "localhost..", "studio"],
)  # fmt: skip
def test_names_of_others(host):
    assert ask(host) == 403
    assert ask(host, key=b"secret", authorization="Bearer secret") == 200  # a web page does not know the key


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://evil.example", 403), ("null", 403), ("http://localhost:1", 403), ("http://localhost:8000", 200)],
)
def test_web_pages_of_other_origins(origin, status):
    assert ask("localhost:8000", origin=origin) == status


def test_the_server_checks_every_route_and_learns_names():
    with running("--allow-host", "Studio") as server:
        for path in ("/health", "/v1/models", "/nowhere"):
            answer = server.http.get(path, headers={"Host": "evil.example"})
            refused(answer, 403, "wrong_host", within="--allow-host")
        assert server.http.get("/health", headers={"Host": "studio:99"}).status_code == 200


def test_the_key_is_compared_in_constant_time(monkeypatch):
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda *both: compared.append(both) or False)
    assert ask("localhost", key=b"secret", authorization="Bearer guess") == 401
    assert compared == [(b"guess", b"secret")]
