import pytest

from harness.chapters.ch08_higgs_engine.bounds import (
    GPUS,
    REPORTED,
    Device,
    bound_rows,
    columns_per_second,
    this_machine,
    times_real_time,
)
from harness.chapters.ch08_higgs_engine.findings import findings, frames_per_second, numbers
from harness.chapters.ch08_higgs_engine.measure import agreement, agreement_rows, equal_share


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


def test_rows_of_bounds_say_what_was_measured_and_where():
    rows = bound_rows(Device("ours", 0, 10), 10**9, None, "")
    assert [row["device"] for row in rows] == ["ours", *(gpu.name for gpu in GPUS)]
    assert rows[0]["at most, times real time"] == "0.10 (float32)" and {row["measured here"] for row in rows} == {
        "not run here"
    }
    on_card = bound_rows(Device("ours", 0, 10), 10**9, 1.5, "NVIDIA L4")
    assert [row["device"] for row in on_card if row["measured here"] == "1.50"] == ["L4"]


def test_the_findings_follow_from_the_measurements():
    measured = {"boson": {"batches": {"1": {"frames": [100, 100], "seconds": [1.0, 1.0]}}},
                "native": {"batches": {"1": {"frames": [300], "seconds": [1.0]}, "8": {"frames": [1200], "seconds": [2.0]}}}}  # fmt: skip
    speeds = frames_per_second(measured)
    assert speeds["boson"]["1"] == [100, 100] and speeds["native"]["8"] == [600]
    agreed = [{"frames": [10, 12], "stopped": True, "compared": 2, "equal": 1.0}]
    assert agreement_rows(["Go"], agreed)[0]["equal"] == "100.0%"
    streams = {"boson": {"pieces": [[0.5, 0.5], [2, 1]], "whole": [1.0, 1.0], "difference": None}}
    failed = [{"serve engine": "hangs: nothing"}, {"serve engine": "IndexError: x"}]
    found = findings(speeds, agreed, failed, streams, 10**9, tiny=True)
    assert "3.0 times as many frames" in found["pace"] and "2.0 times as many again" in found["pace"]
    assert "1 of them with a Python error" in found["failures"] and "and 1 with nothing" in found["failures"]
    assert "after 0.50 s, against 1.00 s" in found["stream"] and "random" in found["source"]
    assert numbers(speeds, agreed, streams, 10**9) == {
        "ratio": "3.0", "batched": "2.0", "first_sound": "0.50", "whole": "1.00", "passed": "1.00", "equal": "100%"}  # fmt: skip
    alone = {"boson": speeds["boson"]}
    assert "not run here" in findings(alone, [], failed, streams, 10**9, tiny=False)["same"]
    assert numbers(alone, [], streams, 10**9)["ratio"] == numbers(alone, [], streams, 10**9)["equal"] == "–"
