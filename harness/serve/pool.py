"""Engines in child processes, and the queue of requests for them."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from harness.audio import Audio
from harness.engines.apart import EngineApart, EngineTimeout
from harness.engines.base import Speech, SpeechRequest, own_tags
from harness.serve.errors import ApiError
from harness.tagged import TaggedText

RETRY_SECONDS = 1  # `Retry-After` of a refused request


class Pool:
    """Copies of one engine, each in its own process, each speaking one request at a time.

    Parameters
    ----------
    name : str
        Registered name of the engine, or "package.module:Class".
    options : mapping, optional
        Engine options.
    workers : int
        Number of processes.
    timeout : float
        Seconds from the arrival of a request to the end of its speech. An engine that takes longer is restarted.
    max_concurrent, max_queued : int
        Number of requests that run at once, and that wait. Further requests are refused.
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
        self._accepted = asyncio.Semaphore(max_concurrent + max_queued)
        self._running = asyncio.Semaphore(max_concurrent)
        self._threads = ThreadPoolExecutor(workers)  # one for each engine, so a thread always finds a free engine
        self._free: queue.SimpleQueue[EngineApart] = queue.SimpleQueue()
        self._busy: set[EngineApart] = set()
        for engine in self.engines:
            self._free.put(engine)

    def start(self) -> None:
        """Start all engines, so that an engine that cannot run reports it now.

        Raises
        ------
        HarnessError
            If an engine does not start.
        """
        for engine in self.engines:
            engine.voices()
        first = self.engines[0]
        self.name, self.revision, self.dialect = first.name, first.revision, first.dialect
        self.default_voice, self.voices, self.expressible = first.default_voice, first.voices(), own_tags(first)

    async def speak(
        self, texts: Sequence[TaggedText], voice: str | None, seed: int, deliver: Callable[[Audio], None]
    ) -> None:
        """Speak texts one after the other, as one request.

        Parameters
        ----------
        texts : sequence of TaggedText
        voice : str, optional
        seed : int
        deliver : callable
            Called with the audio of each text as soon as it is spoken.

        Raises
        ------
        ApiError
            If too many requests wait, or the time is over.
        HarnessError
            If the engine fails.
        """
        if self._accepted.locked():
            raise ApiError(429, "the server is busy: too many requests at once (try again later)",
                           code="rate_limit_exceeded", headers={"Retry-After": str(RETRY_SECONDS)})  # fmt: skip
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.timeout), self._accepted, self._running:
                for text in texts:
                    request = SpeechRequest(text, voice, seed, word_times=False)
                    # If this is cancelled, an engine that has begun finishes, and only then becomes free.
                    deliver((await loop.run_in_executor(self._threads, self._speak, request)).audio)
        except (TimeoutError, EngineTimeout):
            raise ApiError(504, f"no speech within {self.timeout:g} s (send a shorter text, or start the server with a longer "
                           "--timeout)", code="timeout") from None  # fmt: skip

    def kill(self) -> None:
        """Kill the processes of all engines that are speaking."""
        for engine in list(self._busy):
            engine.kill()

    def close(self) -> None:
        """End all processes."""
        self.kill()
        for engine in self.engines:
            engine.close()

    def _speak(self, request: SpeechRequest) -> Speech:
        engine = self._free.get()
        self._busy.add(engine)
        try:
            return engine.speak(request)
        finally:
            self._busy.discard(engine)
            self._free.put(engine)
