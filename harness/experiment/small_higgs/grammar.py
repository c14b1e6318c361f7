"""Sentences from a small grammar, each on one side of a fixed split, with tags where the teacher can obey them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Literal

from harness.datasets import is_closed_class
from harness.errors import DataError
from harness.paths import ROOT
from harness.reading import read_yaml
from harness.records import digest
from harness.tagged import CONTOURS, PAUSES, TAGS, Tag, TaggedText

GRAMMAR = ROOT / "data" / "sentences" / "sales_grammar.yaml"
Side = Literal["train", "dev", "test"]
PLAIN_SHARE = 0.4  # of the clips; the others have a tag
SECOND_SHARE = 0.15  # of the tagged clips, which have a second tag
_PART = re.compile(r"(.*?)(?: \?([0-9.]+))?$")
_CHOICE = re.compile(r"{(\w+)}")


@dataclass(frozen=True)
class Sentence:
    """A sentence of the grammar.

    Parameters
    ----------
    words : tuple of str
        Words with punctuation attached, the first one in upper case.
    core : str
        The combination that decides on its side of the split.
    """

    words: tuple[str, ...]
    core: str


class Grammar:
    """A grammar as in ``data/sentences/sales_grammar.yaml``.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    DataError
        If the file has no such fields, or names a choice that does not exist.
    """

    def __init__(self, path: str | Path = GRAMMAR) -> None:
        fields, _ = read_yaml(path)
        try:
            self.choices: dict[str, list[str]] = {
                name: [str(one) for one in many] for name, many in fields["choices"].items()
            }
            self.parts = [_PART.fullmatch(part).groups() for part in fields["sentence"]]  # type: ignore[union-attr]
            self.longest, self.seed = int(fields["longest"]), int(fields["seed"])
            cores = sorted(self._all("{core}"))
            random.Random(self.seed).shuffle(cores)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise DataError(f"not a grammar: {error!r}", path=path,
                            remedy=f"take {GRAMMAR.name} as an example") from error  # fmt: skip
        test, dev = int(fields["test"]), int(fields["dev"])
        self.cores: dict[Side, list[str]] = {
            "test": cores[:test], "dev": cores[test : test + dev], "train": cores[test + dev :],
        }  # fmt: skip
        self.digest = digest(Path(path).read_text(encoding="utf-8"))[:12]

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """All words in lower case, without punctuation."""
        texts = [one for name, many in self.choices.items() for one in many] + [part for part, _ in self.parts]
        return tuple(sorted({word.strip(",.") for text in texts for word in _CHOICE.sub("", text).split()} - {""}))

    def draw(self, rng: random.Random, core: str | None = None) -> Sentence:
        """Draw a sentence with a core, by default one of the training side."""
        core = core or rng.choice(self.cores["train"])
        while True:
            words: list[str] = []
            for part, share in self.parts:
                if share is None or rng.random() < float(share):
                    filled = (
                        core
                        if part == "{core}"
                        else _CHOICE.sub(lambda found: rng.choice(self.choices[found[1]]), part)
                    )
                    words += filled.split()
            if len(words) <= self.longest:
                words[0] = words[0].capitalize()
                words[-1] += "."
                return Sentence(tuple(words), core)

    def held_out(self, side: Side) -> list[Sentence]:
        """Return the fixed sentences of a side, one for each of its cores."""
        rng = random.Random(f"{self.seed} {side}")
        return [self.draw(rng, core) for core in self.cores[side]]

    def _all(self, pattern: str) -> Iterator[str]:
        """Yield every filling of a pattern."""
        names = _CHOICE.findall(pattern)
        if not names:
            yield pattern
            return
        pieces = _CHOICE.split(pattern)[::2]
        fillings = [[text for one in self.choices[name] for text in self._all(one)] for name in names]
        for chosen in product(*fillings):
            yield "".join(piece + word for piece, word in zip(pieces, [*chosen, ""], strict=True))


def places(words: Sequence[str], tag: Tag) -> list[int]:
    """Return the slots of a sentence at which a tag is taught: inner gaps, words that can carry it, last words of phrases."""
    if tag in PAUSES:
        return [*range(1, len(words))]
    if tag in CONTOURS:
        return [slot for slot, word in enumerate(words) if word[-1] in ",."]
    return [slot for slot, word in enumerate(words) if not is_closed_class(word) or slot == 0]


def tagged(sentence: Sentence, rng: random.Random) -> TaggedText:
    """Return a sentence with no tag, one, or two of different kinds at least two words apart."""
    if rng.random() < PLAIN_SHARE:
        return TaggedText(sentence.words)
    tag = rng.choice(TAGS)
    slot = rng.choice(places(sentence.words, tag))
    tags = [(slot, tag)]
    if rng.random() < SECOND_SHARE:
        other = rng.choice([one for one in TAGS if one is not tag])
        room = [place for place in places(sentence.words, other) if abs(place - slot) > 1]
        if room:
            tags.append((rng.choice(room), other))
    return TaggedText(sentence.words, tags)


def tagged_versions(sentences: Sequence[Sentence], each: int, seed: int) -> list[TaggedText]:
    """Return sentences with one tag, `each` of the seven for a sentence, so that all tags occur equally often."""
    rng = random.Random(seed)
    return [
        TaggedText(sentence.words, [(rng.choice(places(sentence.words, tag)), tag)])
        for index, sentence in enumerate(sentences)
        for tag in [TAGS[(index * each + step) % len(TAGS)] for step in range(each)]
    ]
