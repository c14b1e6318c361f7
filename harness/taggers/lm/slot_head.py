"""The strongest tagger: LoRA on a bidirectional language model, and a small head on the states at each slot.

This model cannot generate text. Without the causal mask, one pass over one copy of the text sees both sides of each slot. The
head gets the word before the slot, the word after it and the beginning of the next. Chapter 07 measures it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.datasets import UNLABELLED
from harness.errors import DataError, HarnessError
from harness.records import Example
from harness.taggers.base import register_tagger
from harness.taggers.fitted import SlotTagger
from harness.taggers.lm.base_model import context_length, load_base
from harness.taggers.lm.words import STATES, WordEncoder, gather, layout, of_slots, pad_layouts
from harness.taggers.slots import TAG_QUESTIONS, Questions, Scores, SlotText, columns, log_softmax

TOKENS_A_PASS = 6144
HIDDEN = 256  # width of the head


@dataclass(frozen=True)
class SlotHeadConfig:
    """Training settings of the model.

    Parameters
    ----------
    base_model : str
        See `harness.taggers.lm.base_model.resolve`.
    layers : int
        Number of lower layers to keep; a larger number than the base has keeps all.
    epochs : int
        Passes over the texts. With `keep_best` the epoch with the lowest dev loss is kept.
    strength_weight : float
        Weight of the squared error of the measured strengths, for texts that have them.
    """

    base_model: str = "embedded"
    layers: int = 16
    epochs: int = 12
    learning_rate: float = 1e-3
    batch_size: int = 8
    lora_rank: int = 16
    dropout: float = 0.1
    strength_weight: float = 0.3
    keep_best: bool = True
    precision: str = "bfloat16"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("layers", "epochs", "batch_size", "lora_rank"):
            if getattr(self, name) < 1:
                raise DataError(f"{name} must be at least 1, got {getattr(self, name)}")


class SlotHeadModel:
    """A slot model; see `harness.taggers.slots.SlotModel`.

    Parameters
    ----------
    questions : tuple of Question
    config : SlotHeadConfig
    log : callable, optional
        Called with the figures that the trainer logs.
    """

    def __init__(self, questions: Questions, config: SlotHeadConfig, log: Callable[[dict], None] | None = None) -> None:
        self.questions = questions
        self.config = config
        self.log = log

    def fit(self, train: Sequence[SlotText], dev: Sequence[SlotText]) -> None:
        """Train the adapter and the head together."""
        import tempfile

        import torch
        from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed

        config = self.config
        set_seed(config.seed)
        self._network, self._encoder = _network(config, self.questions)
        rows, dev_rows = ([self._row(text) for text in texts] for texts in (train, dev))
        network, log = self._network, self.log
        best: dict[str, Any] = {}

        class Watch(TrainerCallback):
            """Keeps the best weights in memory, because they are small."""

            def on_log(self, args, state, control, logs=None, **_):
                if log:
                    log({"step": state.global_step, "steps": state.max_steps, **(logs or {})})

            def on_evaluate(self, args, state, control, metrics=None, **_):
                loss = metrics["eval_loss"]
                if not np.isfinite(loss):
                    raise HarnessError(f"the loss is {loss} after epoch {state.epoch:.0f}",
                                       remedy="lower the learning rate")  # fmt: skip
                if not best or loss < best["loss"]:
                    learned = {name: value for name, value in network.named_parameters() if value.requires_grad}
                    best.update(loss=loss, weights=copy.deepcopy(learned))

        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder, num_train_epochs=config.epochs, seed=config.seed, data_seed=config.seed,
                per_device_train_batch_size=config.batch_size, per_device_eval_batch_size=32,
                learning_rate=config.learning_rate, lr_scheduler_type="cosine", warmup_steps=20, weight_decay=0.01,
                eval_strategy="epoch" if config.keep_best else "no", save_strategy="no", logging_steps=20,
                label_names=["labels"], remove_unused_columns=False, prediction_loss_only=True,
                train_sampling_strategy="group_by_length", bf16=config.precision == "bfloat16", disable_tqdm=True,
                report_to=[], use_cpu=not torch.cuda.is_available(), dataloader_pin_memory=torch.cuda.is_available(),
            )  # fmt: skip
            trainer = Trainer(
                model=network, args=arguments, train_dataset=rows, eval_dataset=dev_rows, data_collator=self._collate,
                callbacks=[Watch()],
            )  # fmt: skip
            trainer.remove_callback(PrinterCallback)
            trainer.train()
        if best:
            network.load_state_dict(best["weights"], strict=False)

    def slot_scores(self, texts: Sequence[Sequence[str]]) -> list[Scores]:
        """Score each text in one pass; a text longer than the context is scored in pieces."""
        import torch

        network = self._network.eval()

        def scores(batch: dict[str, Any]) -> Scores:
            logits = network(**{name: values.to(network.device) for name, values in batch.items()})["logits"]
            return log_softmax(logits.float().cpu().numpy(), self.questions)

        half = self.config.precision == "bfloat16"
        with torch.inference_mode(), torch.autocast(network.device.type, torch.bfloat16, enabled=half):
            return of_slots(self._encoder, texts, scores, budget=self._budget, tokens=TOKENS_A_PASS)

    @property
    def _budget(self) -> int:
        return context_length(self._network.trunk) - 2  # without the two end tokens

    def _row(self, text: SlotText) -> dict[str, Any]:
        end = self._encoder.windows(text.words, self._budget, 1)[0][1]
        values = np.full(text.labels.shape, np.nan, np.float32) if text.values is None else text.values
        laid = layout(self._encoder, text.words[:end])
        return {"input_ids": laid.ids, "layout": laid, "labels": text.labels[: end + 1], "values": values[: end + 1]}

    def _collate(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        import torch

        batch = pad_layouts([row["layout"] for row in rows], self._encoder.end)
        shape = (len(rows), batch["index"].shape[1], len(self.questions))
        batch["labels"] = torch.full(shape, UNLABELLED)
        batch["values"] = torch.full(shape, float("nan"))
        for k, row in enumerate(rows):
            batch["labels"][k, : len(row["labels"])] = torch.from_numpy(row["labels"])
            batch["values"][k, : len(row["values"])] = torch.from_numpy(row["values"])
        return batch


def _network(config: SlotHeadConfig, questions: Questions) -> tuple[Any, WordEncoder]:
    """Return a `torch.nn.Module` of the trunk with its adapter and the head, which returns ``loss`` and ``logits``."""
    import torch
    from peft import LoraConfig, get_peft_model
    from torch import nn
    from torch.nn import functional
    from transformers.pytorch_utils import Conv1D

    base, tokenizer = load_base(config.base_model, dtype=config.precision)
    trunk: Any = base.base_model
    stack = next(module for module in trunk.children() if isinstance(module, nn.ModuleList))
    del stack[config.layers :]
    adapted = get_peft_model(
        trunk,
        LoraConfig(
            r=config.lora_rank, lora_alpha=2 * config.lora_rank, target_modules="all-linear",
            fan_in_fan_out=any(isinstance(module, Conv1D) for module in trunk.modules()),
        ),
    )  # fmt: skip
    parts = columns(questions)
    n_answers = parts[-1].stop
    width = STATES * trunk.config.hidden_size

    class Network(nn.Module):
        """See `_network`."""

        def __init__(self) -> None:
            super().__init__()
            self.trunk = adapted
            self.head = nn.Sequential(
                nn.LayerNorm(width), nn.Dropout(config.dropout), nn.Linear(width, HIDDEN), nn.GELU(),
                nn.Dropout(config.dropout), nn.Linear(HIDDEN, n_answers + len(questions)),
            )  # fmt: skip

        @property
        def device(self):
            return next(self.parameters()).device

        def forward(self, input_ids, known, index, labels=None, values=None):
            # Every token attends to every other: the mask hides padding only.
            hidden = torch.zeros(known.shape[0], 1, 1, known.shape[1], device=known.device)
            mask = hidden.masked_fill(~known[:, None, None, :], torch.finfo(torch.float32).min)
            mask = mask.expand(-1, 1, known.shape[1], -1).to(next(self.trunk.parameters()).dtype)
            states = self.trunk(input_ids=input_ids, attention_mask=mask, use_cache=False)[0]
            out = self.head(gather(states, index).float()).float()
            logits, strengths = out[..., :n_answers], out[..., n_answers:]
            if labels is None:
                return {"logits": logits}
            loss = sum(
                functional.cross_entropy(logits[..., part].flatten(0, 1), labels[..., k].flatten(),
                                         ignore_index=UNLABELLED)
                for k, part in enumerate(parts) if (labels[..., k] != UNLABELLED).any()
            )  # fmt: skip
            measured = values.isfinite()
            if measured.any():
                error = functional.mse_loss(strengths[measured], values[measured])
                loss = loss + config.strength_weight * error
            return {"loss": loss, "logits": logits}

    return Network(), WordEncoder(tokenizer)


@register_tagger("lm_slots")
class SlotHeadTagger(SlotTagger):
    """LoRA on a base model, and a small head that scores the answers at each slot (`SlotHeadModel`).

    Parameters
    ----------
    examples : sequence of Example, optional
    limits : bool, optional
        Whether to keep the annotation guide's limits; by default, if the examples keep them.
    **config
        Fields of `SlotHeadConfig`, such as ``base_model="smollm2"`` or ``seed=1``.
    """

    def __init__(self, examples: Sequence[Example] | None = None, limits: bool | None = None, **config: Any) -> None:
        settings = SlotHeadConfig(**config)
        super().__init__("lm_slots", lambda: SlotHeadModel(TAG_QUESTIONS, settings), examples, settings.seed, limits)
