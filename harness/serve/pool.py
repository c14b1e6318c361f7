"""Engines in child processes, and who may use them when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread

from harness.audio import Audio
from harness.engines.apart import EngineApart
from harness.engines.base import Speech, SpeechRequest
from harness.errors import HarnessError
from harness.serve.errors import ApiError, from_harness, timed_out
from harness.tagged import TaggedText

RETRY_SECONDS = 1  # what a client is told to wait when all places are taken


class Pool:
    """Copies of one engine, each in its own process, each speaking one request at a time.

    Parameters
    ----------
    name : str
        Registered name of the engine, or "package.module:Class".
    options : mapping, optional
        Of the engine.
    workers : int
        Processes.
    timeout : float
        Seconds from the arrival of a request to the end of its speech. An engine that takes longer is started again.
    max_concurrent, max_queued : int
        Requests that are worked on at once, and that wait for that. More are refused.
    """

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any] | None = None,
        *,
        workers: int = 1,
        timeout: float = 60.0,
        max_concurrent: int = 4,
        max_queued: int = 16,
    ) -> None:
        self.engines = [EngineApart(name, options, timeout=timeout) for _ in range(workers)]
        self.asked_name, self.timeout = name, timeout
        self._most, self._taken = max_concurrent + max_queued, 0
        self._places = asyncio.Semaphore(max_concurrent)
        self._threads = anyio.CapacityLimiter(workers)
        self._free: asyncio.Queue[EngineApart] = asyncio.Queue()
        self._busy: set[EngineApart] = set()
        self._jobs: set[asyncio.Task[Speech]] = set()
        for engine in self.engines:
            self._free.put_nowait(engine)

    def start(self) -> None:
        """Start all engines, so that an engine that cannot run says so now.

        Raises
        ------
        HarnessError
            If one does not start.
        """
        for engine in self.engines:
            engine.voices()
        first = self.engines[0]
        self.name, self.revision, self.dialect = first.name, first.revision, first.dialect
        self.default_voice, self.voices = first.default_voice, first.voices()

    async def speak(
        self, texts: Sequence[TaggedText], voice: str | None, seed: int, deliver: Callable[[Audio], None], *, param: str
    ) -> None:
        """Speak texts one after the other, in one place of the queue.

        Parameters
        ----------
        texts : sequence of TaggedText
        voice : str, optional
        seed : int
        deliver : callable
            Takes the audio of each text as soon as it is there.
        param : str
            The field of the request that holds the text, for errors.

        Raises
        ------
        ApiError
            If all places are taken, the engine fails, or the time is over.
        """
        try:
            async with asyncio.timeout(self.timeout), self._place():
                for text in texts:
                    deliver((await self._speak(SpeechRequest(text, voice, seed))).audio)
        except TimeoutError:
            raise timed_out(self.timeout) from None
        except HarnessError as error:
            raise from_harness(error, param=param, seconds=self.timeout) from None

    def kill(self) -> None:
        """End the processes of engines that are speaking, now."""
        for engine in list(self._busy):
            if child := engine._child:  # `close` would wait for the answer
                child.kill()

    def close(self) -> None:
        """End all processes."""
        self.kill()
        for engine in self.engines:
            engine.close()

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._taken >= self._most:
            raise ApiError(429, "the server is busy: too many requests at once (try again later)",
                           code="rate_limit_exceeded", headers={"Retry-After": str(RETRY_SECONDS)})  # fmt: skip
        self._taken += 1
        try:
            async with self._places:
                yield
        finally:
            self._taken -= 1

    async def _speak(self, request: SpeechRequest) -> Speech:
        """One request. Who waits may leave; an engine that has begun goes on to its own time limit, and is free then."""
        engine = await self._free.get()
        job = asyncio.create_task(self._work(engine, request))
        self._jobs.add(job)
        job.add_done_callback(self._done)
        return await asyncio.shield(job)

    async def _work(self, engine: EngineApart, request: SpeechRequest) -> Speech:
        self._busy.add(engine)
        try:
            return await anyio.to_thread.run_sync(engine.speak, request, limiter=self._threads, abandon_on_cancel=True)
        finally:
            self._busy.discard(engine)
            self._free.put_nowait(engine)

    def _done(self, job: asyncio.Task[Speech]) -> None:
        self._jobs.discard(job)
        if not job.cancelled():
            job.exception()  # asyncio prints the traceback of an error that nobody has looked at
