"""Scores on the corpus: agreement with scikit-learn, unlabelled words, and thresholds."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from harness.benchmark.corpus import (
    BOUNDARY,
    COLUMNS,
    PROMINENCE,
    STATISTICS,
    Cuts,
    count,
    differences,
    figures,
    tune_cuts,
)
from harness.datasets import UNLABELLED, ProsodyUtterance
from harness.taggers.slots import CORPUS_QUESTIONS, log_softmax


@pytest.fixture(scope="module")
def corpus():
    """Return utterances by 8 readers, and scores that are a little better than chance."""
    generator = np.random.default_rng(0)
    utterances, scores = [], []
    for k in range(200):
        n = int(generator.integers(1, 15))
        prominence, boundary = generator.choice([UNLABELLED, 0, 1, 2], size=(2, n), p=[0.1, 0.5, 0.2, 0.2])
        words = tuple(f"w{at}" for at in range(n))
        utterances.append(
            ProsodyUtterance(f"{k % 8}_1_{k}", words, tuple(prominence.tolist()), tuple(boundary.tolist()))
        )
        logits = generator.normal(size=(n + 1, 6))
        for at in range(n):
            logits[at, max(prominence[at], 0)] += 1
            logits[at + 1, 3 + max(boundary[at], 0)] += 1
        scores.append(log_softmax(logits, CORPUS_QUESTIONS))
    return utterances, scores


def readers(utterances):
    return [utterance.reader for utterance in utterances]


def values(scores, utterances, cuts):
    found = figures(count(scores, utterances, cuts), readers(utterances), 20)
    return {name: interval.value for name, interval in found.items()}


def flat(utterances, scores):
    """Return labels and probabilities of all words, and of all slots between two words."""
    words, inner = [], []
    for utterance, score in zip(utterances, scores, strict=True):
        for k in range(len(utterance.words)):
            if utterance.prominence[k] != UNLABELLED:
                words.append((utterance.prominence[k], *np.exp(score[k, PROMINENCE])))
            if utterance.boundary[k] != UNLABELLED and k + 1 < len(utterance.words):
                inner.append((utterance.boundary[k], *np.exp(score[k + 1, BOUNDARY])))
    return np.array(words), np.array(inner)


def test_figures_agree_with_scikit_learn(corpus):
    utterances, scores = corpus
    found = values(scores, utterances, Cuts(emph=-1.0, pause=-0.5))
    words, inner = flat(utterances, scores)
    label, best = words[:, 0].astype(int), words[:, 1:].argmax(axis=1)
    odds = words[:, 3] / (1 - words[:, 3])
    pause_odds = inner[:, 3] / (1 - inner[:, 3])
    assert found == pytest.approx(
        {
            "accuracy_2way": accuracy_score(label > 0, words[:, 1] < 0.5),
            "accuracy_3way": accuracy_score(label, best),
            "emph_f1": f1_score(label == 2, odds > np.exp(-1.0)),
            "emph_f1_argmax": f1_score(label == 2, best == 2),
            "pause_f1": f1_score(inner[:, 0] == 2, pause_odds > np.exp(-0.5)),
        },
        abs=1e-12,
    )
    assert count(scores, utterances, Cuts(0, 0))[:, COLUMNS.index("words")].sum() == len(words)


def test_two_weak_prominences_together_make_a_word_prominent():
    score = np.log(np.array([[0.4, 0.3, 0.3, 1, 1e-9, 1e-9]] * 2, dtype=np.float32))
    found = values([score], [ProsodyUtterance("1_2_3", ("a",), (1,), (0,))], Cuts(0, 0))
    assert (found["accuracy_2way"], found["accuracy_3way"]) == (1, 0)


def test_only_labelled_words_and_inner_slots_count(corpus):
    """Scores at the sentence end, at the slot of the other question and at unlabelled words have no effect."""
    utterances, scores = corpus
    changed = [score.copy() for score in scores]
    for utterance, score in zip(utterances, changed, strict=True):
        score[-1] = np.log([0.01, 0.01, 0.98] * 2)
        score[0, BOUNDARY] = np.log([0.01, 0.01, 0.98])
        for k, (prominence, boundary) in enumerate(zip(utterance.prominence, utterance.boundary, strict=True)):
            if prominence == UNLABELLED:
                score[k, PROMINENCE] = np.log([0.01, 0.01, 0.98])
            if boundary == UNLABELLED:
                score[k + 1, BOUNDARY] = np.log([0.01, 0.01, 0.98])
    other_end = [ProsodyUtterance(u.file, u.words, u.prominence, (*u.boundary[:-1], 2)) for u in utterances]
    cuts = tune_cuts(scores, utterances)
    assert tune_cuts(changed, other_end) == cuts
    np.testing.assert_array_equal(count(changed, other_end, cuts), count(scores, utterances, cuts))


def test_an_utterance_without_any_label_counts_nothing():
    unlabelled = ProsodyUtterance("1_2_3", ("a", "b"), (UNLABELLED,) * 2, (UNLABELLED,) * 2)
    score = log_softmax(np.zeros((3, 6)), CORPUS_QUESTIONS)
    assert not count([score], [unlabelled], Cuts(-9, -9)).any()
    assert tune_cuts([score], [unlabelled]) == Cuts(0, 0)


def test_no_threshold_beats_the_tuned_ones(corpus):
    utterances, scores = corpus
    tuned = values(scores, utterances, tune_cuts(scores, utterances))
    for at in np.linspace(-5, 5, 21):
        other = values(scores, utterances, Cuts(at, at))
        assert other["emph_f1"] <= tuned["emph_f1"] and other["pause_f1"] <= tuned["pause_f1"]
    assert tuned["emph_f1"] > tuned["emph_f1_argmax"], "the argmax of three classes is worse than a tuned threshold"


def test_scores_that_are_certain_stay_finite():
    """The log-odds of a probability that rounds to 1 must not be infinite."""
    score = np.log(np.array([[1e-30, 1e-30, 1, 1e-30, 1e-30, 1]] * 3, dtype=np.float32))
    utterance = ProsodyUtterance("1_2_3", ("a", "b"), (2, 2), (2, 2))
    cuts = tune_cuts([score], [utterance])
    assert np.isfinite([cuts.emph, cuts.pause]).all()
    assert values([score], [utterance], cuts)["emph_f1"] == values([score], [utterance], cuts)["pause_f1"] == 1


def test_differences_are_those_of_the_figures_and_change_their_sign(corpus):
    utterances, scores = corpus
    first = count(scores, utterances, Cuts(0, 0))
    second = count([np.zeros_like(score) for score in scores], utterances, Cuts(0, 0))
    found = differences(first, second, readers(utterances), 200)
    back = differences(second, first, readers(utterances), 200)
    one, two = (figures(counts, readers(utterances), 200) for counts in (first, second))
    for name in STATISTICS:
        assert found[name].value == pytest.approx(one[name].value - two[name].value) == -back[name].value
        assert found[name].low <= found[name].value <= found[name].high
    assert found["accuracy_3way"].low > 0, "the scores are better than zeros"


def test_readers_are_the_clusters(corpus):
    utterances, scores = corpus
    counts = count(scores, utterances, Cuts(0, 0))
    one = figures(counts, ["same"] * len(utterances), 200)["accuracy_2way"]
    many = figures(counts, readers(utterances), 200)["accuracy_2way"]
    assert np.isnan(one.low) and one.value == many.value and many.low < many.value < many.high
