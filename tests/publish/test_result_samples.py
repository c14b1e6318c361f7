"""Today's code reproduces the published results: their samples and their quick rows are measured again."""

import copy

import pytest
from helpers import needs_data

from harness.benchmark import suite
from harness.benchmark.units import KINDS
from harness.publish import samples
from harness.publish.samples import changes, load_sample

QUICK = [("heldout", tagger) for tagger in (*samples.TAGGERS, "second pass")] + [
    ("crossval", "rules"),
    ("crossval", "majority"),
]


def test_the_sample_of_the_controls_is_measured_as_before():
    assert changes(load_sample("controls"), samples.controls_sample()) == []


def test_the_sample_of_the_placement_benchmark_is_measured_as_before():
    assert changes(load_sample("placement"), samples.placement_sample()) == []


@pytest.mark.parametrize("data", ["embedded", pytest.param("seed-examples", marks=needs_data("seed-examples"))])
def test_quick_rows_of_the_placement_benchmark_are_measured_as_before(data):
    rows = [
        row
        for row in suite.load()
        if (row["kind"], row["parameters"].get("tagger")) in QUICK and row["parameters"].get("data", "embedded") == data
    ]
    assert len(rows) > 1
    again = [{**row, "figures": KINDS[row["kind"]](resamples=2000, **row["parameters"])} for row in rows]
    assert changes(rows, again) == []


@pytest.mark.parametrize(
    ("engine", "field", "value", "equal"),
    [
        ("espeak", "value", 1.0 + 1e-9, True),
        ("espeak", "value", 1.0001, False),
        ("piper", "value", 1.1, True),
        ("piper", "value", 1.3, False),
        ("piper", "value", None, False),
        ("piper", "verdict", "miss", False),
        ("piper", "words", [[0.0, 0.4], [0.5, 0.9]], False),
    ],
)
def test_differences_between_processors_are_tolerated(engine, field, value, equal):
    kept = [{"engine": engine, "verdict": "hit", "value": 1.0, "words": [[0.0, 0.4]]}]
    measured = copy.deepcopy(kept)
    measured[0][field] = value
    found = changes(kept, measured)
    assert (found == []) is equal
    assert equal or field in found[0]
    assert changes(kept, []) == ["stored: 1 lines, measured: 0"]
