import numpy as np
import pytest

from harness.chapters.ch04_training_higgs.curve import curve_numbers, curve_result, curve_table, obedience_by_examples
from harness.chapters.ch04_training_higgs.figures import (
    reproduced_code_maps,
    reproduction_rows,
    text_and_audio_loss_curves,
    trained_label_grid,
)
from harness.chapters.ch04_training_higgs.small import small_numbers, small_result
from harness.chapters.ch04_training_higgs.verdict import judge_effort, judge_lora, judge_trainer, works
from harness.higgs.batches import audio_labels
from harness.higgs.delay import STREAM_EOS
from harness.higgs.labels import IGNORED

EFFORT = [
    {"need": "a loss over text and codebooks", "modules": ["labels"], "lines": 80},
    {"need": "rest", "lines": 920},
]


def evidence(**changes):
    said = {"id": "a", "frames": 10, "generated": 10, "equal": 1.0, "stopped": True}
    found = {
        "before": [{**said, "equal": 0.0, "stopped": False}],
        "after": [said],
        "reload_difference": 0.0,
        "merge_difference": 1e-6,
        "summary": {"seconds": 3.0},
    }
    return {**found, **changes}


def test_a_training_that_works():
    assert works(evidence())


@pytest.mark.parametrize(
    "changes",
    [
        {"after": [{"equal": 0.99, "stopped": True}]},
        {"after": [{"equal": 1.0, "stopped": False}]},
        {"before": [{"equal": 1.0, "stopped": True}]},  # the untrained model reproduced it, so nothing was learned
        {"reload_difference": 1e-3},
        {"merge_difference": 1e-3},
    ],
)
def test_a_training_that_does_not_work(changes):
    assert not works(evidence(**changes))


def test_verdicts_follow_the_evidence():
    def judge(**runs):
        figures = small_numbers(small_result()), curve_numbers(curve_result())
        return judge_effort(runs, EFFORT, "tiny", "run it", *figures), judge_trainer(runs, "tiny")

    first, second = judge(boson=evidence(), native=evidence())
    assert (first.verdict, second.verdict) == ("reproduced, but", "depends on what standard means")
    assert "1,000 lines" in first.reading and "80 of them" in first.reading and "`run it`" in first.reading
    assert "boson and native" in second.reading and "does not even need the package" in first.reading
    bad = evidence(reload_difference=1.0)
    first, second = judge(boson=evidence(), native=bad)
    assert "native" not in second.reading and "the package" not in first.reading
    for verdict in judge(boson=bad, native=bad):
        assert verdict.verdict == "reproduced"  # nothing worked, so the note was right


def test_lora_on_the_small_model_counts_only_if_it_obeys_more_than_before():
    curve = curve_result()
    most = max(one["examples"] for one in curve["points"])
    low = {**curve, "points": [{**one, "hits_low": 0.0} if one["examples"] == most else one for one in curve["points"]]}
    high = {
        **curve,
        "points": [{**one, "hits_low": 0.9} if one["examples"] == most else one for one in curve["points"]],
    }
    assert judge_lora(low, small_result()).verdict == "reproduced, but"
    verdict = judge_lora(high, small_result())
    assert verdict.verdict == "refuted" and curve_numbers(curve)["curve_none"] in verdict.reading


def test_the_curve_shows_every_point_with_its_controls():
    curve, table = curve_result(), curve_table(curve_result()).html
    assert table.count("<tr>") == len(curve["points"]) + 1
    figure = obedience_by_examples(curve, small_result())
    assert all(f"{one['examples']:,}" in figure.alt for one in curve["points"] if one["examples"])


def test_figures_describe_what_they_show():
    codes = np.arange(8 * 40).reshape(8, 40) % 1024
    grid = trained_label_grid(audio_labels(codes, STREAM_EOS), STREAM_EOS, IGNORED)
    assert "320 codes" in grid.alt and "8 ends of stream" in grid.alt
    rows = [{"step": k, "loss": 3 / k, "text": 1 / k, "audio": 2 / k} for k in (1, 2, 3)]
    curves = text_and_audio_loss_curves({"boson": rows, "native": rows}, 1024)
    assert "boson: audio 2.00 to 0.667" in curves.alt
    before, after = np.zeros((8, 20), bool), np.ones((8, 20), bool)
    assert "0.0% are as taught before training and 100.0% after" in reproduced_code_maps(before, after).alt
    for figure in (grid, curves, reproduced_code_maps(before, after)):
        assert figure.png.startswith(b"\x89PNG")


def test_rows_of_reproduced_samples():
    [row] = reproduction_rows(evidence()["before"], evidence()["after"])
    assert row["before"] == "0.0% in 10 frames, no stop" and row["after"] == "100.0% in 10 frames, stops"
