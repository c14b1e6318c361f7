"""From labels to questions, from scores to tags, and the thresholds between them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.datasets import UNLABELLED, ProsodyUtterance
from harness.tagged import PAUSES, TAGS, Tag, TaggedText
from harness.taggers.slots import (
    CORPUS_QUESTIONS,
    NOTHING,
    TAG_QUESTIONS,
    best_threshold,
    choose,
    columns,
    from_corpus,
    from_tags,
    log_softmax,
    margins,
    tune,
)

OTHERS = [tag for tag in TAGS if tag not in PAUSES]
WIDTH = sum(len(question.answers) for question in TAG_QUESTIONS)


@st.composite
def answered_texts(draw):
    """Draw texts with at most a pause and one other tag per slot, which two questions can express."""
    words = [f"w{k}" for k in range(draw(st.integers(0, 6)))]
    tags = []
    for slot in range(len(words) + 1):
        for tag in (draw(st.sampled_from([None, *sorted(PAUSES)])), draw(st.sampled_from([None, *OTHERS]))):
            tags += [(slot, tag)] if tag else []
    return TaggedText(words, tags)


def f1_above(threshold, scores, right, support):
    placed = scores > threshold
    return 2 * (placed & right).sum() / max(placed.sum() + support, 1)


def test_every_tag_answers_exactly_one_question():
    answers = [answer for question in TAG_QUESTIONS for answer in question.answers if answer != NOTHING]
    assert sorted(answers) == sorted(tag.value for tag in TAGS)
    assert all(question.answers[0] == NOTHING for question in (*TAG_QUESTIONS, *CORPUS_QUESTIONS))


def test_corpus_prominence_is_asked_before_a_word_and_its_boundary_behind_it():
    utterance = ProsodyUtterance("1_2_3", ("A", "b."), (2, UNLABELLED), (0, 1), ((3.0, 0.5), (float("nan"), 1.5)))
    text = from_corpus(utterance)
    assert text.labels.tolist() == [[2, UNLABELLED], [UNLABELLED, 0], [UNLABELLED, 1]]
    nan = float("nan")
    np.testing.assert_array_equal(text.values, np.array([[3.0, nan], [nan, 0.5], [nan, 1.5]], dtype=np.float32))
    assert from_corpus(ProsodyUtterance("1_2_3", ("A",), (0,), (2,))).values is None


@given(arrays(np.float64, (3, WIDTH), elements=st.floats(-1e4, 1e4)))
def test_log_softmax_normalises_each_question_alone(logits):
    scores = log_softmax(logits, TAG_QUESTIONS)
    assert scores.dtype == np.float32
    for part in columns(TAG_QUESTIONS):
        np.testing.assert_allclose(np.exp(scores[:, part]).sum(axis=1), 1, atol=1e-5)
    shifted = logits + np.repeat([5.0, -3.0], [3, 6])
    np.testing.assert_allclose(log_softmax(shifted, TAG_QUESTIONS), scores, atol=1e-2)


def test_a_margin_is_the_preference_of_a_tag_over_nothing():
    score = np.array([[-1, -2, -4, -1, -1.5, -2, -3, -4, -5]], dtype=np.float32)
    [margin] = margins([score])
    said = dict(zip(TAGS, margin[0].tolist(), strict=True))
    for question, part in zip(TAG_QUESTIONS, columns(TAG_QUESTIONS), strict=True):
        values = score[0, part]
        assert {
            Tag(a): v - values[0] for a, v in zip(question.answers[1:], values[1:], strict=True)
        }.items() <= said.items()


@given(answered_texts())
def test_certain_scores_give_the_tags_back(text):
    """The order of two tags on one slot may change: the pause comes first."""
    labels = from_tags(text).labels
    logits = np.zeros((len(labels), WIDTH))
    for k, part in enumerate(columns(TAG_QUESTIONS)):
        logits[np.arange(len(labels)), part.start + labels[:, k]] = 9
    assert choose([text.words], margins([log_softmax(logits, TAG_QUESTIONS)]), {}) == [text]


@given(st.integers(0, 5).flatmap(lambda n: arrays(np.float64, (n + 1, len(TAGS)), elements=st.floats(-9, 9))),
       st.dictionaries(st.sampled_from(TAGS), st.floats(-9, 9)))  # fmt: skip
def test_a_slot_gets_at_most_a_pause_and_one_other_tag_and_words_stay(margin, thresholds):
    words = tuple(f"w{k}" for k in range(len(margin) - 1))
    [text] = choose([words], [margin], thresholds)
    assert text.words == words
    for slot in range(len(margin)):
        placed = text.by_slot().get(slot, ())
        cleared = {tag for k, tag in enumerate(TAGS) if margin[slot, k] - thresholds.get(tag, 0.0) > 0}
        assert set(placed) <= cleared
        assert len([tag for tag in placed if tag in PAUSES]) == bool(cleared & PAUSES)
        assert len([tag for tag in placed if tag not in PAUSES]) == bool(cleared - PAUSES)
        assert len(placed) < 2 or placed[0] in PAUSES


def test_the_tag_that_clears_its_threshold_by_most_is_placed():
    margin = np.zeros((1, len(TAGS)))
    margin[0, TAGS.index(Tag.EMPH)], margin[0, TAGS.index(Tag.PITCH_LOW)] = 3.0, 2.0
    assert choose([()], [margin], {})[0].tags == ((0, Tag.EMPH),)
    assert choose([()], [margin], {Tag.EMPH: 2.5})[0].tags == ((0, Tag.PITCH_LOW),)
    assert choose([()], [margin], {Tag.EMPH: 3.0, Tag.PITCH_LOW: 2.0})[0].tags == (), "equal is not above"
    assert choose([], [], {}) == []


def test_the_best_threshold_is_found():
    scores = np.array([3.0, 2.0, 1.0, 0.0, -1.0])
    assert best_threshold(scores, np.array([True, True, False, False, False]), 2) == 1.5
    assert best_threshold(scores, np.ones(5, dtype=bool), 5) < -1
    assert best_threshold(scores, np.zeros(5, dtype=bool), 0) == best_threshold(np.empty(0), np.empty(0, bool), 0) == 0


@given(st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=1, max_size=20), st.integers(0, 5))
def test_no_threshold_beats_the_best_one(slots, missed):
    """`missed` tags are wanted where another answer is preferred, so no threshold finds them."""
    scores, right = np.array([float(score) for score, _ in slots]), np.array([hit for _, hit in slots])
    support = int(right.sum()) + missed
    found = f1_above(best_threshold(scores, right, support), scores, right, support)
    assert found == max(f1_above(at, scores, right, support) for at in np.arange(-5, 5) + 0.5)


def test_tags_of_a_question_share_their_threshold():
    margin = np.full((3, len(TAGS)), -5.0)
    margin[1, TAGS.index(Tag.EMPH)], margin[2, TAGS.index(Tag.PITCH_LOW)] = -1.0, -3.0
    thresholds = tune([margin], [TaggedText.parse("We <emph> pay")])
    assert thresholds[Tag.EMPH] == thresholds[Tag.PITCH_RISING] == -2.0
    assert thresholds[Tag.PAUSE_LONG] == thresholds[Tag.PAUSE_SHORT] == 0, "no pause is wanted"
    assert set(thresholds) == set(TAGS)
    assert choose([("We", "pay")], [margin], thresholds) == [TaggedText.parse("We <emph> pay")]


def test_a_tag_confused_with_another_counts_as_wanted_and_missed():
    margin = np.full((3, len(TAGS)), -9.0)
    margin[0, TAGS.index(Tag.EMPH)], margin[1, TAGS.index(Tag.EMPH)] = 1.0, 3.0
    thresholds = tune([margin], [TaggedText.parse("<pitch_low> We <emph> pay")])
    assert thresholds[Tag.EMPH] == pytest.approx(2.0), "placing emphasis on slot 0 would be wrong"
