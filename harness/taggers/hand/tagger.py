"""The tagger `hand_features`: fitted in seconds, kept as one JSON file, and used without training or scikit-learn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from harness.errors import DataError
from harness.paths import DATA, MODELS
from harness.records import Example, digest
from harness.registry import Requirements
from harness.store import read_json, write_atomic
from harness.tagged import TAGS, Tag, TaggedText
from harness.taggers.base import register_tagger
from harness.taggers.hand.model import HandModel, TagModel
from harness.taggers.limits import guide_limits, limits_for
from harness.taggers.slots import TAG_QUESTIONS, choose, from_tags, margins

SCHEMA = "harness.hand_features/1"
SHIPPED = DATA / "models" / "hand_features" / "model.json"
DEFAULT_FILE = MODELS / "hand_features.json"  # where `harness train hand_features` writes
# A tag is placed if its probability is higher. Cross-validation on the training examples gives .70 at .2 and .25; the development
# set prefers .25 to .2.
PROBABILITY = 0.25
THRESHOLD = float(np.log(PROBABILITY / (1 - PROBABILITY)))  # the same, in nats


@register_tagger("hand_features")
class HandFeaturesTagger:
    """Logistic regression and boosted trees on features written by hand, under the annotation guide's limits.

    Parameters
    ----------
    adapter : path, optional
        File written by `harness train hand_features`; by default the model that comes with the project.
    examples : sequence of Example, optional
        Examples to fit a new model on.
    seed : int
        Random seed of the trees.
    limits : bool, optional
        Whether to keep the annotation guide's limits; by default, if the training examples kept them.
    """

    name = "hand_features"
    requirements: ClassVar[Requirements] = Requirements(packages=("hibari",))

    def __init__(
        self,
        adapter: str | Path | None = None,
        examples: Sequence[Example] | None = None,
        seed: int = 0,
        limits: bool | None = None,
    ) -> None:
        if adapter is None and examples is not None:
            self.model = HandModel(TAG_QUESTIONS, seed)
            self.model.fit([from_tags(example.tagged) for example in examples])
            keep = limits_for((example.tagged for example in examples), limits) is not None
        else:
            self.model, keep = _read(Path(adapter) if adapter else SHIPPED)
            keep = keep if limits is None else limits
        self.limits = guide_limits() if keep else None
        self.thresholds = dict.fromkeys(TAGS, THRESHOLD)

    def tag(self, texts: Sequence[TaggedText]) -> list[TaggedText]:
        """Tag each text; see `harness.taggers.base.Tagger.tag`."""
        words = [text.words for text in texts]
        return choose(words, margins(self.model.slot_scores(words)), self.thresholds, self.limits)


def train(examples: Sequence[Example], path: Path, seed: int = 0) -> HandFeaturesTagger:
    """Fit a tagger on examples and write it to a file that `HandFeaturesTagger` reads.

    Raises
    ------
    DataError
        If no tag occurs often enough to learn from, or the file cannot be written.
    """
    tagger = HandFeaturesTagger(examples=examples, seed=seed)
    if not tagger.model.tags:
        raise DataError(f"expected a tag that occurs at least twice, but none of the {len(examples)} examples has one")
    kept = {
        "schema": SCHEMA, "examples": len(examples), "data": digest(*(example.line() for example in examples)), "seed": seed,
        "limits": tagger.limits is not None, "tags": {tag.value: model.as_json() for tag, model in tagger.model.tags.items()},
    }  # fmt: skip
    write_atomic(path, json.dumps(kept, separators=(",", ":")) + "\n")
    return tagger


def _read(path: Path) -> tuple[HandModel, bool]:
    """Return the model in a file, and whether its training examples kept the guide's limits."""
    again = "train it again: harness train hand_features --out FILE"
    if not path.is_file():
        raise DataError("there is no model file", path=path, remedy=again)
    kept = read_json(path)
    try:
        if kept["schema"] != SCHEMA:
            raise ValueError(f"expected the schema {SCHEMA}, got {kept['schema']}")
        tags = {Tag(name): TagModel.from_json(model) for name, model in kept["tags"].items()}
        return HandModel(TAG_QUESTIONS, kept["seed"], tags), bool(kept["limits"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"not a model of hand_features ({type(error).__name__}: {error})", path=path, remedy=again
        ) from error
