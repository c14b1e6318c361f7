"""Intervals for rates that come from clustered data.

Tags of one sentence are not independent, so whole sentences (or their groups) are resampled: the *cluster bootstrap*
(Davison and Hinkley 1997, section 3.8). All statistics of a table share the same resamples, so differences between them
are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import (
    ndtr,
    ndtri,
    stdtrit,
)  # normal distribution, quantiles of it and of t; scipy.stats is slow to import

DEFAULT_RESAMPLES = 2000
CONFIDENCE = 0.95
FEW = 5  # rows off 0 or 1; with fewer the bootstrap covers too little (the usual rule of five expected counts)
_BLOCK_CELLS = 4_000_000  # cells of the weight matrix in memory at the same time: 32 MB
_MANY = 20_000  # from this many clusters on, they are drawn one by one: the same distribution in a fifth of the time

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Interval:
    """An estimate and its interval; `low` and `high` are NaN where there is nothing to estimate, or only one cluster."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isfinite(self.value) and np.isnan(self.low):
            return f"{self.value:.2f} (1 group)"
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


class ClusterBootstrap:
    """Cluster bootstrap of additive counts: all statistics of one table come from the same resamples.

    Parameters
    ----------
    clusters : sequence of length rows
        Cluster of each row of `counts`.
    counts : array of shape (rows, columns)
        Additive counts of each row (sentence), such as hits and trials.
    n_resamples : int
        Number of bootstrap resamples.
    seed : int
        Random seed of the resamples.

    Examples
    --------
    >>> counts = [[1, 2], [0, 1], [1, 1], [2, 3]]  # hits and trials of each sentence
    >>> bootstrap = ClusterBootstrap(["a", "a", "b", "c"], counts)
    >>> bootstrap.interval(lambda total: ratio(total[..., 0], total[..., 1])).value
    0.5714285714285714
    """

    def __init__(
        self, clusters: Sequence, counts: ArrayLike, n_resamples: int = DEFAULT_RESAMPLES, seed: int = 0
    ) -> None:
        self.rows = counts = np.asarray(counts, dtype=float)
        names, index = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
        self.sums = np.zeros((len(names), counts.shape[1]))
        np.add.at(self.sums, index, counts)
        self.total = self.sums.sum(axis=0)
        self._replicates = _resample(self.sums, n_resamples, np.random.default_rng(seed))

    def interval(self, statistic: Statistic, *, rate: bool = True, of_rows: bool = True) -> Interval:
        """Return the 95 % BCa interval of a statistic of column totals (Efron 1987, JASA 82:171).

        Parameters
        ----------
        statistic : callable
            Maps totals of shape (..., columns) to values of shape (...). NaN means "not defined here".
        rate : bool
            Whether the statistic is a rate in [0, 1]. If fewer than `FEW` rows differ from 0 (or from 1), the resamples agree too
            often, and the bootstrap would claim too much. In that case the Wilson interval is returned, with the effective number
            of rows as the sample size (`effective_size`).
        of_rows : bool
            Whether the rate is a share of the rows. F1 is not: its Wilson interval is for exactly 0 and 1 only, and its sample size is
            the number of clusters.

        Returns
        -------
        Interval
            Without ends if all rows on which the statistic is defined are of one cluster: one group says nothing about others.
        """
        value = float(statistic(self.total))
        if not np.isfinite(value):
            return Interval(float("nan"), float("nan"), float("nan"))
        if len(self.sums) == 1 or (rate and np.isfinite(statistic(self.sums)).sum() == 1):
            return Interval(value, float("nan"), float("nan"))
        if rate and (value in (0.0, 1.0) or (of_rows and self._nearly_all_agree(value, statistic))):
            return self._wilson(value, statistic, of_rows=of_rows)
        replicates = statistic(self._replicates)
        replicates = replicates[np.isfinite(replicates)]
        if len(replicates) < 2 or np.ptp(replicates) == 0:
            return self._wilson(value, statistic, of_rows=of_rows) if rate else Interval(value, value, value)
        return Interval(value, *_bca(value, replicates, statistic(self.total - self.sums)))

    def _nearly_all_agree(self, value: float, statistic: Statistic) -> bool:
        """Return whether fewer than `FEW` rows are not at the end, 0 or 1, that the rate is near."""
        rows = statistic(self.rows)
        rows = rows[np.isfinite(rows)]
        off = int(np.sum(rows != (value > 0.5)))
        return off < FEW and 2 * off < len(rows)

    def _wilson(self, value: float, statistic: Statistic, *, of_rows: bool) -> Interval:
        rows, clusters = (int(np.isfinite(statistic(part)).sum()) for part in (self.rows, self.sums))
        n = effective_size(rows, clusters) if of_rows else clusters
        return Interval(value, *wilson(value * n, n))


def effective_size(rows: int, clusters: int) -> float:
    """Return the sample size that replaces `rows` where they come from a few clusters.

    It is ``rows * (t(rows - 1) / t(clusters - 1)) ** 2`` with 97.5 % quantiles of Student's t (Korn and Graubard 1998, Survey Methodology
    24:193), and at least the number of clusters. Their design effect is left out, because a few hits say nothing about it.
    """
    if clusters < 2 or rows == clusters:
        return rows
    wide, usual = (stdtrit(n - 1, (1 + CONFIDENCE) / 2) for n in (clusters, rows))
    return max(float(clusters), rows * float(usual / wide) ** 2)


def _resample(sums: NDArray[np.float64], n_resamples: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Return column totals of resampled clusters, (n_resamples, columns), computed in blocks of bounded memory."""
    n_clusters, columns = sums.shape
    if sums.size == 0 or n_resamples == 0:
        return np.zeros((n_resamples, columns))
    if n_clusters >= _MANY:
        distinct, kind = _distinct_rows(sums)
        drawn = (generator.integers(n_clusters, size=n_clusters) for _ in range(n_resamples))
        return np.stack([np.bincount(kind[one], minlength=len(distinct)) @ distinct for one in drawn])
    block = max(1, _BLOCK_CELLS // n_clusters)
    shares = np.full(n_clusters, 1 / n_clusters)
    parts = [
        generator.multinomial(n_clusters, shares, size=min(block, n_resamples - done)) @ sums
        for done in range(0, n_resamples, block)
    ]
    return np.concatenate(parts)


def _distinct_rows(table: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return the distinct rows, and the index of each row among them.

    Many clusters have the same counts. Each resample is then a product with this small matrix.
    """
    kinds: dict[bytes, int] = {}
    kind = np.fromiter((kinds.setdefault(row.tobytes(), len(kinds)) for row in table), np.int32, len(table))
    return np.frombuffer(b"".join(kinds), table.dtype).reshape(len(kinds), -1), kind


def _bca(value, replicates, jackknife):
    """Return percentile ends corrected for bias and skewness."""
    below = (np.sum(replicates < value) + 0.5 * np.sum(replicates == value)) / len(replicates)
    bias = ndtri(np.clip(below, 1e-6, 1 - 1e-6))
    jackknife = jackknife[np.isfinite(jackknife)]
    centred = jackknife.mean() - jackknife if len(jackknife) else np.zeros(1)
    spread = np.sum(centred**2) ** 1.5
    acceleration = np.sum(centred**3) / (6 * spread) if spread > 0 else 0.0
    ends = ndtri([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    corrected = ndtr(bias + (bias + ends) / (1 - acceleration * (bias + ends)))
    low, high = np.quantile(replicates, np.clip(corrected, 0, 1))
    return float(min(low, value)), float(max(high, value))


def wilson(hits: float, n: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the Wilson score interval of `hits` out of `n` (Wilson 1927, JASA 22:209); NaN for ``n = 0``."""
    if n == 0:
        return float("nan"), float("nan")
    z = ndtri((1 + confidence) / 2)
    p = hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return float(max(min(centre - half, p), 0.0)), float(
        min(max(centre + half, p), 1.0)
    )  # p itself, in spite of rounding


def ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `numerator / denominator`, NaN where the denominator is 0."""
    numerator, denominator = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    return np.divide(numerator, denominator, out=np.full(np.shape(denominator), np.nan), where=denominator > 0)


def number(value: float) -> float | None:
    """Return `value`, or None if it is NaN, which JSON cannot represent."""
    return None if np.isnan(value) else float(value)


def auc(
    clusters: Sequence,
    positive: ArrayLike,
    scores: ArrayLike,
    n_resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return the area under the ROC curve with a cluster bootstrap: how often does a positive row score higher than a negative one?

    Ties count one half (Mann and Whitney 1947). All pairs count, also those of rows of two clusters. Whole clusters are resampled.

    Parameters
    ----------
    clusters : sequence of length rows
        Cluster of each row, such as its recording.
    positive : array of bool, shape (rows,)
    scores : array of float, shape (rows,)
        Rows with NaN are left out.
    n_resamples, seed : int
        As for `ClusterBootstrap`.

    Returns
    -------
    Interval
        NaN if there is no positive or no negative row. An area of exactly 0 or 1 has the Wilson interval for the smaller of the two
        numbers of clusters, those with a positive and those with a negative row.
    """
    values, is_positive = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    known = np.isfinite(values)
    _, index = np.unique(np.asarray(clusters, dtype=str)[known], return_inverse=True)
    up, down = is_positive[known], ~is_positive[known]
    values = values[known]
    n = int(index.max(initial=-1)) + 1
    ups, downs = np.bincount(index[up], minlength=n), np.bincount(index[down], minlength=n)
    wins = np.zeros((n, n))  # of the positive rows of one cluster over the negative rows of another
    for cluster in np.flatnonzero(ups):
        mine = values[up & (index == cluster), None]
        won = (mine > values[down]).sum(axis=0) + 0.5 * (mine == values[down]).sum(axis=0)
        wins[cluster] = np.bincount(index[down], weights=won, minlength=n)

    def area(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return ratio(np.sum((weights @ wins) * weights, axis=-1), (weights @ ups) * (weights @ downs))

    found = ClusterBootstrap(range(n), np.eye(n), n_resamples, seed).interval(area, rate=False)
    if found.value in (0.0, 1.0):
        fewest = int(min(np.count_nonzero(ups), np.count_nonzero(downs)))
        return Interval(found.value, *wilson(found.value * fewest, fewest))
    return found
