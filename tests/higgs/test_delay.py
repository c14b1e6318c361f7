import numpy as np
import pytest
from helpers import python_or_skip

from harness.errors import HarnessError
from harness.higgs.delay import STREAM_BOS as B
from harness.higgs.delay import STREAM_EOS as E
from harness.higgs.delay import delay, undelay
from harness.higgs.stacks import BOSON, NATIVE
from harness.higgs.tiny.layout import CODEBOOK_SIZE, CODEBOOKS
from harness.processes import call

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


@pytest.mark.parametrize("stack", [BOSON, NATIVE])
def test_equal_to_the_code_of_both_stacks(stack):
    codes = ARRAYS[-1]
    python_or_skip(stack)
    got = call(stack, "harness.higgs.delay:delay_of_stack", codes=codes.tolist())
    assert ("boson" in got["code"]) == (stack == BOSON)
    np.testing.assert_array_equal(got["delayed"], delay(codes))
    np.testing.assert_array_equal(np.array(got["reverted"])[:, 1:-1], undelay(np.array(got["delayed"])))


def test_the_stacks_code_here():  # shapes that a process of its own would make slow
    pytest.importorskip("torch")
    from harness.higgs.delay import delay_of_stack

    for codes in ARRAYS[:3]:
        np.testing.assert_array_equal(delay_of_stack(codes.tolist())["delayed"], delay(codes))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(np.zeros((8, 8), int), "hold no delayed stream")]
    + [(codes, "codes must be integers of shape") for codes in (np.zeros(8, int), np.zeros((8, 9)), np.zeros((0, 9), int))],
)  # fmt: skip
def test_what_is_no_delayed_stream(wrong, said):
    with pytest.raises(HarnessError, match=said):
        undelay(wrong)
