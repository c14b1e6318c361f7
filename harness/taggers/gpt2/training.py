"""Fine-tune a base model on tagged examples: LoRA, trainable tag embeddings, the Hugging Face Trainer.

    harness train gpt2 --base-model embedded --epochs 20

LoRA on the attention alone leaves the embeddings of the seven new tokens at their initial values, so the model can
neither recognise nor predict them; ``trainable_token_indices`` lets exactly those rows learn.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from harness.datasets import grouped_folds
from harness.errors import DataError, HarnessError
from harness.paths import MODELS
from harness.placement import score_placement
from harness.records import Example, digest
from harness.store import read_json, write_json
from harness.taggers.gpt2.base_model import base_revision, load_base, tag_ids
from harness.taggers.gpt2.encoding import Encoder, collate
from harness.taggers.gpt2.slots import choose, place, slot_loss, slot_margins, tune

SUMMARY = "tagger.json"  # written last: it exists = the tagger is complete
ADAPTER = "adapter"


@dataclass(frozen=True)
class TrainingConfig:
    """How a GPT-2 tagger is trained; every field can be set on the command line and in notebook 06."""

    base_model: str = "embedded"
    epochs: int = 20
    learning_rate: float = 2e-3
    batch_size: int = 4
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.05
    patience: int = 5
    dev_folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "lora_rank", "patience"):
            if getattr(self, name) < 1:
                raise DataError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if self.dev_folds < 2:
            raise DataError(f"dev_folds is {self.dev_folds}: at least 2, so that a part is left to train on")
        if not 0 < self.learning_rate < 1:
            raise DataError(f"learning_rate is {self.learning_rate}: it must lie between 0 and 1")


def tagger_folder(config: TrainingConfig, examples: Sequence[Example]) -> Path:
    """Where a tagger trained like this is kept: the folder's name depends on all that shapes it."""
    data = digest(*(example.line() for example in examples))
    key = digest(asdict(config), base_revision(config.base_model), data, length=10)
    return MODELS / f"gpt2-{key}"


def ensure_trained(config: TrainingConfig, examples: Sequence[Example], **options) -> Path:
    """Folder of the tagger trained like this; trains it if it is not there yet."""
    folder = tagger_folder(config, examples)
    return folder if (folder / SUMMARY).is_file() else train(config, examples, folder, **options)


def train(
    config: TrainingConfig,
    examples: Sequence[Example],
    folder: Path,
    *,
    log: Callable[[dict], None] | None = None,
    progress: bool = True,
) -> Path:
    """Train a tagger and write adapter, thresholds and history to `folder`.

    Parameters
    ----------
    config : TrainingConfig
    examples : sequence of Example
        One grouped fold of them is kept as dev set: it chooses the epoch (lowest dev loss) and the thresholds.
    folder : Path
        Made if it is missing; a tagger that is already there is replaced.
    log : callable, optional
        Called after each epoch with its figures: ``epoch``, ``loss``, ``eval_loss``, ``dev_f1``.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    HarnessError
        If the data is too small to keep a dev set, or the loss is not finite.
    """
    import torch
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import (
        EarlyStoppingCallback,
        PrinterCallback,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        set_seed,
    )

    begun = time.monotonic()
    if not any(example.tagged.tags for example in examples):
        raise DataError(f"none of the {len(examples)} examples has a tag, so there is nothing to learn")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"the tagger's folder cannot be made: {error.strerror}", path=folder) from error
    rows, dev_rows = grouped_folds([e.group for e in examples], config.dev_folds, config.seed)[0]
    training = [examples[row].tagged for row in rows]
    dev = [examples[row].tagged for row in dev_rows]
    base, tokenizer = load_base(config.base_model)
    encoder = Encoder(tokenizer)
    set_seed(config.seed)
    model = get_peft_model(
        base,
        LoraConfig(
            task_type=TaskType.CAUSAL_LM,
            r=config.lora_rank,
            lora_alpha=config.lora_alpha,
            lora_dropout=config.lora_dropout,
            target_modules=["c_attn", "c_proj", "c_fc"],
            fan_in_fan_out=True,  # GPT-2's layers are Conv1D, which stores weights transposed
            trainable_token_indices={"wte": tag_ids(tokenizer)},
        ),
    )
    history: list[dict] = []

    class SlotTrainer(Trainer):
        """The loss is over the answers at the slots."""

        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            labels = inputs.pop("labels")
            outputs = model(**inputs)
            loss = slot_loss(outputs.logits, labels, encoder.answers())
            return (loss, outputs) if return_outputs else loss

    class DevScores(TrainerCallback):
        """Placement on the dev set after each epoch, at threshold 0."""

        def on_evaluate(self, args, state, control, metrics=None, **_):
            if not np.isfinite(metrics["eval_loss"]):
                raise HarnessError(f"the loss is {metrics['eval_loss']} after epoch {state.epoch:.0f}",
                                   remedy="lower the learning rate")  # fmt: skip
            f1 = score_placement(dev, place(model, encoder, dev, {}), n_resamples=0).micro.f1.value
            losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
            history.append(
                {"epoch": round(state.epoch), "loss": losses[-1], "eval_loss": metrics["eval_loss"], "dev_f1": f1}
            )
            if log:
                log(history[-1])

    (folder / SUMMARY).unlink(missing_ok=True)
    checkpoints = folder / "checkpoints"
    shutil.rmtree(checkpoints, ignore_errors=True)
    arguments = TrainingArguments(
        output_dir=str(checkpoints), num_train_epochs=config.epochs, seed=config.seed, data_seed=config.seed,
        per_device_train_batch_size=config.batch_size, per_device_eval_batch_size=32,
        learning_rate=config.learning_rate, lr_scheduler_type="cosine", warmup_steps=10,
        eval_strategy="epoch", save_strategy="epoch", logging_strategy="epoch", save_total_limit=1,
        load_best_model_at_end=True, metric_for_best_model="eval_loss", label_names=["labels"],
        remove_unused_columns=False, prediction_loss_only=True,
        disable_tqdm=not progress, report_to=[], use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
    )  # fmt: skip
    trainer = SlotTrainer(
        model=model, args=arguments,
        train_dataset=[encoder.training(text) for text in training],
        eval_dataset=[encoder.training(text) for text in dev],
        data_collator=lambda rows: collate(rows, encoder.end),
        callbacks=[DevScores(), EarlyStoppingCallback(config.patience)],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)  # it prints every log line; `log` and the history have the figures
    trainer.train()
    margins = slot_margins(model, encoder, dev)
    thresholds = tune(margins, dev)
    tuned = score_placement(dev, choose(dev, margins, thresholds), n_resamples=0).micro.f1.value
    # Without this, peft would save all embeddings because their number changed; the trained rows are saved anyway.
    model.save_pretrained(str(folder / ADAPTER), save_embedding_layers=False)
    shutil.rmtree(checkpoints, ignore_errors=True)
    trainable, total = model.get_nb_trainable_parameters()
    write_json(
        folder / SUMMARY,
        {
            "config": asdict(config),
            "base_revision": base_revision(config.base_model),
            "thresholds": {tag.value: value for tag, value in thresholds.items()},
            "history": history,
            "dev_f1_tuned": tuned,
            "examples": {"train": len(training), "dev": len(dev)},
            "parameters": {"trainable": trainable, "all": total},
            "adapter_bytes": (folder / ADAPTER / "adapter_model.safetensors").stat().st_size,
            "seconds": round(time.monotonic() - begun, 1),
        },
    )
    return folder


def summary(folder: Path) -> dict:
    """What `train` wrote about the tagger in `folder`."""
    return read_json(folder / SUMMARY)
