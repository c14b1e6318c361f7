"""Connections of the speech server: how many may be open, and how long one may keep the server waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_OPEN = 256  # far below the 1,024 file descriptors that a process mostly has
HEAD_SECONDS = 10.0  # for the whole head of a request
BODY_SECONDS = 30.0  # for its body, which is 1 MiB at most
READ_SECONDS = 60.0  # for a client that has stopped reading its answer
SLICE = 2048  # bytes that are parsed at once: chunks of one byte are 340 events of h11, some 25 ms

_PATIENCE = {h11.IDLE: HEAD_SECONDS, h11.SEND_BODY: BODY_SECONDS}


class Connection(H11Protocol):
    """One connection, which is cut off when its client is too slow.

    Where too many are open, the one that has owed its request for longest makes room; if all are being answered, the new one is
    closed. So a crowd of half-sent requests keeps nobody else from being served.
    """

    _awaited: Any = None  # what the client owes: a state of h11, or None
    _since = 0.0
    _late: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it in, and wait for a request."""
        super().connection_made(transport)
        self._make_room()
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take bytes; single bytes do not buy more time, and a body in chunks is passed over (it is answered with 411)."""
        for start in range(0, len(data), SLICE):
            refused = self.transport.is_closing() or self.conn.their_state is h11.ERROR
            if refused or (self.conn.their_state is h11.SEND_BODY and in_chunks(self.scope["headers"])):
                break
            super().data_received(data[start : start + SLICE])
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Begin to wait for a client that does not read."""
        super().pause_writing()
        self._stuck = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        self._calm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._expect(None)
        self._calm()
        super().connection_lost(exc)

    def _watch(self) -> None:
        owed = self.conn.their_state
        self._expect(owed if owed in _PATIENCE and not self.transport.is_closing() else None)

    def _expect(self, owed: Any) -> None:
        if owed is self._awaited:
            return
        if self._late is not None:
            self._late.cancel()
        self._awaited, self._late = owed, None
        if owed is not None:
            self._since = self.loop.time()
            self._late = self.loop.call_later(_PATIENCE[owed], self.transport.abort)

    def _calm(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _make_room(self) -> None:
        if len(self.connections) <= MAX_OPEN:
            return
        owing = [one for one in self.connections if isinstance(one, Connection) and one._awaited is not None]
        last = min(owing, key=lambda one: one._since, default=self)
        self.connections.discard(last)  # an aborted connection is lost only in the next turn of the loop
        last._expect(None)
        last.transport.abort()


def in_chunks(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request does not say how long its body is: each chunk, even of one byte, costs the server as much as a request."""
    return any(name == b"transfer-encoding" for name, _ in headers)
