"""Demonstrate leakage: overlapping windows of text, split at random or by group, and a tagger that only memorises."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from harness.benchmark.examples import cross_validate, difference, report
from harness.datasets import bare_word, overlap_groups
from harness.publish.tables import rate_of
from harness.records import Example
from harness.tagged import Tag, TaggedText
from harness.taggers import Tagger

# Words in a row that two windows must share to count as overlapping, as in `harness.datasets.overlap_groups`.
SHARED = 6
REACH = 2  # words on either side that the tagger compares


def windows(examples: Sequence[Example], size: int, stride: int) -> list[Example]:
    """Join the sentences of each group, and cut the text into windows of words with their tags.

    Parameters
    ----------
    examples : sequence of Example
        Joined group by group, in their order.
    size : int
        Number of words in a window.
    stride : int
        Number of words from the start of a window to the start of the next. If it is less than `size`, neighbours share words and
        tags; if it is equal, they share nothing. An incomplete window at the end of a text is left out.

    Returns
    -------
    list of Example
        A tag at the end of a window belongs to the next window, which has its word.
    """
    texts: dict[str, tuple[list[str], list[tuple[int, Tag]]]] = defaultdict(lambda: ([], []))
    for example in examples:
        words, tags = texts[example.group]
        tags += [(len(words) + slot, tag) for slot, tag in example.tagged.tags]
        words += example.tagged.words
    cut = []
    for group, (words, tags) in texts.items():
        for start in range(0, len(words) - size + 1, stride):
            inside = [(slot - start, tag) for slot, tag in tags if start <= slot < start + size]
            text = TaggedText(words[start : start + size], inside)
            cut.append(Example(id=f"{group}-{start:03d}", text=text.format(), group=group, split="train"))
    return cut


class MemoryTagger:
    """A tagger that copies the tags that it has seen on the same word between the same neighbours, and places no others.

    It knows nothing about prosody, so all of its F1 comes from having seen the text before.
    """

    name = "memory"

    def __init__(self, examples: Sequence[Example]) -> None:
        seen: dict[tuple[str, ...], Counter[tuple[Tag, ...]]] = defaultdict(Counter)
        for example in examples:
            text = example.tagged
            by_slot = text.by_slot()
            for slot in range(len(text.words)):
                seen[_context(text.words, slot)][by_slot.get(slot, ())] += 1
        self._seen = {context: counts.most_common(1)[0][0] for context, counts in seen.items()}

    def tag(self, texts: Sequence[TaggedText]) -> list[TaggedText]:
        """Tag each text from memory."""
        return [TaggedText(text.words, self._remembered(text.words)) for text in texts]

    def _remembered(self, words: Sequence[str]) -> list[tuple[int, Tag]]:
        return [(slot, tag) for slot in range(len(words)) for tag in self._seen.get(_context(words, slot), ())]


def _context(words: Sequence[str], slot: int) -> tuple[str, ...]:
    """Return the word after a slot with its neighbours on one side: before it, or after it near the start."""
    before = words[max(0, slot - REACH) : slot]
    after = words[slot + 1 : slot + 1 + REACH]
    kept = (*before, "|", words[slot], "|") if len(before) == REACH else ("|", words[slot], "|", *after)
    return tuple(word if word == "|" else bare_word(word) for word in kept)


def leak(
    examples: Sequence[Example],
    makers: dict[str, Callable[[Sequence[Example]], Tagger]],
    *,
    folds: int = 5,
    seed: int = 0,
    n_resamples: int = 2000,
) -> list[dict[str, Any]]:
    """Cross-validate taggers with random folds, and with folds that keep groups whole.

    Returns
    -------
    list of dict
        For each tagger: ``tagger``, ``examples``, and [value, low, high] of ``random`` and ``grouped`` micro-F1 and of
        their ``difference``, paired, with intervals over groups.
    """
    rows = []
    for name, make in makers.items():
        row: dict[str, Any] = {"tagger": name, "examples": len(examples)}
        tagged = {kind: cross_validate(make, examples, grouped=kind == "grouped", folds=folds, seed=seed)
                  for kind in ("random", "grouped")}  # fmt: skip
        for kind, texts in tagged.items():
            row[kind] = [*rate_of(report(examples, texts, n_resamples)["micro"], "f1")]
        rose = difference(examples, tagged["random"], tagged["grouped"], n_resamples)
        rows.append(row | {"difference": [rose["value"], rose["low"], rose["high"]]})
    return rows


def regroup(examples: Sequence[Example], n: int) -> list[Example]:
    """Return the examples, grouped so that those that share a run of `n` words are together."""
    groups = overlap_groups([example.tagged.words for example in examples], n)
    return [
        example.model_copy(update={"group": f"run-{group:03d}"})
        for example, group in zip(examples, groups, strict=True)
    ]


def overlap(examples: Sequence[Example]) -> dict[str, Any]:
    """Measure how much the texts of a set of examples overlap.

    Returns
    -------
    dict
        ``examples``, ``groups`` of examples that share runs of `SHARED` words, ``sharing``: the share of examples that share
        one with another, ``largest`` group.
    """
    groups = Counter(overlap_groups([example.tagged.words for example in examples], SHARED))
    sharing = sum(size for size in groups.values() if size > 1)
    return {"examples": len(examples), "groups": len(groups), "sharing": sharing / len(examples),
            "largest": max(groups.values())}  # fmt: skip
