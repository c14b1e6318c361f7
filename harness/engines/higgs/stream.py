"""Speech while it is being made: columns of codes from a thread, pieces of audio to whoever listens.

Neither stack can be waited for as it is. When boson_multimodal's generating thread dies, its consumer waits for ever; and
transformers gives a streamer the placeholders of the text, not the codes. So columns come through a queue here, an error
that ends the thread comes through the same queue, and no wait is without a limit.
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
from harness.higgs.codec import RATE, Codec
from harness.higgs.delay import undelay

SAMPLES_PER_FRAME = 960  # 40 ms at 24 kHz
# A sample depends on the frames around it, for the codec's decoder is convolutional: pieces are decoded with this many frames
# on either side. Measured with the tiny codecs of both formats, the joined pieces are the whole to 1e-6 from 8 frames on.
CONTEXT = 12


class Columns:
    """Columns on their way from a generating thread to a consumer.

    Parameters
    ----------
    timeout : float
        Seconds to wait for one column.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.stopped = threading.Event()  # the consumer has left: whoever generates should end
        self._waiting: queue.SimpleQueue[NDArray[np.int64] | Exception | None] = queue.SimpleQueue()

    def put(self, column: Any) -> None:
        """Pass a column of shape (codebooks,) on."""
        self._waiting.put(np.asarray(column, dtype=np.int64).reshape(-1))

    def run(self, generate: Callable[[], Any]) -> threading.Thread:
        """Generate in a thread; its end, good or bad, reaches the consumer."""

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
        """Columns until generation ends.

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


def pieces(columns: Columns, codec: Codec, eos: int, frames: int, piece_frames: int) -> Iterator[Audio]:
    """Audio of a delayed stream, piece by piece.

    Parameters
    ----------
    columns : Columns
        The first column is the stream's begin.
    codec : Codec
    eos : int
        Id of the stream's end.
    frames : int
        At most so many.
    piece_frames : int
        Frames of 40 ms in a piece, but for the last.

    Raises
    ------
    HarnessError
        As iterating over `columns`, or if the stream ends before a single frame.
    """
    seen: list[NDArray[np.int64]] = []
    sent = 0
    try:
        for column in columns:
            seen.append(column)
            # one more column might be the stream's last, which holds no frame
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


def _piece(codec: Codec, seen: list[NDArray[np.int64]], begin: int, end: int) -> Audio:
    """Frames `begin` to `end`, decoded among their neighbours."""
    first = max(0, begin - CONTEXT)
    codebooks = len(seen[0])
    window = np.stack(seen[first : min(len(seen), end + CONTEXT + codebooks + 1)], axis=1)
    samples = codec.decode(clean(undelay(window), codec.codebook_size))
    wanted = samples[(begin - first) * SAMPLES_PER_FRAME : (end - first) * SAMPLES_PER_FRAME]
    return Audio(wanted.astype(np.float32), RATE)


def clean(codes: NDArray[np.integer], codebook_size: int) -> NDArray[np.int64]:
    """Codes that a codec can read: begin and end of stream inside a stream become the last entry, as both stacks do it."""
    return codes.clip(0, codebook_size - 1).astype(np.int64)


@contextmanager
def turn(lock: threading.Lock, seconds: float) -> Iterator[None]:
    """One request at a time: a stream's thread may still use the model after its listener has left.

    `seconds` must be more than a request takes: whoever waits for others is no error.

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


def join(thread: threading.Thread, seconds: float) -> None:
    """Wait for a thread that was told to end; one that does not is left to itself."""
    with suppress(RuntimeError):  # it is this thread, when the garbage collector closes a stream
        thread.join(seconds)
