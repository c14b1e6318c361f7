"""The texts of an experiment: lines of a file, or a sentence set combined with the seven tags.

A *sentence set* holds plain sentences, each with three target words, one in each third of the sentence. `spread` gives each sentence
every tag once. The target (or end of phrase) rotates, so that tags are balanced over position, length and word class. All tags of a
sentence share its plain clips. The contrastive score also puts the tag on each of the other targets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from harness.datasets import examples_file
from harness.errors import DataError
from harness.paths import DATA, ROOT, is_file
from harness.prosody.contrast import MIN_CANDIDATES
from harness.records import Record, TextRecord
from harness.store import read_jsonl
from harness.tagged import CONTOURS, TAGS, Tag, TaggedText

SETS_FILE = DATA / "sentences" / "standard.jsonl"
SETS: dict[str, int | None] = {"quick": 30, "standard": None}  # number of sentences of the file; None for all
EXAMPLES = ("train", "heldout")
_OF_A_SET = re.compile(rf"(s\d{{3}})\.(?:{'|'.join(tag.bare for tag in TAGS)})")


class SetSentence(Record):
    """One sentence of a set: plain text, the slots of three target words, and their classes."""

    SCHEMA: ClassVar[str] = "harness.sentence/1"

    schema_: Literal["harness.sentence/1"] = Field("harness.sentence/1", alias="schema")
    id: str = Field(pattern=r"^s\d{3}$")
    text: str
    targets: list[int]
    classes: list[Literal["noun", "verb", "modifier", "function"]]

    @property
    def key(self) -> tuple[str, ...]:
        return (self.id,)


@dataclass(frozen=True)
class Item:
    """One text to tag and speak.

    `group` names the sentence: texts of one group have the same words and share plain clips. `slots` are the places of the
    contrastive score, including that of the item's own tag; empty if the item has no contrastive score. `cluster` is the unit of the
    bootstrap: the group named in the text's line (the scenario of an example), or else the sentence.
    """

    id: str
    group: str
    text: TaggedText
    slots: tuple[int, ...] = ()
    cluster: str = ""

    @property
    def place(self) -> int:
        """Index in `slots` of the item's own tag; 0 if there are no slots."""
        return self.slots.index(self.text.tags[0][0]) if self.slots else 0


def grouped(items: Iterable[Item]) -> dict[str, list[Item]]:
    """Return the items of each sentence, in order."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.group, []).append(item)
    return groups


def sentences_file(name: str) -> Path:
    """Return the JSON Lines file of a sentence set, of embedded examples, or at a path relative to the project's root."""
    if name in SETS:
        return SETS_FILE
    if name in EXAMPLES:
        return examples_file(name)  # type: ignore[arg-type]
    path = ROOT / name
    if not is_file(path):
        raise DataError("the experiment's sentences cannot be read: no such file", path=path,
                        remedy="`sentences` must be quick, standard, train, heldout, or a JSON Lines file")  # fmt: skip
    return path


def load_items(name: str, *, limit: int | None = None, tags: Sequence[Tag] = TAGS, contrast: int = 0) -> list[Item]:
    """Return the texts of an experiment.

    Parameters
    ----------
    name : str
        Name of a set, of embedded examples, or of a file; see `sentences_file`.
    limit : int, optional
        Maximum number of sentences (of a set) or lines (of a file).
    tags : sequence of Tag
        Tags for each sentence of a set.
    contrast : int
        Number of sentences of a set, for each tag, that get a contrastive score.
    """
    if name in SETS:
        sentences = read_jsonl(SETS_FILE, SetSentence)[: SETS[name]][:limit]
        return spread(sentences, tags=tags, contrast=contrast)
    records = read_jsonl(sentences_file(name), TextRecord)[:limit]
    if not records:
        raise DataError("there are no sentences to speak", path=sentences_file(name))
    first: dict[tuple[str, ...], str] = {}
    items: dict[str, Item] = {}
    for record in records:
        text = record.tagged
        group = first.setdefault(text.words, record.id)
        item = Item(record.id, group, text, cluster=record.group or group)
        if item.id in items:
            raise DataError(
                f"two lines have the id {item.id!r}", path=sentences_file(name), remedy="give each line its own id"
            )
        items[item.id] = item
    return list(items.values())


def spread(sentences: Iterable[SetSentence], *, tags: Sequence[Tag] = TAGS, contrast: int = 0) -> list[Item]:
    """Give every sentence every tag once.

    Word tags and pauses rotate over the three targets, contours over the ends of the sentence's phrases. The contrastive score needs
    three places, so contours have one only in sentences of three phrases.
    """
    items = []
    taken = dict.fromkeys(tags, 0)
    for number, sentence in enumerate(sentences):
        text = TaggedText.from_plain(sentence.text)
        ends = sorted({text.phrase_end(slot) for slot in range(len(text.words))})
        for tag in tags:
            places = ends if tag in CONTOURS else sentence.targets
            slot = places[(number // 3 + TAGS.index(tag)) % len(places)]
            chosen = len(places) >= MIN_CANDIDATES and taken[tag] < contrast
            taken[tag] += chosen
            items.append(
                Item(f"{sentence.id}.{tag.bare}", sentence.id, TaggedText(text.words, [(slot, tag)]),
                     tuple(places[:MIN_CANDIDATES]) if chosen and slot in places[:MIN_CANDIDATES] else (), sentence.id)
            )  # fmt: skip
    return items


def sentence_of(name: str) -> str:
    """Return the sentence of a text in a set: ``s001`` for ``s001.emph``. A text from another file is its own sentence."""
    found = _OF_A_SET.fullmatch(name)
    return found[1] if found else name
