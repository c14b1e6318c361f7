"""The limits that the annotation guide sets: how many tags an example, a clause and a slot may hold.

The limits are data, in ``data/examples/annotation-limits.yaml``. The project's own taggers keep them if their training examples
do; plug-ins and the corpus benchmark are not concerned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.paths import DATA
from harness.tagged import Tag, TaggedText

GUIDE_LIMITS = DATA / "examples" / "annotation-limits.yaml"
_CLOSING = "\"'”’)]"
_SENTENCE_END = (".", "!", "?", "…")


@dataclass(frozen=True)
class Limits:
    """Limits on the tags of an example.

    Parameters
    ----------
    tags : int
        Most tags in an example.
    words_per_tag : int
        An example of `n` words gets at most ``n // words_per_tag`` tags, but may always have one.
    example_words : int
        A longer text is cut at ends of sentences into parts of at most so many words, and each part is an example.
    example, clause : mapping of Tag to (group, most)
        Group of a tag, and how many tags of that group an example or a clause may have; a tag without an entry has no limit.
    """

    tags: int
    words_per_tag: int
    example_words: int
    example: dict[Tag, tuple[int, int]]
    clause: dict[Tag, tuple[int, int]]

    def budget(self, words: Sequence[str]) -> Budget:
        """Return what a text of these words may hold."""
        return Budget(self, words)

    def kept_by(self, texts: Iterable[TaggedText]) -> bool:
        """Return whether the tags of all these texts stay within the limits."""
        budgets = ((self.budget(text.words), text) for text in texts)
        return all(budget.take(slot, tag) for budget, text in budgets for slot, tag in text.tags)


class Budget:
    """What the limits leave for a text while its tags are placed one by one, the best first."""

    def __init__(self, limits: Limits, words: Sequence[str]) -> None:
        self._limits = limits
        self._part = parts(words, limits.example_words)
        self._phrase_end = TaggedText(words).phrase_end
        self._size = Counter(self._part[:-1])
        self._count: Counter[tuple] = Counter()

    def take(self, slot: int, tag: Tag) -> bool:
        """Return whether `tag` may be placed on `slot`; if so, count it as placed."""
        part, limits = self._part[slot], self._limits
        most: dict[tuple, int] = {(part,): max(1, min(limits.tags, self._size[part] // limits.words_per_tag))}
        if tag in limits.example:
            group, at_most = limits.example[tag]
            most["example", group, part] = at_most
        if tag in limits.clause:
            group, at_most = limits.clause[tag]
            most["clause", group, self._phrase_end(slot)] = at_most
        allowed = all(self._count[key] < at_most for key, at_most in most.items())
        if allowed:
            self._count.update(most.keys())
        return allowed


def parts(words: Sequence[str], most: int) -> list[int]:
    """Return the number of the part that each slot belongs to; the last slot is in the last part.

    A part is as many whole sentences as fit in `most` words, or one longer sentence.

    >>> parts("We pay . You smile . Nobody pays .".split(), 6)
    [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    """
    ends = [at + 1 for at, word in enumerate(words) if word.rstrip(_CLOSING).endswith(_SENTENCE_END)]
    part, number, begin, last = [], 0, 0, 0
    for end in [*ends, len(words)]:
        if end - begin > most and last > begin:
            number, begin = number + 1, last
        part += [number] * (end - last)
        last = end
    return [*part, number]


@cache
def guide_limits() -> Limits:
    """Return the limits of the annotation guide."""
    return read_limits(GUIDE_LIMITS)


def limits_for(texts: Iterable[TaggedText], wanted: bool | None = None) -> Limits | None:
    """Return the guide's limits if a tagger that learned from these texts should keep them.

    Parameters
    ----------
    texts : iterable of TaggedText
        What the tagger learned from.
    wanted : bool, optional
        Whether to keep the limits. By default they are kept if the texts keep them, so that a tagger for data of another kind
        is not held to this project's guide.
    """
    limits = guide_limits()
    return limits if wanted or (wanted is None and limits.kept_by(texts)) else None


def read_limits(path: Path) -> Limits:
    """Read limits from a file like ``data/examples/annotation-limits.yaml``."""
    import yaml

    read = yaml.safe_load(path.read_text(encoding="utf-8"))
    example: dict[Tag, tuple[int, int]] = {}
    clause: dict[Tag, tuple[int, int]] = {}
    for group, row in enumerate(read["most"]):
        for tag in map(Tag, row["tags"]):
            example[tag] = group, row["example"]
            if "clause" in row:
                clause[tag] = group, row["clause"]
    return Limits(read["tags"], read["words_per_tag"], read["example_words"], example, clause)
