"""The taggers of the project on the three sets, and the learning curve."""

import pytest

from harness.benchmark import sets
from harness.datasets import load_examples
from harness.tagged import TaggedText
from harness.taggers import make_tagger


def test_rules_on_the_development_set():
    figures = sets.on_set("rules", "development", resamples=50)
    assert figures["micro"]["f1"] == pytest.approx(0.472, abs=5e-4)  # `harness score placement` gives the same
    assert figures["against_rules"] == {"value": 0, "low": 0, "high": 0}
    assert figures["optional"]["f1"] > figures["micro"]["f1"], "tags of the second pass count too"


def test_the_second_pass_is_scored_like_a_tagger():
    figures = sets.on_set(sets.SECOND_PASS, "development", resamples=50)
    assert figures["micro"]["f1"] > 0.8 and figures["against_rules"]["low"] > 0 and "optional" not in figures


def test_hand_features_on_the_development_set_and_with_more_examples():
    pytest.importorskip("hibari")
    assert sets.on_set("hand_features", "development", resamples=50)["micro"]["f1"] == pytest.approx(0.635, abs=0.01)
    text = TaggedText.parse("We guarantee 30% savings")
    more, shipped = sets.made(sets.MORE_EXAMPLES), make_tagger("hand_features")
    assert more.tag([text])[0].words == text.words
    assert any(
        (more.model.tags[tag].weights.shape != shipped.model.tags[tag].weights.shape) for tag in shipped.model.tags
    )


def test_a_point_of_the_curve_depends_on_the_seed_only():
    first, again, other = (sets.with_fewer("logistic", 25, seed, resamples=0)["micro"]["f1"] for seed in (1, 1, 2))
    assert first == again != other
    assert len(load_examples("train")) == 98 > max(sets.CURVE)
