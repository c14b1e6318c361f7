"""Score taggers on tagged examples: on the held-out set, and by cross-validation with grouped or random folds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from harness.datasets import grouped_folds
from harness.placement import f1_difference, score_placement
from harness.records import Example
from harness.tagged import TaggedText
from harness.taggers import Tagger, make_tagger

ON_A_BASE = ("lm_features", "lm_slots", "gpt2")
FOLDS = 5


def fitted(
    name: str, examples: Sequence[Example], *, base_model: str = "embedded", seed: int = 0, **options: Any
) -> Tagger:
    """Return the tagger called `name`, fitted on these examples only.

    Parameters
    ----------
    name : str
        Name of a tagger; `harness doctor` lists them.
    examples : sequence of Example
        Training examples.
    base_model, seed
        Base model and random seed, for taggers that use them.
    **options
        Further settings of the tagger.
    """
    if name in ("none", "rules"):
        return make_tagger(name)
    if name == "majority":
        return make_tagger(name, examples=[example.tagged for example in examples])
    if name == "random":
        return make_tagger(name, examples=[example.tagged for example in examples], seed=seed)
    if name in ON_A_BASE:
        options["base_model"] = base_model
    return make_tagger(name, examples=examples, seed=seed, **options)


def cross_validate(
    make: Callable[[Sequence[Example]], Tagger],
    examples: Sequence[Example],
    *,
    grouped: bool = True,
    folds: int = FOLDS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[TaggedText]:
    """Tag every example with a tagger that was fitted on the other folds.

    Parameters
    ----------
    make : callable
        Function that returns a tagger fitted on the given examples.
    examples : sequence of Example
        Examples to divide into folds.
    grouped : bool
        Whether to keep each group in one fold. Otherwise a tagger is trained on parts of the groups that it is scored on: a leak.
    folds, seed : int
        Number of folds, and random seed of the split.
    progress : callable, optional
        Called with the number of finished folds and of all folds.
    """
    groups = [example.group if grouped else example.id for example in examples]
    tagged: dict[int, TaggedText] = {}
    for k, (train, test) in enumerate(grouped_folds(groups, folds, seed)):
        chosen = [examples[row] for row in train]
        if not grouped:  # the tagger's own dev set is then split at random as well
            chosen = [example.model_copy(update={"group": example.id}) for example in chosen]
        tagger = make(chosen)
        tagged |= dict(zip(test, tagger.tag([examples[row].tagged.stripped() for row in test]), strict=True))
        if progress:
            progress(k + 1, folds)
    return [tagged[row] for row in range(len(examples))]


def report(gold: Sequence[Example], predicted: Sequence[TaggedText], n_resamples: int = 2000) -> dict:
    """Return placement scores with intervals over groups; see `harness.placement.PlacementReport.as_json`."""
    groups = [example.group for example in gold]
    return score_placement([e.tagged for e in gold], predicted, groups, n_resamples=n_resamples).as_json()


def difference(
    gold: Sequence[Example], first: Sequence[TaggedText], second: Sequence[TaggedText], n_resamples: int = 2000
) -> dict[str, float]:
    """Return the paired interval of the micro-F1 of `first` minus that of `second`."""
    groups = [example.group for example in gold]
    return vars(f1_difference([e.tagged for e in gold], first, second, groups, n_resamples=n_resamples))


def timed(tagger: Tagger, texts: Sequence[TaggedText]) -> tuple[list[TaggedText], float]:
    """Return the tagged texts and the sentences per second; one text is tagged first, so that loading is not timed."""
    tagger.tag(texts[:1])
    begun = time.perf_counter()
    tagged = tagger.tag(texts)
    return tagged, len(texts) / (time.perf_counter() - begun)
