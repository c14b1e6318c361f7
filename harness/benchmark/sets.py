"""Score the taggers that come with the project on the three sets of examples that nothing was trained on.

Settings were chosen on ``development``; ``heldout`` and ``test`` choose nothing.
"""

from __future__ import annotations

import random
from typing import Any

from harness.benchmark.examples import difference, fitted, report
from harness.datasets import Twice, load_examples, load_second_pass
from harness.placement import accepting_both, score_placement
from harness.taggers import Tagger, make_tagger
from harness.taggers.gpt2.config import TrainingConfig
from harness.taggers.gpt2.training import ensure_trained

SECOND_PASS = "second pass"
MORE_EXAMPLES = "hand_features, development set added"
GENERATED = "gpt2 by the note's recipe"
# The name of a row, its tagger and the tagger's settings.
TAGGERS: dict[str, tuple[str, dict[str, Any]]] = {
    "rules": ("rules", {}),
    "logistic": ("logistic", {}),
    "logistic without limits": ("logistic", {"limits": False}),
    "hand_features": ("hand_features", {}),
    "hand_features without limits": ("hand_features", {"limits": False}),
    "gpt2 distilled": ("gpt2", {}),
    GENERATED: ("gpt2", {"decoding": "generate"}),
    f"{GENERATED}, slots scored": ("gpt2", {"decoding": "slots"}),
}
CURVE = (10, 25, 50)  # training examples; the rows of `on_set` have all 98


def on_set(tagger: str, examples: Twice, resamples: int) -> dict[str, Any]:
    """Score one tagger on one set.

    Parameters
    ----------
    tagger : str
        A key of `TAGGERS`, or `SECOND_PASS`, or `MORE_EXAMPLES`.
    examples : str
        Name of the set.
    resamples : int
        Number of bootstrap resamples.

    Returns
    -------
    dict
        The strict scores (`harness.benchmark.examples.report`), the paired difference of micro-F1 to `rules` (``against_rules``),
        and the scores when a tag of either annotation pass counts as right (``optional``).
    """
    gold = load_examples(examples)
    plain = [example.tagged.stripped() for example in gold]
    second = [example.tagged for example in load_second_pass(examples)]
    placed = second if tagger == SECOND_PASS else made(tagger).tag(plain)
    figures = report(gold, placed, resamples)
    figures["against_rules"] = difference(gold, placed, make_tagger("rules").tag(plain), resamples)
    if tagger != SECOND_PASS:
        either = [accepting_both(e.tagged, *others) for e, *others in zip(gold, second, placed, strict=True)]
        groups = [example.group for example in gold]
        figures["optional"] = score_placement(either, placed, groups, n_resamples=resamples).as_json()["micro"]
    return figures


def made(name: str) -> Tagger:
    """Return the tagger of a row."""
    train = load_examples("train")
    if name == MORE_EXAMPLES:
        return make_tagger("hand_features", examples=[*train, *load_examples("development")])
    tagger, settings = TAGGERS[name]
    if name.startswith(GENERATED):
        settings = {**settings, "adapter": ensure_trained(TrainingConfig(), train, progress=False)}
    return make_tagger(tagger, **settings)


def with_fewer(tagger: str, sentences: int, seed: int, resamples: int) -> dict[str, Any]:
    """Train a tagger on a random part of the training examples, and score it on the development set."""
    part = random.Random(seed).sample(load_examples("train"), sentences)
    gold = load_examples("development")
    placed = fitted(tagger, part, seed=seed).tag([example.tagged.stripped() for example in gold])
    return report(gold, placed, resamples)
