"""Distillation: the GPT-2 tagger learns the answers of a teacher on unlabelled sentences.

    harness train gpt2 --distil hand_features

The teacher is a tagger with a slot model, fitted on the training examples. It labels recombined sentences
(`harness.taggers.gpt2.recombine`) and sentences of the Helsinki Prosody Corpus, whose own labels are not used. Its labels are
probabilities, which say more than tags do (Hinton et al. 2015, arXiv 1503.02531). The student learns from these and from the
examples themselves. All examples are used: no dev set is held out, the number of epochs is fixed, and so is the threshold.
"""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets import load_helsinki
from harness.errors import DataError, HarnessError
from harness.paths import relative
from harness.records import Example
from harness.store import write_json
from harness.tagged import TAGS
from harness.taggers.base import make_tagger
from harness.taggers.gpt2.config import TrainingConfig
from harness.taggers.gpt2.encoding import Encoder, Prompt
from harness.taggers.gpt2.recombine import LEAST_WORDS, recombine
from harness.taggers.gpt2.slot_logits import logits_of_slots
from harness.taggers.hand.tagger import THRESHOLD
from harness.taggers.limits import Limits
from harness.taggers.lm.base_model import base_revision, context_length
from harness.taggers.slots import TAG_QUESTIONS, SlotModel, SlotText, columns, from_tags

GOLD_COPIES = 4  # times that each example occurs in an epoch
WARMUP_STEPS = 20
WEIGHT_DECAY = 0.01
MAX_GRADIENT = 1.0  # norm
MOST_CORPUS_WORDS = 20  # of a corpus sentence; the longest training example has 18
_SORTED_BATCHES = 20  # texts of so many batches are sorted by length before they are divided, to reduce padding

Targets = NDArray[np.float32]


def distil(
    config: TrainingConfig,
    examples: Sequence[Example],
    folder: Path,
    *,
    limits: Limits | None = None,
    log: Callable[[dict], None] | None = None,
    progress: bool = True,
) -> None:
    """Train a student and write its adapter and summary to `folder`, in the files of `harness.taggers.gpt2.training.train`.

    Parameters
    ----------
    config : TrainingConfig
        With a teacher; see `TrainingConfig.of`.
    examples : sequence of Example
        Examples for the teacher and for the student.
    folder : Path
    limits : Limits, optional
        The guide's limits, if the tagger will keep them.
    log, progress
        See `harness.taggers.gpt2.training.train`.
    """
    from harness.taggers.gpt2.training import ADAPTER, HISTORY, SUMMARY, save_adapter

    begun = time.monotonic()
    (folder / SUMMARY).unlink(missing_ok=True)
    if progress:
        print(f"harness: distilling {config.distil} into a GPT-2 tagger (base model {config.base_model}, "
              f"{config.recombined + config.corpus_sentences} sentences, {config.epochs} epochs); this takes about six minutes of "
              f"one core for the embedded base. The result is kept in {relative(folder)}", file=sys.stderr, flush=True)  # fmt: skip
    words, targets = taught(config, examples)
    history: list[dict] = []

    def keep(row: dict) -> None:
        history.append(row)
        write_json(folder / HISTORY, {"epochs": history})
        if log:
            log(row)

    model, _ = fit_student(config, words, targets, log=keep, progress=progress)
    save_adapter(model, folder / ADAPTER, config)
    trainable, total = model.get_nb_trainable_parameters()
    write_json(folder / SUMMARY, {
        "config": config.settings(), "base_revision": base_revision(config.base_model),
        "questions": [asdict(question) for question in TAG_QUESTIONS], "history": history,
        "examples": {"train": len(examples), "dev": 0, "corpus": config.corpus_sentences,
                     "recombined": len(words) - len(examples) * GOLD_COPIES - config.corpus_sentences},
        "parameters": {"trainable": trainable, "all": total},
        "adapter_bytes": (folder / ADAPTER / "adapter_model.safetensors").stat().st_size,
        "seconds": round(time.monotonic() - begun, 1), "limits": limits is not None,
        "thresholds": {tag.value: THRESHOLD for tag in TAGS},
    })  # fmt: skip


def teacher_of(name: str, examples: Sequence[Example], seed: int = 0) -> SlotModel:
    """Return the slot model of the tagger called `name`, fitted on these examples.

    Raises
    ------
    HarnessError
        If the tagger is unknown, or has no slot model that answers `TAG_QUESTIONS`.
    """
    remedy = "choose hand_features, logistic, lm_features or lm_slots"
    if name in ("gpt2", "none", "random", "rules", "majority"):
        raise HarnessError(f"the tagger {name!r} cannot teach: it gives no probabilities to learn from", remedy=remedy)
    model: Any = getattr(make_tagger(name, examples=examples, seed=seed), "model", None)
    if getattr(model, "questions", None) != TAG_QUESTIONS:
        raise HarnessError(f"the tagger {name!r} cannot teach: it has no slot model", remedy=remedy)
    return model


def taught(config: TrainingConfig, examples: Sequence[Example]) -> tuple[list[tuple[str, ...]], list[Targets]]:
    """Return the training sentences and the probabilities of the answers at their slots: those without labels, then the examples.

    Raises
    ------
    NotAvailable
        If there are to be sentences of the corpus, and it is not on this machine.
    """
    teacher = teacher_of(config.distil, examples, config.seed)
    gold = [from_tags(example.tagged) for example in examples]
    words = recombine([text.words for text in gold], config.recombined, config.seed)
    if config.corpus_sentences:
        words += corpus_sentences(config.corpus_sentences, config.seed)
    targets = [np.exp(scores) for scores in teacher.slot_scores(words)]
    for _ in range(GOLD_COPIES):
        words += [text.words for text in gold]
        targets += [certain(text) for text in gold]
    return words, targets


def corpus_sentences(count: int, seed: int = 0) -> list[tuple[str, ...]]:
    """Return random sentences of the dev split of the Helsinki Prosody Corpus, which are real, unlike the recombined ones."""
    usable = {tuple(u.words) for u in load_helsinki("dev") if LEAST_WORDS <= len(u.words) <= MOST_CORPUS_WORDS}
    if count > len(usable):
        raise DataError(f"expected at most {len(usable)} corpus sentences, got {count}")
    return random.Random(seed).sample(sorted(usable), count)


def certain(text: SlotText) -> Targets:
    """Return the labels of a text as probabilities, shape (slots, answers).

    >>> certain(SlotText(("Stop",), np.array([[0, 1], [2, 0]]))).tolist()[1]
    [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    parts = columns(TAG_QUESTIONS)
    target = np.zeros((len(text.labels), parts[-1].stop), dtype=np.float32)
    for question, part in enumerate(parts):
        target[np.arange(len(target)), part.start + text.labels[:, question]] = 1
    return target


def soft_loss(logits: Any, targets: Any) -> Any:
    """Return the cross-entropy to the teacher's probabilities, averaged over slots and summed over questions.

    Parameters
    ----------
    logits, targets : tensors of shape (slots, answers)
    """
    return -sum(
        (targets[:, part] * logits[:, part].float().log_softmax(dim=-1)).sum(dim=-1).mean()
        for part in columns(TAG_QUESTIONS)
    )


def fit_student(
    config: TrainingConfig,
    words: Sequence[Sequence[str]],
    targets: Sequence[Targets],
    *,
    log: Callable[[dict], None] | None = None,
    progress: bool = False,
) -> tuple[Any, Encoder]:
    """Train an adapter on sentences and the probabilities of the answers at their slots.

    Returns
    -------
    model, encoder
        The trained PeftModel and its encoder.
    """
    import torch
    from tqdm import tqdm
    from transformers import set_seed

    from harness.taggers.gpt2.training import BAR_SECONDS, adapted

    set_seed(config.seed)
    model, encoder = adapted(config, TAG_QUESTIONS)
    model.eval()  # no dropout: there are enough sentences, and the student has to copy its teacher exactly
    prompts = [encoder.prompt(text) for text in words]
    fitting = [k for k, prompt in enumerate(prompts) if len(prompt.ids) <= context_length(model)]
    if not fitting:
        raise DataError("no training text fits the model's context")
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=config.learning_rate, weight_decay=WEIGHT_DECAY)
    per_epoch = math.ceil(len(fitting) / config.batch_size)
    steps = per_epoch * config.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / WARMUP_STEPS) * (1 + math.cos(math.pi * step / steps)) / 2
    )
    generator = np.random.default_rng(config.seed)
    seconds = BAR_SECONDS[not sys.stderr.isatty()]
    with tqdm(
        total=steps, desc="training", unit="step", file=sys.stderr, mininterval=seconds, disable=not progress
    ) as bar:
        for epoch in range(config.epochs):
            losses = []
            for rows in _batches(prompts, fitting, config.batch_size, generator):
                target = torch.from_numpy(np.concatenate([targets[row] for row in rows])).to(model.device)
                with torch.autocast(model.device.type, torch.bfloat16, enabled=config.bf16):
                    loss = soft_loss(logits_of_slots(model, encoder, [prompts[row] for row in rows]), target)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(trained, MAX_GRADIENT)
                optimizer.step()
                optimizer.zero_grad()
                schedule.step()
                losses.append(loss.item())
                bar.update()
            if not np.isfinite(losses).all():
                raise HarnessError(f"the loss is not finite in epoch {epoch + 1}", remedy="lower the learning rate")
            if log:
                log({"epoch": epoch + 1, "loss": float(np.mean(losses))})
    return model, encoder


def _batches(
    prompts: Sequence[Prompt], rows: Sequence[int], size: int, generator: np.random.Generator
) -> Iterator[list[int]]:
    """Yield the rows in batches of similar length, in random order."""
    order = generator.permutation(rows)
    chunks = []
    for start in range(0, len(order), size * _SORTED_BATCHES):
        part = sorted(order[start : start + size * _SORTED_BATCHES].tolist(), key=lambda row: len(prompts[row].ids))
        chunks += [part[at : at + size] for at in range(0, len(part), size)]
    for number in generator.permutation(len(chunks)):
        yield chunks[number]
