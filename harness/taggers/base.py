"""The interface of all taggers: text in, tagged text out, words unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.errors import HarnessError
from harness.registry import Registry, explained
from harness.tagged import TaggedText


class Tagger(Protocol):
    """Places tags. Implementations register with ``@register_tagger("name")``."""

    name: str

    def tag(self, texts: Sequence[TaggedText]) -> list[TaggedText]:
        """Tag each text; tags that it already has are ignored.

        Parameters
        ----------
        texts : sequence of TaggedText
            Only the words are used.

        Returns
        -------
        list of TaggedText
            One for each input, in the same order.
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
        "hand_features": "harness.taggers.hand.tagger:HandFeaturesTagger",
        "lm_features": "harness.taggers.lm.frozen:FeatureTagger",
        "lm_slots": "harness.taggers.lm.slot_head:SlotHeadTagger",
        "gpt2": "harness.taggers.gpt2.tagger:Gpt2Tagger",
    },
)
register_tagger = TAGGERS.register
make_tagger = TAGGERS.make
tagger_names = TAGGERS.names


def tag_all(tagger: Tagger, texts: Sequence[TaggedText], name: str) -> list[TaggedText]:
    """Call a tagger and check that it returns one `TaggedText` for each text.

    Raises
    ------
    HarnessError
        If the tagger fails, or returns another type or another number of texts.
    """
    what = f"the tagger {name!r}"
    with explained(what):
        tagged = list(tagger.tag(texts))
    odd = [type(one).__name__ for one in tagged if not isinstance(one, TaggedText)]
    if odd:
        raise HarnessError(
            f"{what} gave a {odd[0]}", remedy="give a TaggedText for each text; TaggedText.parse reads one"
        )
    if len(tagged) != len(texts):
        raise HarnessError(
            f"{what} gave {len(tagged)} texts for {len(texts)}", remedy="give one for each, in their order"
        )
    return tagged
