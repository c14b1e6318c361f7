"""The lookup table: counts per word type, and the answer for unseen words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datasets import UNLABELLED, ProsodyUtterance
from harness.tagged import TaggedText
from harness.taggers.majority import LookupModel
from harness.taggers.slots import CORPUS_QUESTIONS, TAG_QUESTIONS, columns, from_corpus, from_tags

PROMINENCE, BOUNDARY = columns(CORPUS_QUESTIONS)
READ = [  # words, prominence, boundary
    ("the big dog", (0, 2, 1), (0, 0, 2)),
    ("The big cat", (0, 2, 2), (0, 1, 2)),
    ("the big, bird", (0, 1, 2), (0, 2, 2)),
]


def spoken(words, prominence, boundary):
    return from_corpus(ProsodyUtterance("1_2_3", tuple(words.split()), prominence, boundary))


def fitted(rows=READ):
    model = LookupModel(CORPUS_QUESTIONS)
    model.fit([spoken(*row) for row in rows])
    return model


def shares(model, words, question, slot):
    return np.exp(model.slot_scores([words.split()])[0][slot, question]).tolist()


def test_a_seen_word_is_answered_by_its_counts():
    assert shares(fitted(), "big", PROMINENCE, 0) == pytest.approx([0, 1 / 3, 2 / 3], abs=1e-3)
    assert shares(fitted(), "THE,", PROMINENCE, 0) == pytest.approx([1, 0, 0], abs=1e-3), "case, marks do not matter"


def test_a_boundary_is_looked_up_by_the_word_before_it_with_its_punctuation():
    model = fitted()
    assert shares(model, "big bird", BOUNDARY, 1) == pytest.approx([0.5, 0.5, 0], abs=1e-3)
    assert shares(model, "big, bird", BOUNDARY, 1) == pytest.approx([0, 0, 1], abs=1e-3)


def test_an_unseen_word_is_answered_like_words_seen_once():
    # dog, cat, bird were seen once (1, 2, 2); "the" and "big" more often
    assert shares(fitted(), "zebra", PROMINENCE, 0) == pytest.approx([0, 1 / 3, 2 / 3], abs=1e-3)


def test_if_no_word_was_seen_once_a_new_one_gets_the_average():
    model = fitted([("the big", (0, 2), (0, 2)), ("the big the", (0, 1, 0), (0, 2, 0))])
    assert shares(model, "zebra", PROMINENCE, 0) == pytest.approx([3 / 5, 1 / 5, 1 / 5], abs=1e-3)


def test_words_without_a_label_are_not_counted():
    unknown = ("the big zebra", (UNLABELLED,) * 3, (UNLABELLED,) * 3)
    words = "the big zebra and dog".split()
    np.testing.assert_array_equal(
        fitted([*READ, unknown, unknown]).slot_scores([words])[0], fitted().slot_scores([words])[0]
    )


def test_tags_are_looked_up_too():
    model = LookupModel(TAG_QUESTIONS)
    model.fit(
        [from_tags(TaggedText.parse(text)) for text in ("we <emph> never, <pause_short> stop", "We <emph> never go")]
    )
    pause, other = columns(TAG_QUESTIONS)
    [score] = model.slot_scores([["you", "never,", "know"]])
    assert TAG_QUESTIONS[0].answers[score[2, pause].argmax()] == "<pause_short>", "behind the comma"
    assert TAG_QUESTIONS[1].answers[score[1, other].argmax()] == "<emph>"
    assert score[[0, 2, 3], other.start].min() > np.log(0.5)


@given(st.lists(st.text(min_size=1).filter(lambda word: word.split() == [word]), max_size=6).map(tuple))
def test_shares_add_up_for_any_words(words):
    [score] = fitted().slot_scores([words])
    assert score.shape == (len(words) + 1, 6) and np.isfinite(score).all()
    for part in (PROMINENCE, BOUNDARY):
        np.testing.assert_allclose(np.exp(score[:, part]).sum(axis=1), 1, atol=1e-5)


def test_no_text_no_words_and_no_training_are_no_error():
    assert fitted().slot_scores([]) == []
    assert fitted().slot_scores([()])[0].shape == (1, 6)
    assert shares(fitted([]), "the", PROMINENCE, 0) == pytest.approx([1 / 3] * 3)


def test_the_dev_set_is_not_counted():
    model = LookupModel(CORPUS_QUESTIONS)
    model.fit([spoken(*row) for row in READ], [spoken("the dog", (2, 2), (2, 2))] * 9)
    np.testing.assert_array_equal(model.slot_scores([["the"]])[0], fitted().slot_scores([["the"]])[0])
