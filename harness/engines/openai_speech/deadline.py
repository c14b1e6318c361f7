"""The whole time of a request. The HTTP library limits each read, and a server that drips has no limit to their number.

So the network below the library is wrapped: no read waits beyond the end of the request that its thread makes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MAX_ERROR_BYTES = 2**16


class Deadline:
    """When the request of each thread must be over."""

    def __init__(self) -> None:
        self._local = threading.local()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Let what this thread asks meanwhile last that long at most; then `TimeoutError`."""
        self._local.end = time.monotonic() + seconds
        try:
            yield
        finally:
            self._local.end = None

    def left(self, timeout: float | None) -> float | None:
        """Seconds that one step may take.

        Raises
        ------
        TimeoutError
            If there are none.
        """
        end = getattr(self._local, "end", None)
        if end is None:
            return timeout
        seconds = end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds if timeout is None else min(timeout, seconds)


def http_client(timeout: float, deadline: Deadline, *, trust_env: bool) -> Any:
    """The openai package's HTTP client, kept to the deadline.

    It asks for answers that are not compressed (a few kilobytes could unfold for hours), follows no redirects, which would send text
    and key on, and reads little of a refusal.

    Parameters
    ----------
    timeout : float
        In seconds.
    deadline : Deadline
    trust_env : bool
        Whether it goes through the proxy that the environment names.
    """
    import openai

    http: Any = openai.DefaultHttpxClient(
        follow_redirects=False,
        trust_env=trust_env,
        timeout=timeout,
        headers={"Accept-Encoding": "identity"},
        event_hooks={"response": [_read_error]},
    )
    for transport in (http._transport, *http._mounts.values()):
        if transport is not None:
            pool = transport._pool
            pool._network_backend = _Network(pool._network_backend, deadline)
    return http


def is_compressed(response: Any) -> bool:
    """Whether a server compressed its answer, though it was asked not to."""
    return response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")


def _read_error(response: Any) -> None:
    """Read the beginning of a refusal; the openai package would read all of it."""
    if response.status_code < 300:
        return
    content = b""
    for part in () if is_compressed(response) else response.iter_raw():
        content += part
        if len(content) > MAX_ERROR_BYTES:
            break
    response._content = content


class _Network:
    """The library's network backend, with streams that keep to a deadline."""

    def __init__(self, inner: Any, deadline: Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **more: Any) -> Any:
        stream = self._inner.connect_tcp(host, port, timeout=self._deadline.left(timeout), **more)
        return _Stream(stream, self._deadline)


class _Stream:
    """A connection whose steps end at the deadline."""

    def __init__(self, inner: Any, deadline: Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        content: bytes = self._inner.read(max_bytes, timeout=self._deadline.left(timeout))
        return content

    def write(self, content: bytes, timeout: float | None = None) -> None:
        self._inner.write(content, timeout=self._deadline.left(timeout))

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:
        stream = self._inner.start_tls(
            ssl_context, server_hostname=server_hostname, timeout=self._deadline.left(timeout)
        )
        return _Stream(stream, self._deadline)
