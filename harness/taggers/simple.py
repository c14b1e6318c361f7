"""Taggers without any knowledge of the text: the lower bound for every score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.datasets import load_examples
from harness.tagged import TAGS, TaggedText
from harness.taggers.base import register_tagger


@register_tagger("none")
class NoTags:
    """Places no tags."""

    name = "none"

    def tag(self, texts: Sequence[TaggedText]) -> list[TaggedText]:
        """Strip each text; see `harness.taggers.base.Tagger.tag`."""
        return [text.stripped() for text in texts]


@register_tagger("random")
class RandomTagger:
    """Places each tag at random, as often as it occurs in the training examples.

    Parameters
    ----------
    examples : sequence of TaggedText, optional
        Source of the tag densities; the embedded training examples by default.
    seed : int
        Random seed of the placement.
    """

    name = "random"

    def __init__(self, examples: Sequence[TaggedText] | None = None, seed: int = 0) -> None:
        if examples is None:
            examples = [example.tagged for example in load_examples("train")]
        slots = sum(len(text.words) + 1 for text in examples)
        self.density = np.array([sum(len(text.slots(tag)) for text in examples) for tag in TAGS]) / max(slots, 1)
        np.random.default_rng(seed)  # an invalid seed fails here, not at the first text
        self.seed = seed

    def tag(self, texts: Sequence[TaggedText]) -> list[TaggedText]:
        """Tag at random; see `harness.taggers.base.Tagger.tag`."""
        generator = np.random.default_rng(self.seed)
        tagged = []
        for text in texts:
            drawn = generator.random((len(text.words) + 1, len(TAGS))) < self.density
            tagged.append(
                TaggedText(text.words, [(int(slot), TAGS[k]) for slot, k in zip(*drawn.nonzero(), strict=True)])
            )
        return tagged
