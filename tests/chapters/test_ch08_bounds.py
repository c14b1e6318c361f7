import pytest

from harness.chapters.ch08_higgs_engine.bounds import (
    GPUS,
    REPORTED,
    Device,
    columns_per_second,
    this_machine,
    times_real_time,
)
from harness.chapters.ch08_higgs_engine.measure import agreement, equal_share


def test_each_column_reads_the_weights_once():
    device = Device("made up", 10, 100)  # 100 GB/s and 2 GB of weights: 50 columns, 2 seconds of audio, a second
    assert columns_per_second(device, 10**9, 2) == 50 and times_real_time(device, 10**9, 2) == 2
    assert times_real_time(device, 10**9, 4) == 1


def test_reported_speeds_are_below_the_bound():
    gpus = {gpu.name: gpu for gpu in GPUS}
    passed = 2.84e9  # of the 5.77 billion parameters, chapter 02
    assert all(0.1 < speed / times_real_time(gpus[name], passed, 2) < 1 for name, speed in REPORTED.items())


def test_this_machine_is_measured():
    found = this_machine(megabytes=64, repeats=3)
    assert 0.5 < found.bandwidth < 2000


@pytest.mark.parametrize(
    ("stopped", "other", "compared", "equal"),
    [
        (False, [[1, 2, 3], [4, 5, 6]], 3, 1.0),
        (False, [[1, 2, 3], [4, 5, 7]], 3, 5 / 6),
        (True, [[1, 9, 9], [4, 9, 9]], 1, 1.0),  # two codebooks: the end may have begun two columns before
        (True, [[1], [4]], 0, 0.0),
    ],
)
def test_agreement_leaves_out_where_the_end_begins(stopped, other, compared, equal):
    one = {"codes": [[1, 2, 3], [4, 5, 6]], "stopped": stopped}
    found = agreement(one, {"codes": other, "stopped": stopped})
    assert (found["compared"], found["equal"]) == (compared, pytest.approx(equal))
    assert found["frames"] == [3, len(other[0])] and found["stopped"] is stopped


def test_equal_share_counts_missing_frames_as_unequal():
    assert equal_share([[1, 2], [3, 4]], [[1, 2], [3, 4]]) == 1
    assert equal_share([[1, 2], [3, 4]], [[1], [3]]) == 0.5
