from functools import partial

import helpers
import numpy as np
import pytest

from harness.chapters.ch02_architecture import measured
from harness.higgs.delay import delay, undelay
from harness.higgs.memory import FORMULA_BYTES, PRECISIONS
from harness.higgs.tiny.layout import CODEBOOK_SIZE, CODEBOOKS
from harness.processes.stacks import BOSON, NATIVE

in_stack = partial(helpers.in_stack, measured)


@pytest.mark.parametrize(("stack", "frames"), [(BOSON, 40), *((NATIVE, frames) for frames in (0, 1, 5, 40))])
def test_the_delay_pattern_is_that_of_both_stacks(stack, frames):
    codes = np.random.default_rng(frames).integers(0, CODEBOOK_SIZE, (CODEBOOKS, frames))
    got = in_stack(stack, "delay_of_stack", codes=codes.tolist())
    assert ("boson" in got["code"]) == (stack == BOSON)
    np.testing.assert_array_equal(got["delayed"], delay(codes))
    np.testing.assert_array_equal(np.array(got["reverted"])[:, 1:-1], undelay(np.array(got["delayed"])))


@pytest.mark.parametrize(("precision", "size"), [("bf16", 2), ("fp32", 4), ("autocast", 2)])
def test_layers_keep_at_least_as_much_as_the_formula(precision, size):
    kept = {stack: in_stack(stack, "kept_for_backward", precision=precision) for stack in (BOSON, NATIVE)}
    used = PRECISIONS[precision].kept
    assert all(FORMULA_BYTES * size / 2 <= count <= used for count in kept.values()), kept
    assert max(kept.values()) > used - 1  # the constant is this count, rounded up
