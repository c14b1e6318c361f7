"""The limit on the memory of a loader."""

import sys

import numpy as np
import pytest

from harness.higgs.memory_limit import COPIES, HEADROOM, limited, weights_size, what_was_built


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is the kernel's")
def test_the_memory_limit_stops_a_loader_and_is_lifted_afterwards(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(bytes(1000))
    assert weights_size(tmp_path) == 1000
    too_much = HEADROOM + COPIES * 1000 + 2**29  # more, because freed memory makes room
    with limited(tmp_path):
        np.empty(HEADROOM // 2, dtype=np.uint8)
        with pytest.raises(MemoryError):
            np.empty(too_much, dtype=np.uint8)
    np.empty(too_much, dtype=np.uint8)


def test_only_the_limit_is_explained(tmp_path):
    assert what_was_built(ValueError("other"), object, tmp_path) == ()
    [note] = what_was_built(RuntimeError("can't allocate memory: 7 bytes"), object, tmp_path)
    assert note == "stopped by the probe's memory limit; the folder holds 0.000 GB of weights"
