"""Contents of the examples, violations of the annotation guide, and agreement of two annotation passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets import word_ngrams
from harness.records import Example
from harness.stats import ClusterBootstrap, Interval, Statistic, ratio
from harness.tagged import CONTOURS, PAUSES, TAGS, Tag, TaggedText

# data/examples/annotation-guide.md: the table of tags, and decision 2.
AT_MOST = {Tag.EMPH: 2, Tag.PAUSE_SHORT: 2, Tag.PAUSE_LONG: 1, Tag.PITCH_HIGH: 1, Tag.PITCH_LOW: 1, Tag.PITCH_RISING: 1,
           Tag.PITCH_FALLING: 1}  # fmt: skip
TAGS_IN_AN_EXAMPLE = (1, 4)
WORDS_A_TAG = 3


def guide_rows(text: str) -> list[dict[str, str]]:
    """Return the rows of the annotation guide's table of tags, without markup."""
    rows = [[cell.strip().replace("`", "").replace("*", "") for cell in line.strip("| ").split(" | ")]
            for line in text.splitlines() if line.startswith("| ")]  # fmt: skip
    head, _, *body = rows
    return [dict(zip(head, row, strict=True)) for row in body]


def guide_violations(texts: Sequence[TaggedText]) -> dict[str, int]:
    """Count the texts that break each countable rule of the annotation guide."""
    broken = [_broken(text) for text in texts]
    return {rule: sum(rules[rule] for rules in broken) for rule in _broken(TaggedText([], []))}


def _broken(text: TaggedText) -> dict[str, bool]:
    """Return for each rule whether a text breaks it."""
    counts = Counter(tag for _, tag in text.tags)
    low, high = TAGS_IN_AN_EXAMPLE
    slots = text.by_slot().values()
    return {
        "one to four tags": not low <= len(text.tags) <= high,
        "at most one tag for every three words": len(text.tags) * WORDS_A_TAG > len(text.words),
        "at most so many of a kind": any(count > AT_MOST[tag] for tag, count in counts.items()),
        "one contour an example": sum(counts[tag] for tag in CONTOURS) > 1,
        "high and emphatic never on one word": any({Tag.EMPH, Tag.PITCH_HIGH} <= set(tags) for tags in slots),
        "two tags on a slot: a pause, then a word tag": any(
            len(tags) > 2 or (len(tags) == 2 and (tags[0] not in PAUSES or tags[1] in PAUSES)) for tags in slots
        ),
    }


def composition(examples: Sequence[Example]) -> dict[str, Any]:
    """Count examples, groups, words, tags, tags per hundred words, and each tag."""
    texts = [example.tagged for example in examples]
    words = sum(len(text.words) for text in texts)
    tags = Counter(tag for text in texts for _, tag in text.tags)
    return {
        "examples": len(texts), "groups": len({example.group for example in examples}), "words": words,
        "words an example": words / len(texts), "tags": tags.total(), "tags in 100 words": 100 * tags.total() / words,
        "per_tag": {tag.value: tags[tag] for tag in TAGS},
    }  # fmt: skip


def rates(examples: Sequence[Example]) -> dict[str, Interval]:
    """Return the rate of each tag per 100 words, with 95 % intervals over groups."""
    texts = [example.tagged for example in examples]
    counts = [[len(text.words), *(sum(t is tag for _, t in text.tags) for tag in TAGS)] for text in texts]
    bootstrap = ClusterBootstrap([example.group for example in examples], counts)
    return {tag.value: bootstrap.interval(_in_100_words(k), rate=False) for k, tag in enumerate(TAGS, start=1)}


def _in_100_words(column: int) -> Statistic:
    return lambda total: 100 * ratio(total[..., column], total[..., 0])


def positions(texts: Sequence[TaggedText]) -> dict[str, list[float]]:
    """Return the relative positions of each tag: slot / number of words, from 0 (start) to 1 (end)."""
    return {
        tag.value: [slot / len(text.words) for text in texts for slot, other in text.tags if other is tag]
        for tag in TAGS
    }


def kappas(
    first: Sequence[TaggedText], second: Sequence[TaggedText], groups: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Compute Cohen's kappa of two annotations for each tag, over all slots (Cohen 1960, Educ. Psychol. Meas. 20:37).

    Returns
    -------
    dict
        For each tag the slots tagged in ``both`` passes, only in the ``first`` or only in the ``second``, and ``kappa`` with its
        95 % interval over groups, NaN where neither pass used the tag.
    """
    table = {}
    for tag in TAGS:
        counts = np.array([_crossed(a, b, tag) for a, b in zip(first, second, strict=True)], dtype=float)
        both, only_first, only_second, _ = counts.sum(axis=0)
        found = ClusterBootstrap(groups, counts).interval(_kappa, rate=False)
        table[tag.value] = {"both": int(both), "first": int(only_first), "second": int(only_second), "kappa": found}
    return table


def _crossed(first: TaggedText, second: TaggedText, tag: Tag) -> tuple[int, int, int, int]:
    a, b = set(first.slots(tag)), set(second.slots(tag))
    return len(a & b), len(a - b), len(b - a), len(first.words) + 1 - len(a | b)


def _kappa(total: NDArray[np.float64]) -> NDArray[np.float64]:
    both, first, second, neither = (total[..., k] for k in range(4))
    n = total.sum(axis=-1)
    observed = ratio(both + neither, n)
    expected = ratio((both + first) * (both + second) + (neither + first) * (neither + second), n**2)
    return ratio(observed - expected, 1 - expected)


def shared_runs(first: Sequence[Example], second: Sequence[Example], n: int = 6) -> int:
    """Count the distinct runs of `n` words that occur in both sets."""
    runs = [{gram for example in side for gram in word_ngrams(example.tagged.words, n)} for side in (first, second)]
    return len(runs[0] & runs[1])
