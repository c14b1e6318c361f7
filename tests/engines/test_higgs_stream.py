"""The consumer of a stream gets its pieces or a readable error, and never waits forever."""

import threading
import time

import numpy as np
import pytest

from harness.engines.higgs.stream import Columns, pieces, turn
from harness.errors import HarnessError
from harness.higgs.codec import FRAME_SAMPLES
from harness.higgs.delay import delay

EOS = 1025


class Codec:
    """Decode each frame to its first code, so that a misplaced frame is visible."""

    codebooks, codebook_size = 8, 1024
    frame_samples, local = FRAME_SAMPLES, True

    def decode(self, codes):
        assert codes.max() < 1024 and (codes == codes[0]).all(), "codebooks of different frames were put together"
        return np.repeat(codes[0].astype(np.float32), FRAME_SAMPLES)


def streamed(columns, frames=1000, piece_frames=5, timeout=2.0, action=None):
    queue = Columns(timeout)

    def work():
        for column in columns:
            queue.put(column)
        if action:
            action()

    return queue, pieces(queue, work, Codec(), EOS, frames, piece_frames)


def columns_of(frames, cut=None):
    codes = np.tile(np.arange(frames), (8, 1))
    return list(delay(codes).T)[:cut]


@pytest.mark.parametrize("frames", [1, 4, 5, 6, 29, 30, 31, 97])
@pytest.mark.parametrize("piece_frames", [1, 5, 25])
def test_joined_pieces_are_the_whole(frames, piece_frames):
    _, found = streamed(columns_of(frames), piece_frames=piece_frames)
    got = [piece.samples for piece in found]
    assert (np.concatenate(got) == np.repeat(np.arange(frames, dtype=np.float32), FRAME_SAMPLES)).all()
    assert all(len(piece) % (piece_frames * FRAME_SAMPLES) == 0 for piece in got[:-1])


def test_a_truncated_stream_loses_one_frame():
    _, found = streamed(columns_of(40, cut=40))  # without an end, 40 columns hold 31 complete frames
    assert sum(len(piece.samples) for piece in found) == 31 * FRAME_SAMPLES


def test_the_limit_of_frames_is_kept():
    _, found = streamed(columns_of(40), frames=17)
    assert sum(len(piece.samples) for piece in found) == 17 * FRAME_SAMPLES


def test_the_first_piece_does_not_wait_for_the_last_column():
    gate = threading.Event()

    def columns():
        for number, column in enumerate(columns_of(60)):
            if number == 40:
                gate.wait(5)
            yield column

    _, found = streamed(columns())
    assert len(next(found).samples) > 0 and not gate.is_set()
    gate.set()
    list(found)


def test_an_error_in_the_thread_reaches_the_consumer():
    def fail():
        raise ValueError("The current sequence length is larger than all buckets")

    _, found = streamed(columns_of(40, cut=3), action=fail)
    with pytest.raises(HarnessError, match="the model failed: ValueError: The current sequence"):
        list(found)


def test_a_hanging_thread_times_out():
    begun = time.monotonic()
    _, found = streamed(columns_of(40, cut=3), timeout=0.2, action=lambda: time.sleep(5))
    with pytest.raises(HarnessError, match=r"no sound within 0\.2 s"):
        list(found)
    assert time.monotonic() - begun < 3


def test_a_stream_without_a_frame_is_an_error():
    _, found = streamed(columns_of(1, cut=5))
    with pytest.raises(HarnessError, match="ended its speech before it began"):
        list(found)
    _, found = streamed([])
    with pytest.raises(HarnessError, match="ended its speech before it began"):
        list(found)


def test_closing_a_stream_stops_its_thread():
    queue, found = streamed(columns_of(60))
    next(found)
    found.close()
    assert queue.stopped.is_set()


def test_one_request_at_a_time():
    lock = threading.Lock()
    with turn(lock, 1.0), pytest.raises(HarnessError, match="busy with an earlier request"), turn(lock, 0.05):
        pass
    with turn(lock, 0.05):
        assert lock.locked()
    assert not lock.locked()
