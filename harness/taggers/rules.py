"""Rules that can be written in an afternoon, without any data.

The rules were frozen before a single sentence was labelled (see ``data/examples/annotation-guide.md``), so they
are a fair baseline. They are deliberately simple: punctuation, question words, and three short word lists.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.tagged import Tag, TaggedText
from harness.taggers.base import register_tagger

_STRESSED = frozenset(
    "guarantee guaranteed promise never always only every nobody everyone nothing everything free zero twice half "
    "double most best first exactly all any no not must without instantly today now".split()
)
_EXCITED = frozenset("imagine great good amazing wow finally congratulations look".split())
_QUIET = ("between us", "to be fair", "honestly", "frankly", "i know", "i admit", "admittedly", "sure", "granted")
_WH = frozenset("what who whom whose why how when where which".split())
_NUMBER = re.compile(r"[$€£]?\d")
_STRIP = "\"'“”‘’()[],;:.!?…—-"
MAX_TAGS = 4
MAX_EMPH = 2


@register_tagger("rules")
class RulesTagger:
    """Punctuation and word lists, at most four tags per text."""

    name = "rules"

    def tag(self, texts: Sequence[TaggedText]) -> list[TaggedText]:
        """Tag each text; see `harness.taggers.base.Tagger.tag`."""
        return [_tag(text.words) for text in texts]


def _tag(words: tuple[str, ...]) -> TaggedText:
    bare = [word.strip(_STRIP).lower() for word in words]
    tags: list[tuple[int, Tag]] = []
    for start, end in _sentences(words):
        if start > 0:
            tags.append((start, Tag.PAUSE_LONG))
        if words[end - 1].endswith("?"):
            tags.append((end - 1, Tag.PITCH_FALLING if bare[start] in _WH else Tag.PITCH_RISING))
        lowered = " ".join(bare[start:end])
        if lowered.startswith(_QUIET):
            tags.append((start, Tag.PITCH_LOW))
        elif bare[start] in _EXCITED or words[end - 1].endswith("!"):
            tags.append((start, Tag.PITCH_HIGH))
        opening = [at for at in range(start + 1, end - 2) if words[at - 1].endswith((",", ";", ":", "—"))]
        tags.extend((at, Tag.PAUSE_SHORT) for at in opening[:1])
    taken = {slot for slot, tag in tags if tag not in (Tag.PAUSE_LONG, Tag.PAUSE_SHORT)}
    stressed = [at for at, word in enumerate(bare) if (word in _STRESSED or _NUMBER.match(word)) and at not in taken]
    tags.extend((at, Tag.EMPH) for at in stressed[:MAX_EMPH])
    return TaggedText(words, tags[:MAX_TAGS])


def _sentences(words: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return the spans ``[start, end)`` of sentences, which end after ``. ! ? …``."""
    ends = [at + 1 for at, word in enumerate(words) if word.rstrip("\"'”’)").endswith((".", "!", "?", "…"))]
    if words and (not ends or ends[-1] != len(words)):
        ends.append(len(words))
    return list(zip([0, *ends[:-1]], ends, strict=True)) if ends else []
