"""Predicted and reference tags, shown in the sentence."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from harness.publish.html import Html
from harness.tagged import TaggedText

# Marks differ not only in colour: the border differs too, and each has a title.
_MARKS = {"right": ("hit", "placed and right"), "extra": ("extra", "placed, not in the reference"),
          "missed": ("missed", "in the reference, missed")}  # fmt: skip


def worst_sentences(
    gold: Sequence[TaggedText], predicted: Sequence[TaggedText], ids: Sequence[str], count: int = 6
) -> Html:
    """Return the `count` sentences with the most wrong and missed tags as HTML; ids and words are escaped."""
    wrong = [len(set(g.tags) ^ set(p.tags)) for g, p in zip(gold, predicted, strict=True)]
    chosen = sorted(range(len(gold)), key=lambda at: (-wrong[at], ids[at]))[:count]
    items = [
        f'<li><span class="tag-id">{escape(ids[at])}</span> {marked(gold[at], predicted[at])}</li>' for at in chosen
    ]
    return Html(f'<ul class="tag-diffs">{"".join(items)}</ul>')


def marked(gold: TaggedText, predicted: TaggedText) -> str:
    """Return one sentence as HTML, with each tag marked as right, extra or missed."""
    wanted, placed = gold.by_slot(), predicted.by_slot()
    parts = []
    for slot in range(len(gold.words) + 1):
        for tag in dict.fromkeys((*wanted.get(slot, ()), *placed.get(slot, ()))):
            kind = "right" if tag in wanted.get(slot, ()) and tag in placed.get(slot, ()) else (
                "missed" if tag in wanted.get(slot, ()) else "extra")  # fmt: skip
            name, title = _MARKS[kind]
            parts.append(f'<span class="tag tag-{name}" title="{title}">{escape(tag.bare)}</span>')
        if slot < len(gold.words):
            parts.append(escape(gold.words[slot]))
    return " ".join(parts)
