"""What an outcome says, and the limit that keeps a loader from filling the memory."""

import sys

import numpy as np
import pytest

from harness.higgs.memory_limit import COPIES, HEADROOM, limited, weights_size, what_was_built
from harness.higgs.outcome import LEFT_OVER, LOADS, RANDOM, UNREAD, LoadOutcome, failed, returned


def test_a_status_is_a_success_only_if_nothing_is_missing_unread_or_left_over():
    class Loaded:
        config = None

    nested = {"text_config": {"model_type": "llama"}, "rope_scaling": {"factor": 1}}
    assert returned("x", Loaded(), {}, {}, 0.1) == LoadOutcome("x", "Loaded", seconds=0.1)
    assert returned("x", Loaded(), {}, {}, 0.1).ok
    for info, config, status in (
        ({"missing_keys": ["b", "a"], "unexpected_keys": ["c"]}, nested, RANDOM),
        ({"mismatched_keys": [("a", (1,), (2,))]}, {}, RANDOM),
        ({"unexpected_keys": ["c"]}, nested, UNREAD),
        ({"unexpected_keys": ["c"]}, {}, LEFT_OVER),
        ({}, {"rope_scaling": {"factor": 1}}, LOADS),
    ):
        one = returned("x", Loaded(), info, config, 0.1)
        assert (one.status, one.ok) == (status, status == LOADS) and bool(one.notes) == (status != LOADS)
        assert one.as_json()["status"] == status
    assert returned("x", Loaded(), {"missing_keys": ["b", "a"]}, {}, 0).notes == (
        "2 weights not in the checkpoint and set at random: a, b",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is the kernel's")
def test_the_memory_limit_stops_and_is_lifted_again(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(bytes(1000))
    assert weights_size(tmp_path) == 1000
    too_much = HEADROOM + COPIES * 1000 + 2**29  # memory that is freed meanwhile makes room
    with limited(tmp_path):
        np.empty(HEADROOM // 2, dtype=np.uint8)
        with pytest.raises(MemoryError):
            np.empty(too_much, dtype=np.uint8)
    np.empty(too_much, dtype=np.uint8)


def test_an_error_is_kept_short_and_placed():
    try:
        raise KeyError("x" * 400)
    except KeyError as error:
        one = failed("x", error, 0.1, notes=["why"])
    assert (one.exception, one.where, one.notes, one.ok) == ("KeyError", "", ("why",), False)
    assert len(one.message) == 300 and one.message.endswith("…")
    assert failed("x", ValueError("a\n\n  b\nc"), 0).message == "a\nb"


def test_only_the_limit_is_explained(tmp_path):
    assert what_was_built(ValueError("other"), object, tmp_path) == ()
    [note] = what_was_built(RuntimeError("can't allocate memory: 7 bytes"), object, tmp_path)
    assert note == "stopped by the probe's memory limit; the folder holds 0.000 GB of weights"
