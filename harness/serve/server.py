"""The server process: its socket, its signals, its end."""

from __future__ import annotations

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
from harness.serve.pool import Pool

KEY_ENV = "HARNESS_SERVE_KEY"
PARENT = "HARNESS_SERVE_PARENT"  # environment variable: the server ends with the process of this number
MAX_CONNECTIONS = 256  # far below the usual limit of 1,024 open files
GRACE_SECONDS = 10  # for running requests, after the first signal


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
    """Serve an engine until SIGTERM or SIGINT. Running requests may then finish; a second signal ends the server at once.

    Parameters
    ----------
    engine : str
        Registered name, or "package.module:Class".
    options : mapping, optional
        Engine options.
    host : str
        Address to listen on. Any address that other machines can reach requires a key.
    port : int
        Port to listen on; 0 for any free port.
    workers : int
        Number of engine processes; each loads the engine.
    max_concurrent, max_queued : int
        Number of requests that run at once, and that wait; more get 429.
    timeout : float
        Seconds for one request, waiting included; then 504.
    key_env : str
        Environment variable that holds the key clients must send. If it is not set, no key is needed. The variable is removed from
        the environment, so that the engine does not see the key.
    allow_host : sequence of str
        Host names of this server besides `host`, ``localhost`` and the loopback addresses. Without a key, requests to other names
        and from web pages of other origins are refused.
    log : bool
        Whether to log requests on standard error, without their text.

    Raises
    ------
    HarnessError
        If the engine does not start, the port is in use, or a value is out of range.
    """
    for name, value, valid, rule in (
        ("port", port, 0 <= port <= 65535, "from 0 to 65535"),
        ("workers", workers, workers >= 1, "at least 1"),
        ("max_concurrent", max_concurrent, max_concurrent >= 1, "at least 1"),
        ("max_queued", max_queued, max_queued >= 0, "at least 0"),
        ("timeout", timeout, 0 < timeout < float("inf"), "greater than 0 seconds"),
    ):
        if not valid:
            raise HarnessError(f"{name} must be {rule}, got {value}")
    key = take_key(key_env)
    if parent := os.environ.pop(PARENT, ""):
        threading.Thread(target=watch_parent, args=(int(parent),), daemon=True).start()
    family, address = _resolve(host, port)
    if not ip_address(address[0].partition("%")[0]).is_loopback:
        if key is None:
            raise HarnessError(f"other machines can reach {host}, and no key is set",
                               remedy=f"export {key_env}=..., or listen on 127.0.0.1")  # fmt: skip
        print(f"harness serve: warning: other machines can reach {host}; "
              "key and texts cross the network unencrypted", file=sys.stderr, flush=True)  # fmt: skip
    with _listen(family, address) as listener:
        pool = Pool(
            engine, options, workers=workers, timeout=timeout, max_concurrent=max_concurrent, max_queued=max_queued
        )
        try:
            pool.start()
            config = uvicorn.Config(
                make_app(pool, key=key, hosts=(host, *allow_host), log=log),
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",  # tracebacks could contain the text of a request
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=MAX_CONNECTIONS,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
            threading.Thread(
                target=import_module, args=("scipy.signal",), daemon=True
            ).start()  # for the first `resample`
            name, bound = listener.getsockname()[:2]
            url = f"http://[{name}]:{bound}/v1" if ":" in name else f"http://{name}:{bound}/v1"
            _Server(config, pool, f"serving {engine} on {url}").run([listener])
        finally:
            pool.close()


def take_key(key_env: str) -> bytes | None:
    """Return the key, and remove it from the environment.

    Raises
    ------
    HarnessError
        If the variable contains characters that clients cannot send.
    """
    value = os.environ.pop(key_env, "") if key_env else ""
    if not value:
        return None
    key = os.fsencode(value).strip()
    if not key or any(byte <= 32 or byte == 127 for byte in key):
        raise HarnessError(f"the environment variable {key_env} must hold a key without white space and control characters",
                           remedy="set another key, or unset it")  # fmt: skip
    return key


class _Server(uvicorn.Server):
    """Print a line when ready; exit with 0 after the first signal, and at once after the second."""

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


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """Return the address of a host name; IPv4 if it has one."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise HarnessError(f"cannot listen on {host!r}: {getattr(error, 'strerror', None) or error}",
                           remedy="give --host 127.0.0.1, or another address of this machine") from error  # fmt: skip
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address


def _listen(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    """Return a socket that listens already, so that a port in use is found before the engine is loaded."""
    # asyncio disables Nagle's algorithm only if the protocol is given; otherwise each answer takes 40 ms longer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise HarnessError(f"port {address[1]} on {address[0]} is in use",
                               remedy="give another --port; 0 chooses a free one") from error  # fmt: skip
        raise HarnessError(f"cannot listen on {address[0]}, port {address[1]}: {error.strerror or error}",
                           remedy="give an address of this machine and a port above 1023") from error  # fmt: skip
    return listener
