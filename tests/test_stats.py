import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap
from sklearn.metrics import roc_auc_score

from harness.stats import ClusterBootstrap, auc, effective_size, ratio, wilson


def rate(total):
    return ratio(total[..., 0], total[..., 1])


@pytest.fixture
def counts():
    generator = np.random.default_rng(5)
    trials = generator.integers(1, 6, size=80)
    return np.column_stack([generator.binomial(trials, 0.7), trials])


def test_agrees_with_scipy_bca(counts):
    ours = ClusterBootstrap(range(80), counts, n_resamples=20_000, seed=1).interval(rate)
    theirs = scipy_bootstrap(
        (counts[:, 0], counts[:, 1]), lambda a, b, axis=-1: a.sum(axis) / b.sum(axis),
        paired=True, vectorized=True, n_resamples=20_000, method="BCa", rng=np.random.default_rng(2),
    ).confidence_interval  # fmt: skip
    assert ours.low == pytest.approx(theirs.low, abs=0.004)
    assert ours.high == pytest.approx(theirs.high, abs=0.004)


def test_clusters_widen_the_interval(counts):
    doubled = np.repeat(counts, 2, axis=0)
    naive = ClusterBootstrap(range(160), doubled).interval(rate)
    clustered = ClusterBootstrap(np.repeat(np.arange(80), 2), doubled).interval(rate)
    assert clustered.high - clustered.low > 1.2 * (naive.high - naive.low)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(9)
    covered = 0
    for repeat in range(200):
        trials = generator.integers(1, 4, size=60)
        hits = generator.binomial(trials, 0.6)
        counts = np.column_stack([hits, trials])
        interval = ClusterBootstrap(range(60), counts, n_resamples=500, seed=repeat).interval(rate)
        covered += interval.low <= 0.6 <= interval.high
    assert 180 <= covered <= 199


@pytest.mark.parametrize("value", [0, 1])
def test_certainty_is_not_claimed_at_the_ends(value):
    interval = ClusterBootstrap(range(200), [[value, 1]] * 200).interval(rate)
    assert interval.value == value
    assert (interval.low, interval.high) == pytest.approx(wilson(200 * value, 200))
    assert 0 < interval.high - interval.low < 0.03


def test_one_cluster_gives_no_interval():
    six = [[hit, 1] for hit in (1, 0, 1, 0, 0, 1)]
    for rows, clusters in ((six, "aaaaaa"), ([*six, [0, 0]], "aaaaaab")):  # b has no trial
        found = ClusterBootstrap(list(clusters), rows).interval(rate)
        assert str(found) == "0.50 (1 group)" and np.isnan(found.high)
    assert np.isnan(ClusterBootstrap(list("aa"), [[0, 1]] * 2).interval(rate).high)
    assert np.isnan(ClusterBootstrap(list("aa"), [[1, 1], [0, 1]]).interval(rate, rate=False).low)
    same = ClusterBootstrap(list("aabb"), [[1, 1], [0, 1]] * 2).interval(rate)
    assert (same.low, same.high) == pytest.approx(wilson(1, 2)), "equal clusters are no certainty"


def test_none_and_a_few_of_many_have_intervals_of_one_kind():
    groups = np.arange(57) % 4
    found = [ClusterBootstrap(groups, [[row < hits, 1] for row in range(57)]).interval(rate) for hits in range(6)]
    n = effective_size(57, 4)
    assert n == pytest.approx(57 * (2.0032 / 3.1824) ** 2, rel=1e-3) and effective_size(57, 57) == 57
    for hits in range(5):
        assert (found[hits].low, found[hits].high) == pytest.approx(wilson(hits / 57 * n, n))
    assert 0.1 < found[0].high < found[1].high < found[2].high < 0.25
    most = ClusterBootstrap(groups, [[row >= 2, 1] for row in range(57)]).interval(rate)
    assert (most.low, most.high) == pytest.approx((1 - found[2].high, 1 - found[2].low))


def test_wilson_against_a_published_value():
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3: 81 of 263.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert np.isnan(wilson(0, 0)[0])


def test_differences_are_paired(counts):
    better = counts.copy()
    better[:, 0] = np.minimum(better[:, 0] + 1, better[:, 1])
    both = np.hstack([better, counts])
    paired = ClusterBootstrap(range(80), both).interval(lambda t: rate(t[..., :2]) - rate(t[..., 2:]), rate=False)
    alone = ClusterBootstrap(range(80), counts).interval(rate)
    assert paired.low > 0
    assert paired.high - paired.low < alone.high - alone.low


def test_nothing_to_estimate_is_nan_and_repeats_are_identical(counts):
    assert np.isnan(ClusterBootstrap([], np.zeros((0, 2))).interval(rate).value)
    assert np.isnan(ClusterBootstrap(["a"], [[0, 0]]).interval(rate).low)
    first, second = (ClusterBootstrap(range(80), counts, seed=3).interval(rate) for _ in range(2))
    assert first == second


def test_many_clusters_are_drawn_one_by_one_from_the_same_distribution(monkeypatch):
    trials = np.ones(3000)
    counts = np.column_stack([np.arange(3000) % 10 == 0, trials])
    weights = ClusterBootstrap(range(3000), counts, n_resamples=4000).interval(rate)
    monkeypatch.setattr("harness.stats._MANY", 3000)
    drawn = ClusterBootstrap(range(3000), counts, n_resamples=4000).interval(rate)
    assert drawn != weights and drawn.value == weights.value
    assert (drawn.low, drawn.high) == pytest.approx((weights.low, weights.high), abs=0.001)
    assert drawn.high - drawn.low == pytest.approx(2 * 1.96 * np.sqrt(0.1 * 0.9 / 3000), rel=0.05)


def test_the_area_under_the_curve():
    assert auc(list("aabb"), [1, 0, 1, 0], [3, 1, 4, 2]).value == 1
    assert auc(list("aabb"), [1, 0, 1, 0], [3, 1, 4, np.nan]).low == pytest.approx(wilson(1, 1)[0]), (
        "one cluster has a negative row"
    )
    assert np.isnan(auc(list("ab"), [1, 1], [1, 2]).value) and np.isnan(auc([], [], []).value)
    generator = np.random.default_rng(0)
    clusters = np.repeat(np.arange(40), 6)
    positive = generator.random(240) < 0.3
    scores = generator.normal(size=240).round(1) + positive
    found = auc(clusters, positive, scores)
    assert found.value == pytest.approx(roc_auc_score(positive, scores))
    assert 0.03 < found.value - found.low < 0.1 and 0.03 < found.high - found.value < 0.1
    assert auc(clusters, positive, -scores).value == pytest.approx(1 - found.value)
