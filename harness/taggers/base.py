"""What every tagger is: text in, tagged text out, the words unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.registry import Registry
from harness.tagged import TaggedText


class Tagger(Protocol):
    """Places tags. Implementations register with ``@register_tagger("name")``."""

    name: str

    def tag(self, texts: Sequence[TaggedText]) -> list[TaggedText]:
        """Tag each text anew; tags already there are ignored.

        Parameters
        ----------
        texts : sequence of TaggedText
            Only their words are read.

        Returns
        -------
        list of TaggedText
            One for each input, in order.
        """
        ...


TAGGERS: Registry[Tagger] = Registry(
    kind="tagger",
    entry_points="harness.taggers",
    builtin={
        "none": "harness.taggers.simple:NoTags",
        "random": "harness.taggers.simple:RandomTagger",
        "rules": "harness.taggers.rules:RulesTagger",
        "majority": "harness.taggers.majority:MajorityTagger",
        "logistic": "harness.taggers.logistic:LogisticTagger",
        "lm_features": "harness.taggers.lm.features:FeatureTagger",
        "lm_slots": "harness.taggers.lm.slot_head:SlotHeadTagger",
        "gpt2": "harness.taggers.gpt2.tagger:Gpt2Tagger",
    },
)
register_tagger = TAGGERS.register
make_tagger = TAGGERS.make
tagger_names = TAGGERS.names
