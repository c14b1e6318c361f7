"""Placement scores: how well predicted tags match the reference, slot by slot, for texts in memory or in files.

A prediction is right if the reference has the same tag on the same slot of the same words. Rates follow scikit-learn's
``zero_division=0``: if nothing was predicted, precision is 0. Intervals come from one cluster bootstrap over sentences (or
their groups), which all figures of a table share.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.records import TextRecord
from harness.stats import DEFAULT_RESAMPLES, ClusterBootstrap, Interval, number, ratio
from harness.store import iterate_unique
from harness.tagged import TAGS, Tag, TaggedText

TOLERANCE = 1  # in slots, for the tolerant scores

# Columns of the count matrix: hits, false positives, misses and tolerant hits of every tag, then four of the sentence.
_KINDS = ("hit", "extra", "missed", "near")
_HIT, _EXTRA, _MISSED, _NEAR = (slice(len(TAGS) * k, len(TAGS) * (k + 1)) for k in range(len(_KINDS)))
_EXACT, _PRESERVED, _SENTENCES, _SLOTS = range(len(TAGS) * len(_KINDS), len(TAGS) * len(_KINDS) + 4)
_COLUMNS = _SLOTS + 1
_COLUMN = {tag: k for k, tag in enumerate(TAGS)}  # of a tag within its kind


@dataclass(frozen=True)
class Score:
    """Precision, recall and F1 of one tag or of all; `support` is the number of reference tags."""

    precision: float
    recall: float
    f1: Interval
    support: int
    predicted: int

    def as_json(self) -> dict:
        """Return plain figures; None where there is nothing to estimate."""
        return {
            "precision": self.precision, "recall": self.recall, "f1": number(self.f1.value), "f1_low": number(self.f1.low),
            "f1_high": number(self.f1.high), "support": self.support, "predicted": self.predicted,
        }  # fmt: skip


@dataclass(frozen=True)
class PlacementReport:
    """All placement scores of one tagger on one set."""

    micro: Score
    macro: Score
    per_tag: dict[Tag, Score]
    tolerant: Score
    exact_match: Interval
    text_preserved: float
    sentences: int
    density_gold: float
    density_predicted: float

    def as_json(self) -> dict:
        """Return what ``harness score placement --json`` prints."""
        return {
            "micro": self.micro.as_json(),
            "macro": self.macro.as_json(),
            "per_tag": {tag.value: score.as_json() for tag, score in self.per_tag.items()},
            "tolerant": self.tolerant.as_json(),
            "exact_match": number(self.exact_match.value),
            "exact_match_low": number(self.exact_match.low),
            "exact_match_high": number(self.exact_match.high),
            "text_preserved": self.text_preserved,
            "sentences": self.sentences,
            "density": {"gold": self.density_gold, "predicted": self.density_predicted},
        }


def score_placement(
    gold: Sequence[TaggedText],
    predicted: Sequence[TaggedText],
    clusters: Sequence[str] | None = None,
    *,
    n_resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> PlacementReport:
    """Score predicted against reference tags.

    Parameters
    ----------
    gold, predicted : sequences of TaggedText, of equal length
        Reference and prediction of each sentence, in the same order. If a tagger changed the words, the sentence counts
        as not preserved, and its tags are transferred to the reference by aligning the words.
    clusters : sequence of str, optional
        Cluster of each sentence for the bootstrap; by default each sentence is its own cluster.
    n_resamples, seed : int
        Number of bootstrap resamples, and their random seed.

    Returns
    -------
    PlacementReport
        `macro` averages over tags that occur in the reference. `tolerant` is the micro score when a tag may be off by
        one slot, matched one to one.

    Examples
    --------
    >>> gold = [TaggedText.parse("We <emph> guarantee 30% savings")]
    >>> guess = [TaggedText.parse("We guarantee <emph> 30% savings")]
    >>> report = score_placement(gold, guess)
    >>> report.micro.f1.value, report.tolerant.f1.value
    (0.0, 1.0)
    """
    return report(count(gold, predicted), clusters, n_resamples=n_resamples, seed=seed)


def report(
    counts: NDArray[np.int64],
    clusters: Sequence[str] | None = None,
    *,
    n_resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> PlacementReport:
    """Return the scores of sentences that `count` has counted; see `score_placement`."""
    bootstrap = ClusterBootstrap(clusters if clusters is not None else range(len(counts)), counts, n_resamples, seed)
    total = bootstrap.total
    in_gold = [k for k in range(len(TAGS)) if total[_HIT][k] + total[_MISSED][k] > 0]
    per_tag = {tag: _score(bootstrap, slice(k, k + 1), _HIT) for k, tag in enumerate(TAGS)}
    scored = [per_tag[TAGS[k]] for k in in_gold]
    macro = Score(
        _mean([score.precision for score in scored]),
        _mean([score.recall for score in scored]),
        bootstrap.interval(lambda counts: _macro_f1(counts, in_gold), of_rows=False),
        sum(score.support for score in scored),
        sum(score.predicted for score in scored),
    )
    return PlacementReport(
        micro=_score(bootstrap, slice(0, len(TAGS)), _HIT),
        macro=macro,
        per_tag=per_tag,
        tolerant=_score(bootstrap, slice(0, len(TAGS)), _NEAR),
        exact_match=bootstrap.interval(lambda counts: ratio(counts[..., _EXACT], counts[..., _SENTENCES])),
        text_preserved=_ratio(total[_PRESERVED], total[_SENTENCES]),
        sentences=len(counts),
        density_gold=_ratio(total[_HIT].sum() + total[_MISSED].sum(), total[_SLOTS]),
        density_predicted=_ratio(total[_HIT].sum() + total[_EXTRA].sum(), total[_SLOTS]),
    )


def f1_difference(
    gold: Sequence[TaggedText],
    first: Sequence[TaggedText],
    second: Sequence[TaggedText],
    clusters: Sequence[str] | None = None,
    *,
    n_resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return the paired interval of the micro-F1 of `first` minus that of `second` on the same sentences."""
    both = np.hstack([count(gold, first), count(gold, second)])
    bootstrap = ClusterBootstrap(clusters if clusters is not None else range(len(gold)), both, n_resamples, seed)
    every = slice(0, len(TAGS))
    return bootstrap.interval(
        lambda counts: _f1(counts[..., :_COLUMNS], every, _HIT) - _f1(counts[..., _COLUMNS:], every, _HIT), rate=False
    )


def count(gold: Sequence[TaggedText], predicted: Sequence[TaggedText]) -> NDArray[np.int64]:
    """Return additive counts of each sentence, shape (sentences, columns); this module's constants name the columns."""
    if len(gold) != len(predicted):
        raise DataError(f"expected one prediction for each of {len(gold)} reference texts, got {len(predicted)}")
    rows = [_count(reference, guess) for reference, guess in zip(gold, predicted, strict=True)]
    return np.array(rows, dtype=np.int64).reshape(-1, _COLUMNS)


def _count(reference: TaggedText, guess: TaggedText) -> NDArray[np.int64]:
    row = np.zeros(_COLUMNS, dtype=np.int64)
    preserved = reference.words == guess.words
    wanted = set(reference.tags)
    placed = set(guess.tags if preserved else carry_over(guess, reference.words))
    for kind, tags in ((_HIT, wanted & placed), (_EXTRA, placed - wanted), (_MISSED, wanted - placed)):
        for _, tag in tags:
            row[kind.start + _COLUMN[tag]] += 1
    for tag in {tag for _, tag in wanted} & {tag for _, tag in placed}:
        near = _near_matches(sorted(s for s, t in wanted if t is tag), sorted(s for s, t in placed if t is tag))
        row[_NEAR.start + _COLUMN[tag]] = near
    row[_EXACT] = preserved and wanted == placed
    row[_PRESERVED] = preserved
    row[_SENTENCES] = 1
    row[_SLOTS] = len(reference.words) + 1
    return row


def carry_over(guess: TaggedText, words: Sequence[str]) -> list[tuple[int, Tag]]:
    """Transfer the tags of `guess` to the slots of other `words`, by aligning the two.

    A tag keeps its place before the next word, or after the previous word if only that one has a counterpart. If neither has,
    the slot is -1, which can only be a false positive.
    """
    matcher = SequenceMatcher(None, [w.lower() for w in guess.words], [w.lower() for w in words], autojunk=False)
    partner = {a + k: b + k for a, b, size in matcher.get_matching_blocks() for k in range(size)}
    partner[len(guess.words)] = len(words)
    moved = []
    for slot, tag in guess.tags:
        target = partner.get(slot, partner[slot - 1] + 1 if slot - 1 in partner else -1)
        moved.append((target, tag))
    return moved


def accepting_both(reference: TaggedText, second: TaggedText, guess: TaggedText) -> TaggedText:
    """Return the reference for `guess` if the tags of two annotators count as right, and only those of both are required.

    It has the tags that both annotators placed, and of the others those that `guess` has too. A score against it charges the
    guess neither for a tag that only one of them placed nor for its absence.

    >>> first, second = TaggedText.parse("<emph> We <emph> pay you"), TaggedText.parse("We <emph> pay <emph> you")
    >>> accepting_both(first, second, TaggedText.parse("We pay <emph> you")).format()
    'We <emph> pay <emph> you'
    """
    placed = set(guess.tags if guess.words == reference.words else carry_over(guess, reference.words))
    first, other = set(reference.tags), set(second.tags)
    return TaggedText(reference.words, (first & other) | (placed & (first | other)))


def _near_matches(wanted: Sequence[int], placed: Sequence[int]) -> int:
    """Return the size of the largest one-to-one matching of sorted slots at most `TOLERANCE` apart (greedy is optimal)."""
    matched = w = p = 0
    while w < len(wanted) and p < len(placed):
        if abs(wanted[w] - placed[p]) <= TOLERANCE:
            matched, w, p = matched + 1, w + 1, p + 1
        elif wanted[w] < placed[p]:
            w += 1
        else:
            p += 1
    return matched


def _score(bootstrap: ClusterBootstrap, tags: slice, hits: slice) -> Score:
    total = bootstrap.total
    hit = total[hits][tags].sum()
    support = total[_HIT][tags].sum() + total[_MISSED][tags].sum()
    predicted = total[_HIT][tags].sum() + total[_EXTRA][tags].sum()
    f1 = bootstrap.interval(lambda counts: _f1(counts, tags, hits), of_rows=False)
    return Score(_ratio(hit, predicted), _ratio(hit, support), f1, int(support), int(predicted))


def _f1(counts, tags: slice, hits: slice):
    """Return 2 hits / (predicted + reference), NaN where both are 0."""
    both = 2 * counts[..., _HIT][..., tags] + counts[..., _EXTRA][..., tags] + counts[..., _MISSED][..., tags]
    return ratio(2 * counts[..., hits][..., tags].sum(axis=-1), both.sum(axis=-1))


def _macro_f1(counts, in_gold: list[int]):
    """Return the mean F1 over the tags of the reference; in a resample, over those that occur in it."""
    if not in_gold:
        return np.full(counts.shape[:-1], np.nan)
    scores = np.stack([_f1(counts, slice(k, k + 1), _HIT) for k in in_gold], axis=-1)
    defined = np.isfinite(scores)
    return ratio(np.where(defined, scores, 0).sum(axis=-1), defined.sum(axis=-1))


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator else 0.0


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0


# --- files -----------------------------------------------------------------------------------------------------------


def score_files(
    gold: str | Path,
    predicted: str | Path,
    *,
    optional: str | Path | None = None,
    n_resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> PlacementReport:
    """Score a file of predictions against a file of reference texts; see `score_placement`.

    Parameters
    ----------
    gold, predicted : path-like
        JSON Lines with "id" and "text". The predictions may be in any order. Only lines without a partner so far are kept as
        texts, so files in the same order need the least memory.
    optional : path-like, optional
        A second reference for the same sentences. A tag of either reference then counts as right, and only the tags of both
        are required (`accepting_both`).
    n_resamples, seed : int
        Number of bootstrap resamples, and their random seed. The clusters are the sentences, or the values of "group" if every
        reference line has one.

    Raises
    ------
    DataError
        If there are no sentences, a line cannot be read, an id occurs twice, or the ids differ. Names file and line.
    """
    places: list[int] = []
    groups: list[str] = []
    counts: list[NDArray[np.int64]] = []  # arrays, because the garbage collector does not traverse them
    second = {record.id: record for record in iterate_unique(optional, TextRecord)} if optional else {}
    for place, reference, guess in _pairs(Path(gold), Path(predicted)):
        places.append(place)
        groups.append(reference.group or "")
        wanted = reference.tagged
        if optional:
            wanted = _either(reference, second.pop(reference.id, None), guess, Path(optional))
        counts.append(_count(wanted, guess.tagged))
    if optional and second:
        raise _unequal_ids({}, second, Path(optional), "label each reference sentence once, under its id")
    order = np.argsort(places)  # resampling depends on the order, so it is that of the reference
    clusters = [groups[at] for at in order] if all(groups) else None
    return report(np.array(counts)[order], clusters, n_resamples=n_resamples, seed=seed)


def _pairs(gold: Path, predicted: Path) -> Iterator[tuple[int, TextRecord, TextRecord]]:
    """Yield reference and prediction of each sentence, with its place in the reference, once both have been read."""
    wanted: dict[str, tuple[int, TextRecord]] = {}
    placed: dict[str, TextRecord] = {}
    sentences = 0
    for reference, guess in zip_longest(iterate_unique(gold, TextRecord), iterate_unique(predicted, TextRecord)):
        if reference:
            wanted[reference.id] = sentences, reference
            sentences += 1
        if guess:
            placed[guess.id] = guess
        for record in (reference, guess):
            if record and record.id in wanted and record.id in placed:
                yield *wanted.pop(record.id), placed.pop(record.id)
    if not sentences:
        raise DataError("there are no sentences to score", path=gold)
    if wanted or placed:
        raise _unequal_ids(wanted, placed, predicted, "predict each reference sentence once, under its id")


def _either(reference: TextRecord, second: TextRecord | None, guess: TextRecord, path: Path) -> TaggedText:
    """Return the reference for a prediction if `second` is a second reference, read from `path`."""
    remedy = "label each reference sentence once, under its id"
    if second is None:
        raise _unequal_ids([reference.id], (), path, remedy)
    if second.tagged.words != reference.tagged.words:
        raise DataError(f"the words of {reference.id} are not those of the reference: {second.tagged.plain!r}", path=path,
                        remedy="label the words of the reference, unchanged")  # fmt: skip
    return accepting_both(reference.tagged, second.tagged, guess.tagged)


def _unequal_ids(missing: Collection[str], unknown: Collection[str], path: Path, remedy: str) -> DataError:
    parts = [f"{len(ids)} {what} ({', '.join(list(ids)[:3])}{', ...' if len(ids) > 3 else ''})"
             for ids, what in ((missing, "missing"), (unknown, "not in the reference")) if ids]  # fmt: skip
    return DataError(f"the ids differ from the reference: {'; '.join(parts)}", path=path, remedy=remedy)
