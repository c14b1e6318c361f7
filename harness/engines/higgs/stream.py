"""Streaming: a thread generates columns of codes, and the consumer gets pieces of audio.

The streams of the two stacks cannot be used directly. When the generating thread of boson_multimodal dies, its consumer waits
forever; transformers gives a streamer the placeholders of the text, not the codes. So columns go through a queue here, an
error that ends the thread goes through the same queue, and every wait has a limit.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio
from harness.errors import HarnessError
from harness.higgs.codec import CONTEXT, RATE, Codec
from harness.higgs.delay import undelay


class Columns:
    """Columns on their way from a generating thread to a consumer.

    Parameters
    ----------
    timeout : float
        Seconds to wait for one column.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.stopped = threading.Event()  # the consumer has left, so the thread should end
        self._waiting: queue.SimpleQueue[NDArray[np.int64] | Exception | None] = queue.SimpleQueue()

    def put(self, column: Any) -> None:
        """Pass on a column of shape (codebooks,)."""
        self._waiting.put(np.asarray(column, dtype=np.int64).reshape(-1))

    def run(self, generate: Callable[[], Any]) -> threading.Thread:
        """Generate in a thread, and tell the consumer when it ends or fails."""

        def work() -> None:
            try:
                generate()
            except Exception as error:
                self._waiting.put(error)
            else:
                self._waiting.put(None)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        """Yield columns until generation ends.

        Raises
        ------
        HarnessError
            If generation failed, or the next column does not come in time.
        """
        while True:
            try:
                found = self._waiting.get(timeout=self.timeout)
            except queue.Empty:
                raise HarnessError(f"the model gave no sound within {self.timeout:g} s",
                                   remedy="raise the timeout, or use a faster machine") from None  # fmt: skip
            if found is None:
                return
            if isinstance(found, HarnessError):
                raise found
            if isinstance(found, Exception):
                raise HarnessError(f"the model failed: {type(found).__name__}: {str(found)[:300]}") from found
            yield found


def pieces(
    columns: Columns, generate: Callable[[], Any], codec: Codec, eos: int, frames: int, piece_frames: int
) -> Iterator[Audio]:
    """Generate a delayed stream in a thread, decode it, and yield its audio piece by piece.

    Parameters
    ----------
    columns : Columns
        Queue of the stream; the first column is its begin.
    generate : callable
        Function that puts the columns, and ends soon after `columns.stopped` is set.
    codec : Codec
    eos : int
        Id of the end of the stream.
    frames : int
        Largest number of frames.
    piece_frames : int
        Frames of 40 ms in each piece except the last.

    Raises
    ------
    HarnessError
        As for iterating over `columns`, or if the stream ends before the first frame.
    """
    seen: list[NDArray[np.int64]] = []
    sent = 0
    thread = columns.run(generate)
    try:
        for column in columns:
            seen.append(column)
            # the newest column may be the last of the stream, which holds no frame
            ready = min(len(seen) - len(column) - 1 - CONTEXT, frames)
            ready -= ready % piece_frames
            if ready > sent:
                yield _piece(codec, seen, sent, ready)
                sent = ready
            if (column == eos).all():
                break
        total = min(frames, len(seen) - len(seen[0]) - 1 if seen else 0)
        if total <= 0:
            raise HarnessError("the model ended its speech before it began", remedy="try another seed or text")
        if total > sent:
            yield _piece(codec, seen, sent, total)
    finally:
        columns.stopped.set()
        with suppress(RuntimeError):  # the garbage collector may close a stream in its own thread
            thread.join(columns.timeout)  # a thread that hangs is left behind


def _piece(codec: Codec, seen: list[NDArray[np.int64]], begin: int, end: int) -> Audio:
    """Decode the frames `begin` to `end` together with their neighbours."""
    first = max(0, begin - CONTEXT) if codec.local else 0
    codebooks = len(seen[0])
    window = np.stack(seen[first : min(len(seen), end + CONTEXT + codebooks + 1)], axis=1)
    samples = codec.decode(clean(undelay(window), codec.codebook_size))
    wanted = samples[(begin - first) * codec.frame_samples : (end - first) * codec.frame_samples]
    return Audio(wanted.astype(np.float32), RATE)


def clean(codes: NDArray[np.integer], codebook_size: int) -> NDArray[np.int64]:
    """Return codes that a codec can decode: begin and end of stream become the last entry, as in both stacks."""
    return codes.clip(0, codebook_size - 1).astype(np.int64)


@contextmanager
def turn(lock: threading.Lock, seconds: float) -> Iterator[None]:
    """Admit one request at a time: the thread of a stream may still use the model after its consumer has left.

    `seconds` must be longer than a request takes, because waiting for another request is not an error.

    Raises
    ------
    HarnessError
        If an earlier request does not end in time.
    """
    if not lock.acquire(timeout=seconds):
        raise HarnessError(f"the model has been busy with an earlier request for more than {seconds:g} s",
                           remedy="make a new engine, or start the process again")  # fmt: skip
    try:
        yield
    finally:
        lock.release()
