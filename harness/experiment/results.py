"""What a finished run has measured, as the summaries read it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.experiment.sentences import SETS, Item, sentences_file
from harness.experiment.spec import Experiment
from harness.prosody.null import Thresholds
from harness.records import TextRecord
from harness.store import read_jsonl
from harness.tagged import TAGS, TaggedText

_OF_A_SET = re.compile(rf"(s\d{{3}})\.(?:{'|'.join(tag.bare for tag in TAGS)})")


@dataclass(frozen=True)
class Results:
    """Everything a finished run has measured. Records are read engine by engine, so memory does not hold them all.

    `clusters` names what a text belongs to where its file says so (the scenario of an example): what a bootstrap resamples.
    """

    experiment: Experiment
    items: Sequence[Item]
    predictions: Mapping[tuple[str, str], TaggedText]
    thresholds: Mapping[str, Thresholds]
    records: Mapping[str, Iterable[Any]]
    clusters: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str, engine: str) -> list[Any]:
        """Records of one file and one engine."""
        return [record for record in self.records[name] if record.engine == engine]


def clusters_of(experiment: Experiment) -> dict[str, str]:
    """The group that each line of the experiment's file names; empty for a sentence set."""
    if experiment.sentences in SETS:
        return {}
    records = read_jsonl(sentences_file(experiment.sentences), TextRecord)
    return {record.id: record.group for record in records if record.group}


def sentence_of(name: str) -> str:
    """The sentence of a set's text: ``s001`` of ``s001.emph``. Texts of other files stand for themselves."""
    found = _OF_A_SET.fullmatch(name)
    return found[1] if found else name
