"""A tagger that stresses numbers, and pauses before the last of them."""

from collections.abc import Sequence

from harness.tagged import Tag, TaggedText
from harness.taggers import register_tagger


@register_tagger("numbers")
class NumberTagger:
    """Puts <emph> before every word that holds a digit."""

    name = "numbers"

    def __init__(self, pause: bool = True) -> None:
        self.pause = pause

    def tag(self, texts: Sequence[TaggedText]) -> list[TaggedText]:
        """Tag each text; only its words are read."""
        return [TaggedText(text.words, self._places(text.words)) for text in texts]

    def _places(self, words: Sequence[str]) -> list[tuple[int, Tag]]:
        numbers = [slot for slot, word in enumerate(words) if any(c.isdigit() for c in word)]
        tags = [(slot, Tag.EMPH) for slot in numbers]
        if self.pause and numbers and numbers[-1] > 0:
            tags.insert(0, (numbers[-1], Tag.PAUSE_SHORT))
        return tags
