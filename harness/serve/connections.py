"""Connections of the server: how many there may be, and how long one may keep it waiting.

uvicorn closes a connection that is idle after an answer. One that never sends its whole header, or never reads its answer, it keeps for
ever, and a thousand of them use up the process' file descriptors.
"""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 256
HEADER_SECONDS = 10.0  # from the first byte of a request, or from the connection, to the end of the header
READ_SECONDS = 60.0  # for a client that has stopped reading to go on


class Connection(H11Protocol):
    """A connection with two deadlines; where there are too many, the one that has waited longest for its header makes room."""

    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or refuse it if all others are at work."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            others = (cast(Connection, one) for one in self.connections if one is not self)
            waiting = [one for one in others if one._deadline is not None]
            oldest = min(waiting, key=lambda one: cast(asyncio.TimerHandle, one._deadline).when(), default=self)
            oldest._give_up()
        if self in self.connections:
            self._watch()

    def data_received(self, data: bytes) -> None:
        """Pass the bytes on; the clock runs while a header is incomplete."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._stop()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read what it asked for."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(READ_SECONDS, self._give_up)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _watch(self) -> None:
        at_work = self.cycle is not None and not self.cycle.response_complete
        if at_work and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        elif not at_work and self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _stop(self) -> None:
        for timer in (self._deadline, self._unread):
            if timer is not None:
                timer.cancel()
        self._deadline = self._unread = None

    def _give_up(self) -> None:
        self._stop()
        self.connections.discard(self)  # now: its end is told one turn of the loop later
        self.transport.abort()
