import numpy as np
import pytest

from harness.errors import HarnessError
from harness.higgs.delay import STREAM_BOS as B
from harness.higgs.delay import STREAM_EOS as E
from harness.higgs.delay import delay, undelay
from harness.higgs.tiny.layout import CODEBOOK_SIZE, CODEBOOKS

ARRAYS = [np.random.default_rng(frames).integers(0, CODEBOOK_SIZE, (CODEBOOKS, frames)) for frames in (0, 1, 5, 40)]


def test_three_codebooks_by_hand():
    assert delay(np.array([[1, 2], [3, 4], [5, 6]])).tolist() == [
        [B, 1, 2, E, E, E],
        [B, B, 3, 4, E, E],
        [B, B, B, 5, 6, E],
    ]
    assert delay(np.array([[1], [2]]), bos=8, eos=9).tolist() == [[8, 1, 9, 9], [8, 8, 2, 9]]


@pytest.mark.parametrize("codes", ARRAYS, ids=lambda codes: f"{codes.shape[1]}-frames")
def test_undelay_inverts_delay(codes):
    delayed = delay(codes)
    assert delayed.shape == (CODEBOOKS, codes.shape[1] + 2 + CODEBOOKS - 1)
    np.testing.assert_array_equal(undelay(delayed), codes)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(np.zeros((8, 8), int), "hold no delayed stream")]
    + [(codes, "codes must be integers of shape") for codes in (np.zeros(8, int), np.zeros((8, 9)), np.zeros((0, 9), int))],
)  # fmt: skip
def test_other_arrays_are_refused(wrong, said):
    with pytest.raises(HarnessError, match=said):
        undelay(wrong)
