"""Reproduce how PEFT fails on Higgs Audio v2, and compare three cures. `.targets` compares the modules to adapt.

Trainings here overfit one batch of random codes. A falling loss shows that gradients flow, and nothing about speech.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from harness.chapters.ch03_peft.failure import Failure, attempt, forward_arguments
from harness.errors import HarnessError
from harness.higgs.batches import encode, make_collator
from harness.higgs.checkpoints import check_type, load_strictly, load_tokenizer
from harness.higgs.formats import codebooks_of
from harness.higgs.labels import IGNORED, higgs_loss, training_class
from harness.higgs.lora import add_lora
from harness.higgs.samples import Sample, prompt
from harness.paths import DATA
from harness.processes.stacks import BOSON, NATIVE, here

NO_TASK_TYPE, ADAPTER, NATIVE_CLASS = "no task type", "adapter class", "native class"
CURES = {NO_TASK_TYPE: BOSON, ADAPTER: BOSON, NATIVE_CLASS: NATIVE}  # -> the stack it needs

AUDIO_HEAD = "audio_lm_head"

# Tagged sentences with as many frames (of 40 ms) of random codes.
SENTENCES = {"We <emph> guarantee 30% savings.": 20, "You asked for proof, <pause_long> so here are the numbers.": 14}
TEXT_ALONE = "A question that is answered in writing."


# Material


def random_samples(config: Any, seed: int = 0) -> list[Sample]:
    """Return the sentences above with random codes that fit a model's configuration."""
    codebooks, entries = codebooks_of(config.to_dict())
    rng = np.random.default_rng(seed)
    return [Sample(f"s{number}", text, rng.integers(0, entries, (codebooks, frames)))
            for number, (text, frames) in enumerate(SENTENCES.items())]  # fmt: skip


def load_plain(folder: str | Path, *, text_head: bool = True) -> Any:
    """Load the model of this process's stack strictly, in its original class.

    Raises
    ------
    DataError
        If the checkpoint has the other stack's format, or weights are missing or left over.
    """
    # The boson class would take its own defaults for another format: billions of weights.
    check_type(Path(folder), here())
    if here() == BOSON:
        from boson_multimodal.model.higgs_audio import HiggsAudioModel as Plain
    else:
        from transformers import HiggsAudioV2ForConditionalGeneration as Plain
    return load_strictly(Plain, Path(folder), text_head=text_head)


def make_batch(folder: str | Path, config: Any, seed: int = 0) -> dict[str, Any]:
    """Return the random samples as a batch with ``labels`` of shape (batch, tokens) and ``audio_labels`` of shape (frames, codebooks)."""
    return make_collator(here(), load_tokenizer(folder), config)(random_samples(config, seed))


def text_batch(folder: str | Path) -> dict[str, Any]:
    """Return a prompt without audio as model input."""
    import torch

    ids = torch.tensor([encode(load_tokenizer(folder), prompt(TEXT_ALONE))])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def generation_arguments(folder: str | Path) -> dict[str, Any]:
    """Return the arguments of boson_multimodal's ``generate`` for a prompt without audio."""
    import torch

    none = torch.zeros((0, 0), dtype=torch.long)
    return {**text_batch(folder), "audio_out_ids": none, "audio_out_ids_start": none.new_zeros(0), "max_new_tokens": 12,
            "use_cache": True, "do_sample": False}  # fmt: skip


def original_arguments(batch: Mapping[str, Any]) -> dict[str, Any]:
    """Rename a batch for boson_multimodal's forward, whose audio labels have shape (codebooks, frames)."""
    inputs = {name: value for name, value in batch.items() if not name.endswith("labels")}
    return {**inputs, "label_ids": batch["labels"], "label_audio_ids": batch["audio_labels"].T}


# The failure

WITH_LABELS = "forward with labels"
CALLS = (WITH_LABELS, "forward without labels", "forward with the package's own label names", "generate")


def try_calls(wrapped: Any, folder: str | Path, *, seed: int = 0) -> dict[str, Failure | None]:
    """Call a wrapped boson model in each way of `CALLS`; return the failure of each, or None."""
    text = text_batch(folder)
    batch = original_arguments(make_batch(folder, wrapped.get_base_model().config, seed))
    ways: tuple[Callable[[], Any], ...] = (
        lambda: wrapped(**text, labels=text["input_ids"]),
        lambda: wrapped(**text),
        lambda: wrapped(**batch),
        lambda: wrapped.generate(**generation_arguments(folder)),
    )
    return {name: attempt(way) for name, way in zip(CALLS, ways, strict=True)}


def try_control() -> dict[str, Failure | None]:
    """Try `WITH_LABELS` on the book's own GPT-2, wrapped in the same way, with and without a language model head."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModel, AutoModelForCausalLM

    tried = {}
    ids = torch.arange(8)[None]
    for auto in (AutoModelForCausalLM, AutoModel):
        model = auto.from_pretrained(DATA / "models" / "gpt2-mini", local_files_only=True)
        config = LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"], fan_in_fan_out=True)
        wrapped = get_peft_model(model, config)
        tried[type(model).__name__] = attempt(partial(wrapped, input_ids=ids, labels=ids))
    return tried


# Three cures


@dataclass(frozen=True)
class Curve:
    """A training on one batch, step by step, before the step's update.

    Parameters
    ----------
    cure : str
        A key of `CURES`.
    loss : list of float
        Minimised loss: text + audio; for the native class, text + the *sum* over codebooks.
    text, audio : list of float
        Losses in nats per label, on one scale for all cures.
    trainable : int
        Number of trained parameters.
    wrapper : str
        Class that PEFT put around the model.
    """

    cure: str
    loss: list[float]
    text: list[float]
    audio: list[float]
    trainable: int
    wrapper: str


def train_cured(
    cure: str, folder: str | Path, *, steps: int = 30, rank: int = 16, learning_rate: float = 5e-3, seed: int = 0
) -> Curve:
    """Overfit one batch with LoRA and trained heads, the failure cured in one of three ways.

    Parameters
    ----------
    cure : str
        Key of `CURES`, for this process's stack.
    folder : path-like
        Checkpoint in the stack's format.
    seed : int
        Random seed for the codes and LoRA's matrices.

    Raises
    ------
    HarnessError
        If the cure is unknown or belongs to the other stack.
    """
    if CURES.get(cure) != here():
        raise HarnessError(f"{cure!r} is no cure in the {here()} stack", remedy=f"choose from: {', '.join(CURES)}")
    import torch

    task_type = None if cure == NO_TASK_TYPE else "CAUSAL_LM"
    losses = {NO_TASK_TYPE: _losses_outside, ADAPTER: losses_of_adapter, NATIVE_CLASS: _losses_of_native}[cure]
    model = load_strictly(training_class(BOSON), Path(folder)) if cure == ADAPTER else load_plain(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        wrapped = add_lora(model, rank=rank, task_type=task_type)
        history = overfit(wrapped, make_batch(folder, model.config, seed), losses, steps, learning_rate)
    loss, text, audio = (list(column) for column in zip(*history, strict=True))
    trainable = sum(weight.numel() for weight in trained_weights(wrapped))
    return Curve(cure, loss, text, audio, trainable, type(wrapped).__name__)


def thin_adapter() -> Any:
    """Return boson_multimodal's model class with the smallest change that lets PEFT call it; it has no loss."""
    from boson_multimodal.model.higgs_audio import HiggsAudioModel

    class ThinAdapter(HiggsAudioModel):
        def forward(self, labels=None, **inputs):
            return super().forward(label_ids=labels, **inputs)

    return ThinAdapter


def overfit(
    model: Any, batch: Mapping[str, Any], losses: Callable[..., tuple[Any, Any, Any]], steps: int, learning_rate: float
) -> list[tuple[float, float, float]]:
    """Train on one batch with AdamW; `losses` gives total, text and audio loss, which are returned by step."""
    import torch

    optimiser = torch.optim.AdamW(trained_weights(model), lr=learning_rate, weight_decay=0.0)
    model.train()
    history = []
    for _ in range(steps):
        now = losses(model, batch)
        optimiser.zero_grad()
        now[0].backward()
        optimiser.step()
        text_and_audio, text, audio = (float(one.detach()) for one in now)
        history.append((text_and_audio, text, audio))
    model.eval()
    return history


def trained_weights(model: Any) -> list[Any]:
    return [weight for weight in model.parameters() if weight.requires_grad]


def _losses_outside(model: Any, batch: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    out = model(**original_arguments(batch))
    return higgs_loss(out.logits, out.expanded_labels, out.audio_logits, batch["audio_labels"])


def losses_of_adapter(model: Any, batch: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    out = model(**batch)
    return out["loss"], out["llm_loss"], out["audio_loss"]


def _losses_of_native(model: Any, batch: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Return the class's own loss and its parts; the text loss is what remains after subtracting the audio loss."""
    from torch.nn.functional import cross_entropy

    out = model(**_native_labels(batch))
    inner = model.get_base_model()
    mask = inner.model.get_placeholder_mask(batch["input_ids"], None, batch["audio_input_ids_mask"])
    codebooks, entries = inner.config.num_codebooks, inner.config.codebook_size
    logits = out.logits[mask].view(-1, codebooks, entries)
    audio = cross_entropy(logits[:-1].reshape(-1, entries), batch["audio_labels"][1:].reshape(-1), ignore_index=IGNORED)
    return out.loss, out.loss - codebooks * audio, audio


def _native_labels(batch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the batch with audio labels of shape (batch, frames, codebooks), as the native class expects."""
    import torch

    frames = batch["audio_input_ids"]
    labels = torch.full_like(frames, IGNORED)
    labels[batch["audio_input_ids_mask"]] = batch["audio_labels"]
    return {**batch, "audio_labels": labels}


def boson_part(
    folder: str, steps: int = 30, rank: int = 16, learning_rate: float = 5e-3, seed: int = 0
) -> dict[str, Any]:
    """Return everything that needs the boson stack: ``calls`` by task type, ``control``, ``curves``, ``trainer``."""
    calls = {}
    for task_type in ("CAUSAL_LM", None):
        tried = try_calls(add_lora(load_plain(folder), rank=rank, task_type=task_type), folder, seed=seed)
        calls[str(task_type)] = {name: failure and asdict(failure) for name, failure in tried.items()}
    control = {name: failure and asdict(failure) for name, failure in try_control().items()}
    told = {as_item: trainer_says(folder, as_item=as_item, seed=seed) for as_item in (False, True)}
    return {
        "calls": calls,
        "control": control,
        "curves": [
            asdict(train_cured(cure, folder, steps=steps, rank=rank, learning_rate=learning_rate, seed=seed))
            for cure, stack in CURES.items()
            if stack == BOSON
        ],
        "trainer": {"item" if as_item else "attribute": one and asdict(one) for as_item, one in told.items()},
    }


def native_part(
    folder: str, steps: int = 30, rank: int = 16, learning_rate: float = 5e-3, seed: int = 0
) -> dict[str, Any]:
    """Return everything that needs the native stack, from one process: ``curve``, ``labels``, ``arguments``, ``peft``."""
    from importlib.metadata import version

    from transformers import HiggsAudioV2ForConditionalGeneration

    curve = train_cured(NATIVE_CLASS, folder, steps=steps, rank=rank, learning_rate=learning_rate, seed=seed)
    return {
        "curve": asdict(curve),
        "labels": native_label_trap(folder, rank=rank, seed=seed),
        "arguments": forward_arguments(HiggsAudioV2ForConditionalGeneration),
        "peft": version("peft"),
    }


def native_label_trap(folder: str | Path, *, rank: int = 16, seed: int = 0) -> list[dict[str, Any]]:
    """Give the native class, wrapped as a causal language model, each combination of its two kinds of label.

    Returns
    -------
    list of dict
        For each of four cases: ``text_head`` and ``audio_labels`` (whether they are there), ``loss`` (None if there is none), and
        ``warning``, the first one that transformers logged.
    """
    import torch
    from transformers.models.higgs_audio_v2 import modeling_higgs_audio_v2 as module

    rows = []
    for text_head in (False, True):
        model = load_plain(folder, text_head=text_head)
        batch = _native_labels(make_batch(folder, model.config, seed))
        wrapped = add_lora(model, rank=rank, heads=(AUDIO_HEAD,))
        for audio in (False, True):
            given = {name: value for name, value in batch.items() if audio or name != "audio_labels"}
            heard: list[str] = []
            with mock.patch.object(module.logger, "warning_once", heard.append), torch.no_grad():
                loss = wrapped(**given).loss
            rows.append({"text_head": text_head, "audio_labels": audio, "loss": None if loss is None else float(loss),
                         "warning": heard[0] if heard else ""})  # fmt: skip
    return rows


# Two traps


def trainer_says(folder: str | Path, *, as_item: bool, seed: int = 0) -> Failure | None:
    """Take one step of Trainer with an adapter class that stores its loss as an item or attribute of the output.

    Returns
    -------
    Failure or None
        None if Trainer took the step.
    """
    from boson_multimodal.model.higgs_audio import HiggsAudioModel
    from transformers import PrinterCallback, Trainer, TrainingArguments
    from transformers.utils import logging as verbosity

    class Adapter(HiggsAudioModel):
        def forward(self, labels=None, audio_labels=None, **inputs):
            out = super().forward(label_ids=labels, **inputs)
            loss, _, _ = higgs_loss(out.logits, out.expanded_labels, out.audio_logits, audio_labels)
            if as_item:
                out["loss"] = loss
            else:
                out.loss = loss
            return out

    model = load_strictly(Adapter, Path(folder))
    batch = make_batch(folder, model.config, seed)
    before = verbosity.get_verbosity()
    verbosity.set_verbosity_error()
    with tempfile.TemporaryDirectory() as temporary:
        arguments = TrainingArguments(temporary, max_steps=1, report_to=[], disable_tqdm=True, use_cpu=True, save_strategy="no",
                                      remove_unused_columns=False, prediction_loss_only=True, seed=seed)  # fmt: skip
        trainer = Trainer(add_lora(model), arguments, train_dataset=[0], data_collator=lambda _: batch)
        trainer.remove_callback(PrinterCallback)
        said = attempt(trainer.train)
    verbosity.set_verbosity(before)
    return said
