"""The server process: its socket, its signals, its end."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from ipaddress import ip_address
from types import FrameType
from typing import Any

import uvicorn

from harness.errors import HarnessError
from harness.processes import watch_parent
from harness.serve.app import make_app
from harness.serve.connections import Connection
from harness.serve.pool import Pool

KEY_ENV = "HARNESS_SERVE_KEY"
PARENT = "HARNESS_SERVE_PARENT"  # environment variable with the number of a process, which the server ends with
GRACE_SECONDS = 10  # for running requests, after the first signal
_BACKLOG = 128


def serve(
    engine: str,
    options: Mapping[str, Any] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    workers: int = 1,
    max_concurrent: int = 4,
    max_queued: int = 16,
    timeout: float = 60.0,
    key_env: str = KEY_ENV,
    allow_host: Sequence[str] = (),
    log: bool = False,
) -> None:
    """Serve an engine until SIGTERM or SIGINT. Requests that run then may finish; a second signal ends at once.

    Parameters
    ----------
    engine : str
        Registered name, or "package.module:Class".
    options : mapping, optional
        Of the engine.
    host : str
        Address to listen on. Any but that of this machine needs a key.
    port : int
        0 for any free one.
    workers : int
        Processes that speak; each loads the engine.
    max_concurrent, max_queued : int
        Requests that are worked on at once, and that wait; more get 429.
    timeout : float
        Seconds for one request, waiting included; then 504.
    key_env : str
        Environment variable that holds the key clients must send. If it is not set, none is needed. It is taken out of the
        environment, so that the engine does not see it.
    allow_host : sequence of str
        Names that requests may give this server, beside `host`, ``localhost`` and this machine's own addresses. Without a key, any
        other is refused, and so are pages of other origins.
    log : bool
        Whether requests are logged on standard error, without their text.

    Raises
    ------
    HarnessError
        If the engine does not start, the port is in use, or a number makes no sense.
    """
    if min(workers, max_concurrent) < 1 or max_queued < 0 or not 0 < timeout < float("inf"):
        raise HarnessError("the server cannot work with these limits",
                           remedy="give workers and max-concurrent from 1, max-queued from 0, timeout above 0")  # fmt: skip
    key = take_key(key_env)
    if parent := os.environ.pop(PARENT, ""):
        threading.Thread(target=watch_parent, args=(int(parent),), daemon=True).start()
    family, address = _resolve(host, port)
    exposed = not ip_address(address[0].partition("%")[0]).is_loopback
    if exposed and key is None:
        raise HarnessError(f"{host} can be reached from other machines, and no key is set",
                           remedy=f"export {key_env}=..., or listen on 127.0.0.1")  # fmt: skip
    if exposed:
        print(f"harness serve: warning: {host} can be reached from other machines; "
              "key and texts cross the network unencrypted", file=sys.stderr, flush=True)  # fmt: skip
    with _listen(family, address) as listener:
        pool = Pool(
            engine, options, workers=workers, timeout=timeout, max_concurrent=max_concurrent, max_queued=max_queued
        )
        try:
            pool.start()
            name, bound = listener.getsockname()[:2]
            at = f"[{name}]" if ":" in name else name
            ready = f"serving {engine} on http://{at}:{bound}/v1"
            asyncio.run(_run(pool, listener, ready, key=key, hosts=(host, *allow_host), log=log))
        finally:
            pool.close()


def take_key(key_env: str) -> bytes | None:
    """The key, out of the environment.

    Raises
    ------
    HarnessError
        If the variable holds something that cannot be sent as a key.
    """
    value = os.environ.pop(key_env, "") if key_env else ""
    if not value:
        return None
    key = os.fsencode(value).strip()
    if not key or any(byte <= 32 or byte == 127 for byte in key):
        raise HarnessError(f"the environment variable {key_env} holds no key: it has white space or control characters",
                           remedy="set another key, or unset it")  # fmt: skip
    return key


class _Server(uvicorn.Server):
    """Says when it is ready; ends with 0 after the first signal, and at once after the second."""

    def __init__(self, config: uvicorn.Config, pool: Pool, ready: str) -> None:
        super().__init__(config)
        self._pool, self._ready = pool, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._ready, flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self._pool.kill()
            os._exit(128 + sig)
        self.should_exit = True


async def _run(
    pool: Pool, listener: socket.socket, ready: str, *, key: bytes | None, hosts: Sequence[str], log: bool
) -> None:
    config = uvicorn.Config(
        make_app(pool, key=key, hosts=hosts, log=log),
        http=Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",  # tracebacks could hold the text of a request
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,  # as many are accepted in one go, before `Connection` can close any
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    asyncio.get_running_loop().run_in_executor(None, import_module, "scipy.signal")  # before `resample` needs it
    try:
        await _Server(config, pool, ready).serve([listener])
    finally:
        pool.kill()  # the threads that wait for these engines would keep the process alive


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    try:
        if not 0 <= port <= 65535:  # getaddrinfo would take the remainder
            raise ValueError("there is no such port")
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, OverflowError, ValueError) as error:
        raise HarnessError(f"cannot listen on {host!r}, port {port}: {getattr(error, 'strerror', None) or error}",
                           remedy="give --host 127.0.0.1 and a port from 0 to 65535") from error  # fmt: skip
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address


def _listen(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    """A socket that listens already, so that a port in use is found before the engine is loaded."""
    # asyncio switches Nagle's algorithm off only where the protocol is named: without it, an answer takes 40 ms longer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise HarnessError(f"port {address[1]} on {address[0]} is in use",
                               remedy="give another --port; 0 chooses a free one") from error  # fmt: skip
        raise HarnessError(f"cannot listen on {address[0]}, port {address[1]}: {getattr(error, 'strerror', None) or error}",
                           remedy="give an address of this machine and a port above 1023") from error  # fmt: skip
    return listener
