"""Turn a slot model into a tagger: fit it on examples, and tune thresholds on examples that it was not fitted on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tqdm import tqdm

from harness.datasets import grouped_folds, load_examples
from harness.records import Example
from harness.tagged import Tag, TaggedText
from harness.taggers.limits import limits_for
from harness.taggers.slots import Scores, SlotModel, choose, from_tags, margins, tune

THRESHOLD_FOLDS = 5


def out_of_fold(
    make: Callable[[], SlotModel],
    examples: Sequence[Example],
    folds: int = THRESHOLD_FOLDS,
    seed: int = 0,
    fitted: Callable[[], object] | None = None,
) -> list[Scores]:
    """Score every example with a model that was fitted without its group.

    Parameters
    ----------
    make : callable
        Returns a new, unfitted model.
    examples : sequence of Example
    folds, seed : int
        Number of folds and random seed of the grouped cross-validation. Each model uses the fold after its own as dev set.
    fitted : callable, optional
        Called after each fold.
    """
    texts = [from_tags(example.tagged) for example in examples]
    cut = grouped_folds([example.group for example in examples], folds, seed)
    scores: dict[int, Scores] = {}
    for k, (_, test) in enumerate(cut):
        dev = cut[(k + 1) % folds][1]
        train = sorted(set(range(len(texts))) - set(test) - set(dev))
        model = make()
        model.fit([texts[row] for row in train], [texts[row] for row in dev])
        if fitted:
            fitted()
        scores |= dict(zip(test, model.slot_scores([texts[row].words for row in test]), strict=True))
    return [scores[row] for row in range(len(texts))]


class SlotTagger:
    """A tagger built from a slot model.

    Parameters
    ----------
    make : callable
        Returns a new, unfitted model that answers `harness.taggers.slots.TAG_QUESTIONS`.
    examples : sequence of Example, optional
        Training examples; the embedded ones by default. Thresholds are tuned on out-of-fold scores of all of them. The model
        that tags is then fitted on four fifths, with the last fifth as its dev set.
    seed : int
        Random seed of the folds.
    limits : bool, optional
        Whether to keep the annotation guide's limits; None: if the examples keep them (`harness.taggers.limits`).
    """

    def __init__(
        self, name: str, make: Callable[[], SlotModel], examples: Sequence[Example] | None = None, seed: int = 0,
        limits: bool | None = False,
    ) -> None:  # fmt: skip
        self.name = name
        examples = load_examples("train") if examples is None else examples
        gold = [example.tagged for example in examples]
        self.limits = limits_for(gold, limits)
        # `disable=None` shows the bar on a terminal only, and after `delay`: most models are fitted in less.
        with tqdm(total=THRESHOLD_FOLDS + 1, desc=f"harness: training the tagger {name}", unit="model", leave=False,
                  delay=2, disable=None) as bar:  # fmt: skip
            scores = out_of_fold(make, examples, seed=seed, fitted=bar.update)
            self.thresholds: dict[Tag, float] = tune(margins(scores), gold, self.limits)
            train, dev = grouped_folds([example.group for example in examples], THRESHOLD_FOLDS, seed)[0]
            self.model = make()
            self.model.fit([from_tags(gold[row]) for row in train], [from_tags(gold[row]) for row in dev])

    def tag(self, texts: Sequence[TaggedText]) -> list[TaggedText]:
        """Tag each text; see `harness.taggers.base.Tagger.tag`."""
        words = [text.words for text in texts]
        return choose(words, margins(self.model.slot_scores(words)), self.thresholds, self.limits)
