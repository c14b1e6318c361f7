"""Scores out of domain: the labels that tags and corpus share, from either kind of model."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from harness.benchmark.domain import (
    cut,
    evidence_from_corpus,
    evidence_from_tags,
    f1,
    wanted_by_corpus,
    wanted_by_examples,
)
from harness.datasets import UNLABELLED, ProsodyUtterance
from harness.records import Example
from harness.taggers.slots import CORPUS_QUESTIONS, TAG_QUESTIONS, log_softmax

TEXTS = [
    "<pause_long> We <pause_short> <emph> pay <pitch_high> today <pause_long>",
    "Never",
    "<emph> Go <pause_long> now",
]
EXAMPLES = [Example(id=f"e{k}", text=text, group=f"g{k}", split="train") for k, text in enumerate(TEXTS)]
UTTERANCES = [
    ProsodyUtterance("1_2_3", ("We", "pay", "today"), (0, 2, UNLABELLED), (UNLABELLED, 2, 2)),
    ProsodyUtterance("1_2_4", ("Never",), (1,), (2,)),
]


def random_scores(questions, seed=0):
    generator = np.random.default_rng(seed)
    width = sum(len(question.answers) for question in questions)
    return [log_softmax(generator.normal(size=(n + 1, width)), questions) for n in (3, 1, 2)]


def lists(arrays):
    return [array.tolist() for array in arrays]


def test_examples_want_emphasis_at_words_and_pauses_between_words():
    wanted = wanted_by_examples(EXAMPLES)
    assert lists(wanted["emph"]) == [[0, 1, 0], [0], [1, 0]]
    assert lists(wanted["pause"]) == [[1, 0], [], [1]], "not before the first word, and not after the last"


def test_the_corpus_wants_its_strongest_labels():
    wanted = wanted_by_corpus(UTTERANCES)
    assert lists(wanted["emph"]) == [[0, 1, UNLABELLED], [0]]
    assert lists(wanted["pause"]) == [[UNLABELLED, 1], []]


def test_a_model_of_tags_gives_emphasis_and_either_pause():
    scores = random_scores(TAG_QUESTIONS)
    evidence = evidence_from_tags(scores)
    answers = [answer for question in TAG_QUESTIONS for answer in question.answers]
    for score, emph, pause in zip(scores, evidence["emph"], evidence["pause"], strict=True):
        share = np.exp(score)
        np.testing.assert_allclose(np.exp(emph), share[:-1, answers.index("<emph>")], rtol=1e-5)
        short, long = (share[1:-1, answers.index(f"<pause_{length}>")] for length in ("short", "long"))
        np.testing.assert_allclose(np.exp(pause), short + long, rtol=1e-5)


def test_a_model_of_the_corpus_gives_its_strongest_labels():
    scores = random_scores(CORPUS_QUESTIONS)
    evidence = evidence_from_corpus(scores)
    for score, emph, pause in zip(scores, evidence["emph"], evidence["pause"], strict=True):
        np.testing.assert_array_equal(emph, score[:-1, 2])
        np.testing.assert_array_equal(pause, score[1:-1, 5])


def test_f1_agrees_with_scikit_learn_and_leaves_unlabelled_places_out():
    generator = np.random.default_rng(0)
    wanted = [generator.choice([UNLABELLED, 0, 1], 10) for _ in range(30)]
    evidence = [np.where(w == UNLABELLED, 9.0, w + generator.normal(size=10)) for w in wanted]
    known = np.concatenate(wanted) != UNLABELLED
    right, scores = np.concatenate(wanted)[known] == 1, np.concatenate(evidence)[known]
    clusters = [f"c{k % 6}" for k in range(30)]
    found = f1(evidence, wanted, 0.5, clusters, 200)
    assert found.value == pytest.approx(f1_score(right, scores > 0.5))
    assert found.low < found.value < found.high
    best = f1(evidence, wanted, cut(evidence, wanted), clusters, 20).value
    assert best == pytest.approx(max(f1_score(right, scores > at) for at in (-9, *scores)))


def test_the_threshold_separates_separable_scores():
    evidence = [np.array([-1.0, -2.0]), np.array([]), np.array([-3.0])]
    wanted = [np.array([1, 1]), np.array([]), np.array([0])]
    assert cut(evidence, wanted) == -2.5
    assert f1(evidence, wanted, cut(evidence, wanted), ["a", "b", "c"], 20).value == 1
