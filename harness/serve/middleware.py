"""Access control and the request log of the speech server."""

from __future__ import annotations

import hmac
import re
import sys
import time
from collections.abc import Collection
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.serve.errors import ApiError

OPEN = ("/health",)  # routes that need no key
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^][:/?#@%\\\s]+)(?::\d+)?")


class AccessControl:
    """Require the API key; without a key, refuse requests from web pages.

    A web page can point its own host name at this machine (DNS rebinding) and then call the server as if it were its own. The
    browser still sends the page's name in ``Host`` and ``Origin``.

    Parameters
    ----------
    app : ASGI application
    key : bytes or None
        Key that clients must send as ``Authorization: Bearer``.
    hosts : collection of str
        Names of this server besides ``localhost`` and the loopback addresses.
    """

    def __init__(self, app: ASGIApp, key: bytes | None, hosts: Collection[str] = ()) -> None:
        self.app, self.key, self.hosts = app, key, {"localhost", *map(str.lower, hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = self._check(scope["path"], Headers(scope=scope))
        await (error.response() if error else self.app)(scope, receive, send)

    def _check(self, path: str, headers: Headers) -> ApiError | None:
        if self.key is not None:
            if path in OPEN or self._has_key(headers):
                return None
            return ApiError(401, "missing or wrong API key: send the server's key as Authorization: Bearer",
                            code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})  # fmt: skip
        host = headers.get("host", "")
        if not self._is_own(host):
            return ApiError(403, "the Host header does not name this server: use 127.0.0.1 or localhost, "
                            "or start the server with --allow-host", code="wrong_host")  # fmt: skip
        if headers.get("origin", f"http://{host}") != f"http://{host}":
            return ApiError(403, "web pages of another origin may not use this server: start it with a key",
                            code="wrong_host")  # fmt: skip
        return None

    def _has_key(self, headers: Headers) -> bool:
        assert self.key is not None
        scheme, _, key = headers.get("authorization", "").encode("latin-1").partition(b" ")
        return hmac.compare_digest(key.strip(), self.key) and scheme.lower() == b"bearer"

    def _is_own(self, host: str) -> bool:
        match = _HOST.fullmatch(host.lower())
        name = match[1].strip("[]").removesuffix(".") if match else ""
        try:
            return name in self.hosts or ip_address(name).is_loopback
        except ValueError:
            return False


class RequestLog:
    """Log each request on standard error: method, route, status, milliseconds; never its path or text, which are private."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start, status = time.monotonic(), 500

        async def watch(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            route = getattr(scope.get("endpoint"), "__name__", "-")
            elapsed = 1000 * (time.monotonic() - start)
            print(f"{scope['method'][:8]} {route} {status} {elapsed:.0f} ms", file=sys.stderr, flush=True)
