"""Models on the hidden states of a language model: layout, learning, long texts, and reproducibility."""

import numpy as np
import pytest

from harness.datasets import load_examples
from harness.errors import DataError
from harness.taggers.lm.base_model import load_base
from harness.taggers.lm.frozen import FeatureModel
from harness.taggers.lm.slot_head import SlotHeadConfig, SlotHeadModel
from harness.taggers.lm.words import STATES, WordEncoder, by_length, layout, pad_layouts
from harness.taggers.slots import TAG_QUESTIONS, columns, from_tags

TEXTS = [from_tags(example.tagged) for example in load_examples("train")[:24]]
QUICK = SlotHeadConfig(epochs=6, precision="float32")


@pytest.fixture(scope="module")
def encoder():
    return WordEncoder(load_base("embedded")[1])


@pytest.fixture(scope="module")
def fitted():
    model = SlotHeadModel(TAG_QUESTIONS, QUICK)
    model.fit(TEXTS[:18], TEXTS[18:])
    return model


@pytest.fixture(scope="module")
def frozen():
    model = FeatureModel(TAG_QUESTIONS)
    model.fit(TEXTS)
    return model


def test_each_slot_points_at_the_words_around_it(encoder):
    words = ("We", "guarantee", "incomprehensibilities")
    laid = layout(encoder, words)
    assert laid.index.shape == (4, STATES)
    pieces = [[encoder.end], *(encoder.word(word) for word in words), [encoder.end], [encoder.end]]
    for slot, (last, first_behind, last_behind, following) in enumerate(laid.index.tolist()):
        behind = pieces[slot + 1]
        assert laid.ids[last] == pieces[slot][-1]
        assert (laid.ids[first_behind], laid.ids[last_behind]) == (behind[0], behind[-1])
        assert laid.ids[following] == pieces[min(slot + 2, 4)][0]


def test_two_copies_point_into_the_second(encoder):
    once, twice = layout(encoder, ("We", "pay")), layout(encoder, ("We", "pay"), copies=2)
    words = len(once.ids) - 2
    assert len(twice.ids) == 2 * words + 2
    assert (twice.index == once.index + words).all()


def test_pads_are_known_as_pads(encoder):
    batch = pad_layouts([layout(encoder, ("We",)), layout(encoder, ("We", "pay", "it"))], encoder.end)
    assert batch["known"].sum(dim=1).tolist() == [len(layout(encoder, w).ids) for w in (("We",), ("We", "pay", "it"))]


def test_it_learns_and_its_probabilities_add_up(fitted):
    scores = fitted.slot_scores([text.words for text in TEXTS])
    for score, text in zip(scores, TEXTS, strict=True):
        assert score.shape[0] == len(text.words) + 1
        for part in columns(TAG_QUESTIONS):
            np.testing.assert_allclose(np.exp(score[:, part]).sum(axis=1), 1, atol=1e-4)
    right = [s[slot, p.start + label] for s, t in zip(scores, TEXTS, strict=True)
             for k, p in enumerate(columns(TAG_QUESTIONS)) for slot, label in enumerate(t.labels[:, k])]  # fmt: skip
    uniform = np.mean([np.log(len(question.answers)) for question in TAG_QUESTIONS])
    assert -np.mean(right) < 0.5 * uniform, "it has learned more than nothing"


def test_scores_depend_on_the_words_after_a_slot(fitted):
    """There is no causal mask, so a later word changes the scores of the first slot."""
    a, b = fitted.slot_scores([("We", "pay", "today"), ("We", "pay", "never")])
    assert abs(a[0] - b[0]).max() > 1e-5


def test_the_same_seed_gives_the_same_scores(fitted):
    again = SlotHeadModel(TAG_QUESTIONS, QUICK)
    again.fit(TEXTS[:18], TEXTS[18:])
    words = [TEXTS[0].words]
    np.testing.assert_allclose(again.slot_scores(words)[0], fitted.slot_scores(words)[0], atol=1e-5)


@pytest.mark.parametrize("line", ["", "word " * 2000, "x" * 3000, "\U0001f600 价格 <emph>"])
def test_any_text_has_a_score_at_each_slot(fitted, frozen, line):
    words = tuple(line.split())
    assert fitted.slot_scores([words])[0].shape == (len(words) + 1, 9)
    assert frozen.features([words])[0].shape[0] == len(words) + 1


def test_frozen_features_separate_what_they_were_fitted_on(frozen):
    scores = frozen.slot_scores([text.words for text in TEXTS])
    right = [s[:, p].argmax(axis=1) == t.labels[:, k] for s, t in zip(scores, TEXTS, strict=True)
             for k, p in enumerate(columns(TAG_QUESTIONS))]  # fmt: skip
    assert np.concatenate(right).mean() > 0.97


def test_wrong_settings_are_refused():
    with pytest.raises(DataError, match="layers"):
        SlotHeadConfig(layers=0)


def test_rows_are_grouped_by_length_within_a_budget():
    groups = list(by_length([5, 100, 4, 6, 3], 16))
    assert sorted(row for group in groups for row in group) == [0, 1, 2, 3, 4]
    assert groups[-1] == [1] and all(
        len(group) * max([5, 100, 4, 6, 3][r] for r in group) <= 16 for group in groups[:-1]
    )
