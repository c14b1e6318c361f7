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
from harness.benchmark.sets import on_set, with_fewer
from harness.datasets import (
    corpus_split,
    grouped_folds,
    load_examples,
    load_helsinki,
    load_second_pass,
    load_seed_examples,
)
from harness.records import Example
from harness.tagged import TaggedText
from harness.taggers.fitted import THRESHOLD_FOLDS, out_of_fold
from harness.taggers.gpt2.config import TrainingConfig
from harness.taggers.gpt2.slot_model import Gpt2SlotModel
from harness.taggers.gpt2.training import train
from harness.taggers.hand.model import HandModel
from harness.taggers.lm.slot_head import SlotHeadConfig, SlotHeadModel
from harness.taggers.logistic import LogisticModel
from harness.taggers.majority import LookupModel
from harness.taggers.slots import TAG_QUESTIONS, SlotModel, choose, from_corpus, from_tags, margins, tune

Figures = dict[str, Any]


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
    """Cross-validate on the embedded training examples (``embedded``) or those of the hackathon (``seed-examples``)."""
    examples = load_seed_examples() if data == "seed-examples" else load_examples("train")
    predicted = cross_validate(
        lambda part: fitted(tagger, part, base_model=base_model, seed=seed), examples, grouped=grouped, seed=seed
    )
    return report(examples, predicted, resamples)


def _agreement(resamples: int) -> Figures:
    return reader_agreement([*load_helsinki("dev"), *load_helsinki("test")], resamples)


def _decoding(base_model: str, seed: int, resamples: int) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        config = TrainingConfig(base_model=base_model, seed=seed)
        train(config, load_examples("train"), Path(folder), progress=False)
        return {"rows": compare_decodings(Path(folder), load_examples("heldout"))}


def _tag_model(tagger: str, base_model: str, seed: int) -> SlotModel:
    makers: dict[str, Callable[[], SlotModel]] = {
        "majority": lambda: LookupModel(TAG_QUESTIONS),
        "logistic": lambda: LogisticModel(TAG_QUESTIONS),
        "hand_features": lambda: HandModel(TAG_QUESTIONS, seed),
        "lm_slots": lambda: SlotHeadModel(TAG_QUESTIONS, SlotHeadConfig(base_model=base_model, seed=seed)),
        "gpt2": lambda: Gpt2SlotModel(
            TAG_QUESTIONS, TrainingConfig(base_model=base_model, seed=seed, objective="read")
        ),
    }
    return makers[tagger]()


def _domain(tagger: str, base_model: str, seed: int, resamples: int) -> Figures:
    """Train on the examples and score on the corpus' test split, and the reverse. Thresholds are tuned in-domain."""
    train_examples, heldout = load_examples("train"), load_examples("heldout")
    part, held_back = corpus_split(load_helsinki("dev"))
    on_examples = out_of_fold(lambda: _tag_model(tagger, base_model, seed), train_examples, seed=seed)
    of_tags = _tag_model(tagger, base_model, seed)
    rows, dev_rows = grouped_folds([e.group for e in train_examples], THRESHOLD_FOLDS, seed)[0]
    labelled = [from_tags(e.tagged) for e in train_examples]
    of_tags.fit([labelled[row] for row in rows], [labelled[row] for row in dev_rows])
    of_corpus = make_model(tagger, base_model, seed)
    of_corpus.fit([from_corpus(u) for u in part], [from_corpus(u) for u in held_back])

    test = load_helsinki("test")
    on_held_back = domain.evidence_from_corpus(of_corpus.slot_scores([u.words for u in held_back]))
    on_test = domain.evidence_from_tags(of_tags.slot_scores([u.words for u in test]))
    on_heldout = domain.evidence_from_corpus(of_corpus.slot_scores([e.tagged.words for e in heldout]))
    tuning = {
        "examples to corpus": (domain.evidence_from_tags(on_examples), domain.wanted_by_examples(train_examples)),
        "corpus to examples": (on_held_back, domain.wanted_by_corpus(held_back)),
    }
    scoring = {
        "examples to corpus": (on_test, domain.wanted_by_corpus(test), [u.reader for u in test]),
        "corpus to examples": (on_heldout, domain.wanted_by_examples(heldout), [e.group for e in heldout]),
    }
    figures: Figures = {}
    for kind in domain.KINDS:
        for direction, (evidence, wanted, clusters) in scoring.items():
            cut = domain.cut(*(values[kind] for values in tuning[direction]))
            found = domain.f1(evidence[kind], wanted[kind], cut, clusters, resamples)
            figures[f"{direction}, {kind}"] = [float(found.value), float(found.low), float(found.high)]
    return figures


def _ablation(settings: Mapping[str, Any], seed: int, resamples: int) -> Figures:
    """Cross-validate the GPT-2 tagger with other settings on the 98 examples, at threshold 0 and tuned out of fold."""
    examples = load_examples("train")
    config = TrainingConfig(seed=seed, **settings)
    made: list[Gpt2SlotModel] = []

    def fresh() -> Gpt2SlotModel:
        made.append(Gpt2SlotModel(TAG_QUESTIONS, config))
        return made[-1]

    margin = margins(out_of_fold(fresh, examples, seed=seed))
    words = [example.tagged.words for example in examples]
    return {
        "argmax": report(examples, choose(words, margin, {}), resamples)["micro"],
        "tuned": report(examples, _tuned_elsewhere(examples, margin), resamples)["micro"],
        "dev_loss": sum(min(r["eval_loss"] for r in model.figures["history"]) for model in made) / len(made),
        "adapter_bytes": max(model.figures["adapter_bytes"] for model in made),
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


# Each is called with the parameters of a row, and `resamples`, the number of bootstrap resamples.
KINDS: dict[str, Callable[..., Figures]] = {
    "helsinki": _helsinki,
    "heldout": _heldout,
    "crossval": _crossval,
    "agreement": _agreement,
    "decoding": _decoding,
    "domain": _domain,
    "ablation": _ablation,
    "set": on_set,
    "curve": with_fewer,
}
