"""The measurements of the benchmark suite, each of which returns one JSON row."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.benchmark import domain
from harness.benchmark.agreement import reader_agreement
from harness.benchmark.decoding import compare_decodings
from harness.benchmark.examples import cross_validate, fitted, report
from harness.benchmark.helsinki import benchmark, make_model
from harness.datasets import (
    corpus_split,
    grouped_folds,
    load_examples,
    load_helsinki,
    load_second_pass,
    load_seed_examples,
)
from harness.errors import HarnessError
from harness.records import Example
from harness.stats import Interval
from harness.tagged import TaggedText
from harness.taggers.fitted import THRESHOLD_FOLDS, out_of_fold
from harness.taggers.gpt2.config import TrainingConfig
from harness.taggers.gpt2.slot_model import Gpt2SlotModel
from harness.taggers.gpt2.training import train
from harness.taggers.lm.slot_head import SlotHeadConfig, SlotHeadModel
from harness.taggers.logistic import LogisticModel
from harness.taggers.majority import LookupModel
from harness.taggers.slots import TAG_QUESTIONS, SlotModel, choose, from_corpus, from_tags, margins, tune

Figures = dict[str, Any]


def measure(kind: str, parameters: Mapping[str, Any], resamples: int) -> Figures:
    """Run one measurement.

    Parameters
    ----------
    kind : str
        A key of `KINDS`.
    parameters : mapping
        Arguments of the measurement.
    resamples : int
        Number of bootstrap resamples.
    """
    return KINDS[kind](resamples=resamples, **parameters)


def _helsinki(tagger: str, base_model: str, seed: int, resamples: int, sentences: int | None = None) -> Figures:
    return benchmark(tagger, base_model, seed, sentences=sentences, n_resamples=resamples)


def _heldout(tagger: str, base_model: str, seed: int, resamples: int) -> Figures:
    """Train on the 98 examples and score on the 102 held-out ones."""
    heldout = load_examples("heldout")
    if tagger == "second pass":
        return report(heldout, [example.tagged for example in load_second_pass()], resamples)
    chosen = fitted(tagger, load_examples("train"), base_model=base_model, seed=seed)
    return report(heldout, chosen.tag([example.tagged.stripped() for example in heldout]), resamples)


def _crossval(data: str, tagger: str, base_model: str, seed: int, grouped: bool, resamples: int) -> Figures:
    """Cross-validate on the embedded examples, or on the hackathon's own."""
    examples = example_set(data)
    predicted = cross_validate(
        lambda part: fitted(tagger, part, base_model=base_model, seed=seed), examples, grouped=grouped, seed=seed
    )
    return report(examples, predicted, resamples)


def example_set(name: str) -> list[Example]:
    """Return the embedded training examples (``embedded``) or the hackathon's own (``seed-examples``)."""
    if name == "embedded":
        return load_examples("train")
    if name == "seed-examples":
        return load_seed_examples()
    raise HarnessError(f"unknown set of examples {name!r}", remedy="choose embedded or seed-examples")


def _agreement(resamples: int) -> Figures:
    return reader_agreement([*load_helsinki("dev"), *load_helsinki("test")], resamples)


def _decoding(base_model: str, seed: int, resamples: int) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        config = TrainingConfig(base_model=base_model, seed=seed)
        train(config, load_examples("train"), Path(folder), progress=False)
        return {"rows": compare_decodings(Path(folder), load_examples("heldout"))}


def tag_model(tagger: str, base_model: str, seed: int) -> SlotModel:
    """Return a new slot model for tags."""
    makers: dict[str, Callable[[], SlotModel]] = {
        "majority": lambda: LookupModel(TAG_QUESTIONS),
        "logistic": lambda: LogisticModel(TAG_QUESTIONS),
        "lm_slots": lambda: SlotHeadModel(TAG_QUESTIONS, SlotHeadConfig(base_model=base_model, seed=seed)),
        "gpt2": lambda: Gpt2SlotModel(
            TAG_QUESTIONS, TrainingConfig(base_model=base_model, seed=seed, objective="read")
        ),
    }
    return makers[tagger]()


def _domain(tagger: str, base_model: str, seed: int, resamples: int) -> Figures:
    """Train on the examples and score on the corpus' test split, and the other way round; thresholds are tuned in-domain."""
    train_examples, heldout = load_examples("train"), load_examples("heldout")
    part, held_back = corpus_split(load_helsinki("dev"))
    on_examples = out_of_fold(lambda: tag_model(tagger, base_model, seed), train_examples, seed=seed)
    tags = tag_model(tagger, base_model, seed)
    rows, dev_rows = grouped_folds([e.group for e in train_examples], THRESHOLD_FOLDS, seed)[0]
    labelled = [from_tags(e.tagged) for e in train_examples]
    tags.fit([labelled[row] for row in rows], [labelled[row] for row in dev_rows])
    of_corpus = make_model(tagger, base_model, seed)
    of_corpus.fit([from_corpus(u) for u in part], [from_corpus(u) for u in held_back])

    in_domain = domain.evidence_from_tags(on_examples), domain.wanted_by_examples(train_examples)
    at_home = domain.evidence_from_corpus(of_corpus.slot_scores([u.words for u in held_back]))
    test = load_helsinki("test")
    readers, groups = [u.reader for u in test], [e.group for e in heldout]
    abroad = domain.evidence_from_tags(tags.slot_scores([u.words for u in test]))
    to_examples = domain.evidence_from_corpus(of_corpus.slot_scores([e.tagged.words for e in heldout]))
    figures: Figures = {}
    for kind in domain.KINDS:
        cut = domain.cut(in_domain[0][kind], in_domain[1][kind])
        figures[f"examples to corpus, {kind}"] = _interval(
            domain.f1(abroad[kind], domain.wanted_by_corpus(test)[kind], cut, readers, resamples)
        )
        cut = domain.cut(at_home[kind], domain.wanted_by_corpus(held_back)[kind])
        figures[f"corpus to examples, {kind}"] = _interval(
            domain.f1(to_examples[kind], domain.wanted_by_examples(heldout)[kind], cut, groups, resamples)
        )
    return figures


def _interval(value: Interval) -> list[float]:
    return [float(value.value), float(value.low), float(value.high)]


def _ablation(settings: Mapping[str, Any], seed: int, resamples: int) -> Figures:
    """Cross-validate the GPT-2 tagger with other settings on the 98 examples, at threshold 0 and tuned out of fold."""
    examples = load_examples("train")
    gold = [example.tagged for example in examples]
    config = TrainingConfig(seed=seed, **settings)
    sizes: list[int] = []

    def fresh() -> Gpt2SlotModel:
        model = Gpt2SlotModel(TAG_QUESTIONS, config, None)
        made.append(model)
        return model

    made: list[Gpt2SlotModel] = []
    margin = margins(out_of_fold(fresh, examples, seed=seed))
    sizes = [model.figures["adapter_bytes"] for model in made]
    words = [text.words for text in gold]
    return {
        "argmax": report(examples, choose(words, margin, {}), resamples)["micro"],
        "tuned": report(examples, _tuned_elsewhere(examples, margin), resamples)["micro"],
        "dev_loss": sum(min(r["eval_loss"] for r in model.figures["history"]) for model in made) / len(made),
        "adapter_bytes": max(sizes),
    }


def _tuned_elsewhere(examples: list[Example], margin: list) -> list[TaggedText]:
    """Tag each group with thresholds that were tuned on the other groups."""
    placed: dict[int, TaggedText] = {}
    for group in sorted({example.group for example in examples}):
        inside = [row for row, example in enumerate(examples) if example.group == group]
        outside = [row for row, example in enumerate(examples) if example.group != group]
        thresholds = tune([margin[row] for row in outside], [examples[row].tagged for row in outside])
        chosen = choose([examples[row].tagged.words for row in inside], [margin[row] for row in inside], thresholds)
        placed |= dict(zip(inside, chosen, strict=True))
    return [placed[row] for row in range(len(examples))]


KINDS: dict[str, Callable[..., Figures]] = {
    "helsinki": _helsinki,
    "heldout": _heldout,
    "crossval": _crossval,
    "agreement": _agreement,
    "decoding": _decoding,
    "domain": _domain,
    "ablation": _ablation,
}
