"""Whom a request believes it talks to: a page on the web must not reach a server that asks for no key.

A page can point a name of its own at this machine (DNS rebinding) and then talk to the server as if it were its own. The browser
still says the page's name, in ``Host`` and in ``Origin``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

Headers = Sequence[tuple[bytes, bytes]]


def stranger(headers: Headers, allowed: Collection[str]) -> str | None:
    """What is wrong with where a request comes from, in words; None if nothing is.

    Parameters
    ----------
    headers : sequence of (bytes, bytes)
        Names in lower case.
    allowed : collection of str
        Names of this server, in lower case, beside ``localhost`` and the addresses of this machine.
    """
    host = _only(headers, b"host")
    if host is None or not _is_ours(host, allowed):
        return "this server has another name: ask it as 127.0.0.1 or localhost, or start it with --allow-host"
    origins = [value for name, value in headers if name == b"origin"]
    if origins and origins != [b"http://" + host.encode("latin-1")]:
        return "pages of other origins may not ask this server: start it with a key"
    return None


def _only(headers: Headers, name: bytes) -> str | None:
    found = [value for key, value in headers if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


def _is_ours(host: str, allowed: Collection[str]) -> bool:
    if set(host) & set("/?#@\\ \t"):  # no name, but the beginning of another address
        return False
    try:
        parts = urlsplit(f"//{host}")
        name, _ = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        return False
    if name == "localhost" or name in allowed:
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
