"""Train a tagger's model on the corpus' dev split and score it on the test split: `harness benchmark helsinki`."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from harness.benchmark import corpus
from harness.datasets import ProsodyUtterance, corpus_split, load_helsinki, read_helsinki
from harness.errors import HarnessError
from harness.stats import number
from harness.taggers.gpt2.config import TrainingConfig
from harness.taggers.gpt2.slot_model import Gpt2SlotModel
from harness.taggers.lm.base_model import base_revision
from harness.taggers.lm.frozen import FeatureModel
from harness.taggers.lm.slot_head import SlotHeadConfig, SlotHeadModel
from harness.taggers.logistic import LogisticModel
from harness.taggers.majority import LookupModel
from harness.taggers.slots import CORPUS_QUESTIONS, SlotModel, from_corpus

Log = Callable[[dict], None]
TAGGERS = {
    "majority": "the most frequent label of each word",
    "logistic": "logistic regression on the word, its neighbours and punctuation",
    "lm_features": "logistic regression on frozen states of the base model",
    "lm_slots": "LoRA and a small head on the base model, which sees the whole text at once",
    "gpt2": "the GPT-2 tagger: LoRA, scores at the slots of the second copy",
}
WITHOUT_BASE = ("majority", "logistic")
# Chosen on the held-back readers of the dev split.
_SLOT_HEAD = {"smollm2": {"epochs": 3, "learning_rate": 4e-4, "batch_size": 24, "strength_weight": 1.0, "dropout": 0.2}}
_SLOT_HEAD_ELSE = {"epochs": 4, "learning_rate": 2e-3, "batch_size": 24}
_GPT2 = {"epochs": 4, "learning_rate": 3e-3, "batch_size": 24, "lora_rank": 32, "patience": 2}


def make_model(tagger: str, base_model: str, seed: int, *, log: Log | None = None) -> SlotModel:
    """Return a new model for the corpus' questions.

    Raises
    ------
    HarnessError
        If the tagger cannot be scored on the corpus.
    """
    if tagger == "majority":
        return LookupModel(CORPUS_QUESTIONS)
    if tagger == "logistic":
        return LogisticModel(CORPUS_QUESTIONS)
    if tagger == "lm_features":
        return FeatureModel(CORPUS_QUESTIONS, base_model)
    if tagger == "lm_slots":
        settings = _SLOT_HEAD.get(base_model, _SLOT_HEAD_ELSE)
        config = SlotHeadConfig(base_model=base_model, seed=seed, keep_best=False, **settings)  # type: ignore[arg-type]
        return SlotHeadModel(CORPUS_QUESTIONS, config, log)
    if tagger == "gpt2":
        return Gpt2SlotModel(
            CORPUS_QUESTIONS,
            TrainingConfig(base_model=base_model, seed=seed, objective="read", precision="bfloat16", **_GPT2),  # type: ignore[arg-type]
            log,
        )
    raise HarnessError(f"{tagger!r} cannot be scored on the corpus", remedy=f"choose one of: {', '.join(TAGGERS)}")


def train_and_tune(
    model: SlotModel, train: Sequence[ProsodyUtterance], held_back: Sequence[ProsodyUtterance]
) -> tuple[corpus.Cuts, dict[str, float]]:
    """Fit on `train`, choose epoch and thresholds on `held_back`, and return the thresholds and the training time.

    The time is in elapsed seconds, and in processor seconds of all threads.
    """
    begun, worked = time.monotonic(), time.process_time()
    model.fit([from_corpus(u) for u in train], [from_corpus(u) for u in held_back])
    effort = {
        "train_seconds": round(time.monotonic() - begun, 1),
        "train_cpu_seconds": round(time.process_time() - worked, 1),
    }
    return corpus.tune_cuts(model.slot_scores([u.words for u in held_back]), held_back), effort


def benchmark(
    tagger: str,
    base_model: str = "embedded",
    seed: int = 0,
    *,
    sentences: int | None = None,
    train_file: Path | None = None,
    n_resamples: int = 2000,
    log: Log | None = None,
) -> dict:
    """Train on the dev split, score on the whole test split, and compare with majority per word.

    Parameters
    ----------
    tagger : str
        A key of `TAGGERS`.
    base_model : str
        See `harness.taggers.lm.base_model.resolve`.
    seed : int
        Random seed of training. The split of the dev readers does not depend on it.
    sentences : int, optional
        Number of training sentences, drawn with `seed`; all by default.
    train_file : Path, optional
        Another file of the corpus to train on instead of nine tenths of the dev readers, such as ``train_100.txt`` or
        ``train_360.txt`` of its repository. Thresholds still come from the last tenth.
    n_resamples : int
        Number of bootstrap resamples; the clusters are readers.
    log : callable, optional
        Called with figures during training.

    Returns
    -------
    dict
        The contract of ``harness benchmark helsinki --json``; ``against_majority`` holds paired differences.
    """
    # An unknown tagger and an unreadable file are refused before the corpus is looked for.
    model = make_model(tagger, base_model, seed, log=log)
    other = None if train_file is None else read_helsinki(train_file)
    train, held_back = corpus_split(load_helsinki("dev"))
    train = train if other is None else other
    if sentences is not None:
        train = draw(train, sentences, seed)
    cuts, effort = train_and_tune(model, train, held_back)
    lookup = LookupModel(CORPUS_QUESTIONS)
    lookup_cuts, _ = train_and_tune(lookup, train, held_back)

    test = load_helsinki("test")  # loaded only when nothing is left to choose
    words, readers = [u.words for u in test], [u.reader for u in test]
    begun = time.monotonic()
    counts = corpus.count(model.slot_scores(words), test, cuts)
    rate = len(test) / (time.monotonic() - begun)
    found = corpus.figures(counts, readers, n_resamples)
    baseline = corpus.count(lookup.slot_scores(words), test, lookup_cuts)
    against = corpus.differences(counts, baseline, readers, n_resamples)
    uses_base = tagger not in WITHOUT_BASE
    return {
        "tagger": tagger,
        "base_model": base_model if uses_base else None,
        "base_revision": base_revision(base_model) if uses_base else None,
        "seed": seed,
        "train_file": train_file.name if train_file else None,
        "sentences": len(train),
        "words": int(counts[:, 0].sum()),
        **{name: number(value.value) for name, value in found.items()},
        "intervals": {name: [number(value.low), number(value.high)] for name, value in found.items()},
        "against_majority": {name: [number(v.value), number(v.low), number(v.high)] for name, v in against.items()},
        "cuts": asdict(cuts),
        **effort,
        "cpu_threads": threads(),
        "machine": platform.machine(),
        "sentences_per_second": round(rate, 1),
    }


def draw(utterances: Sequence[ProsodyUtterance], n: int, seed: int) -> list[ProsodyUtterance]:
    """Return `n` utterances in random order; with the same seed, a larger `n` includes those of a smaller one."""
    if not 1 <= n <= len(utterances):
        raise HarnessError(f"expected 1 to {len(utterances)} training sentences, got {n}")
    return [utterances[row] for row in np.random.default_rng(seed).permutation(len(utterances))[:n]]


def threads() -> int:
    """Return the number of threads that PyTorch computes with."""
    import torch

    return torch.get_num_threads()
