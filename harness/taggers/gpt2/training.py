"""Fine-tune a causal language model to place tags: LoRA, trainable rows for the new tokens, the Hugging Face Trainer.

    harness train gpt2 --base-model embedded --epochs 20

With LoRA on the layers only, the embeddings of the new tokens keep their initial values, so the model can neither recognise
nor predict them. ``trainable_token_indices`` trains exactly those rows.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.datasets import grouped_folds
from harness.errors import DataError, HarnessError
from harness.paths import DATA, MODELS, relative
from harness.placement import score_placement
from harness.records import Example, digest
from harness.store import read_json, write_json
from harness.tagged import TaggedText
from harness.taggers.gpt2.config import TrainingConfig
from harness.taggers.gpt2.encoding import IGNORED, Encoder, collate, new_tokens
from harness.taggers.gpt2.locking import alone
from harness.taggers.gpt2.slot_logits import logits_at, slot_loss, slot_scores
from harness.taggers.limits import Limits, limits_for
from harness.taggers.lm.base_model import base_revision, context_length, load_base
from harness.taggers.slots import TAG_QUESTIONS, Questions, SlotText, choose, from_tags, margins, tune

SUMMARY = "tagger.json"  # written last: if it exists, the tagger is complete
HISTORY = "history.json"
ADAPTER = "adapter"
CHECKPOINTS = "checkpoints"
LOGS = "logs"  # for tensorboard --logdir
SHIPPED = DATA / "models"  # taggers that come with the project, in folders named like those in MODELS
STAMP = "training.json"  # settings and data that the checkpoints in this folder belong to
BAR_SECONDS = (0.2, 10.0)  # between two states of the progress bar: on a terminal, and in a log
Log = Callable[[dict], None]


def tagger_folder(config: TrainingConfig, examples: Sequence[Example]) -> Path:
    """Return the folder for a tagger trained with these settings, base and examples; its name is their digest."""
    data = digest(*(example.line() for example in examples))
    key = digest(config.settings(), base_revision(config.base_model), data, length=10)
    return MODELS / f"gpt2-{key}"


def ensure_trained(config: TrainingConfig, examples: Sequence[Example], **options) -> Path:
    """Return the folder of the tagger with these settings; if there is none, train it, or resume an interrupted training.

    The tagger with the default settings comes with the project. One that was trained on this machine takes precedence.
    """
    folder = tagger_folder(config, examples)
    for known in (folder, SHIPPED / folder.name):
        if (known / SUMMARY).is_file():
            return known
    return train(config, examples, folder, resume=True, if_missing=True, **options)


def train(
    config: TrainingConfig,
    examples: Sequence[Example],
    folder: Path,
    *,
    log: Log | None = None,
    progress: bool = True,
    resume: bool = False,
    if_missing: bool = False,
) -> Path:
    """Train a tagger and write its adapter, thresholds and history to `folder`.

    If another process trains in the same folder, wait for it, and use its tagger if that has the same settings and data.

    Parameters
    ----------
    config : TrainingConfig
    examples : sequence of Example
        One grouped fold is held out as dev set: it chooses the epoch (lowest dev loss) and the thresholds. With a teacher, all
        are used for training, and nothing is chosen (`harness.taggers.gpt2.distil`).
    folder : Path
        Created if missing; an existing tagger in it is replaced.
    log : callable, optional
        Called after each epoch with its figures: ``epoch``, ``loss``, ``eval_loss``, ``dev_f1``.
    progress : bool
        Whether to say on standard error what is trained, and to show a progress bar there.
    resume : bool
        Whether to resume from the last checkpoint in `folder`, if it belongs to the same settings and data.
    if_missing : bool
        Whether to keep a finished tagger in `folder` instead of replacing it.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    HarnessError
        If there are too few groups to hold out a dev set, or the loss is not finite.
    """
    if not any(example.tagged.tags for example in examples):
        raise DataError(
            f"expected examples with tags to learn from, but none of the {len(examples)} examples has a tag"
        )
    rows, dev_rows = list(range(len(examples))), list[int]()
    if not config.distil:
        rows, dev_rows = grouped_folds([e.group for e in examples], config.dev_folds, config.seed)[0]
    training = [from_tags(examples[row].tagged) for row in rows]
    dev = [examples[row].tagged for row in dev_rows]
    limits = limits_for(example.tagged for example in examples)
    with alone(folder) as waited:
        finished = (folder / SUMMARY).is_file()
        same = _is_stamped(folder, _stamp(config, TAG_QUESTIONS, training))
        if not (finished and (if_missing or (waited and same))):
            if config.distil:
                from harness.taggers.gpt2.distil import distil

                distil(config, examples, folder, limits=limits, log=log, progress=progress)
            else:
                _train(config, training, dev, folder, limits=limits, log=log, progress=progress, resume=resume)
    return folder


def _train(
    config: TrainingConfig, training: Sequence[SlotText], dev: Sequence[TaggedText], folder: Path, *,
    limits: Limits | None, log: Log | None, progress: bool, resume: bool,
) -> None:  # fmt: skip
    """Fit the model, tune the thresholds, and write the summary."""

    def dev_f1(scores) -> dict:
        placed = choose([text.words for text in dev], margins(scores), {})
        return {"dev_f1": score_placement(dev, placed, n_resamples=0).micro.f1.value}

    model, encoder, figures = fit(
        config, TAG_QUESTIONS, training, [from_tags(text) for text in dev], folder,
        score=dev_f1, log=log, progress=progress, resume=resume,
    )  # fmt: skip
    margin = margins(slot_scores(model, encoder, [text.words for text in dev]))
    thresholds = tune(margin, dev, limits)
    placed = choose([text.words for text in dev], margin, thresholds, limits)
    write_json(
        folder / SUMMARY,
        {
            **figures,
            "limits": limits is not None,
            "thresholds": {tag.value: value for tag, value in thresholds.items()},
            "dev_f1_tuned": score_placement(dev, placed, n_resamples=0).micro.f1.value,
        },
    )


def _announce(config: TrainingConfig, examples: int, folder: Path) -> None:
    long = "one to three minutes on one core" if config.base_model == "embedded" else "longer for a larger base model"
    print(f"harness: training a GPT-2 tagger on {examples} examples (base model {config.base_model}, at most "
          f"{config.epochs} epochs); this takes {long}, once: the result is kept in {relative(folder)}",
          file=sys.stderr, flush=True)  # fmt: skip


def fit(
    config: TrainingConfig,
    questions: Questions,
    training: Sequence[SlotText],
    dev: Sequence[SlotText],
    folder: Path,
    *,
    score: Callable[[list], dict] | None = None,
    log: Log | None = None,
    progress: bool = True,
    resume: bool = False,
) -> tuple[Any, Encoder, dict]:
    """Fine-tune the base on texts with known answers to `questions`.

    Parameters
    ----------
    config : TrainingConfig
    questions : tuple of Question
    training, dev : sequences of SlotText
        `dev` chooses the epoch: the lowest dev loss.
    folder : Path
        Receives the adapter, the tensorboard logs and, during training, checkpoints. Its `SUMMARY` is removed first: the caller
        writes it.
    score : callable, optional
        Called with the dev scores after each epoch; returns more figures for its row of the history.
    log, progress, resume
        See `train`.

    Returns
    -------
    model, encoder, figures
        The trained PeftModel, its encoder, and the figures of the training.
    """
    import torch
    from tqdm import tqdm
    from transformers import (
        EarlyStoppingCallback,
        PrinterCallback,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        set_seed,
    )

    begun = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"the tagger's folder cannot be created: {error.strerror}", path=folder) from error
    set_seed(config.seed)
    model, encoder = adapted(config, questions)
    limit = context_length(model)
    rows = [row for text in training for row in rows_of(config, encoder, text) if len(row["input_ids"]) <= limit]
    dev_rows = [row for text in dev for row in rows_of(config, encoder, text) if len(row["input_ids"]) <= limit]
    if not rows:
        raise DataError(f"no training text fits the model's context of {limit} tokens")
    history: list[dict] = []

    class SlotTrainer(Trainer):
        """Computes the loss over the answers at the slots and over the tokens of the generated copy."""

        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            from torch.nn.functional import cross_entropy

            answers, following = inputs.pop("answers"), inputs.pop("next_ids")
            where = (answers != IGNORED).any(dim=-1) | (following != IGNORED)
            logits, following = logits_at(model, inputs, where), following[where]
            loss = slot_loss(logits, answers[where], encoder.answer_ids)
            if (following != IGNORED).any():
                loss = loss + cross_entropy(logits.float(), following, ignore_index=IGNORED)
            return (loss, {"loss": loss}) if return_outputs else loss

        def _save(self, output_dir=None, state_dict=None):
            # The default would write all embeddings into each checkpoint, because their number changed.
            save_adapter(model, Path(str(output_dir or self.args.output_dir)), config)

    class Watch(TrainerCallback):
        """Writes the history after each epoch, shows the progress, and stops if the loss is not finite."""

        def on_train_begin(self, args, state, control, **_):
            shown = progress and state.is_world_process_zero
            if shown:
                _announce(config, len(training) + len(dev), folder)
            seconds = BAR_SECONDS[not sys.stderr.isatty()]
            self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc="training", unit="step",
                            file=sys.stderr, mininterval=seconds, disable=not shown)  # fmt: skip

        def on_step_end(self, args, state, control, **_):
            self.bar.update()

        def on_train_end(self, args, state, control, **_):
            self.bar.close()

        def on_evaluate(self, args, state, control, metrics=None, **_):
            if not torch.tensor(metrics["eval_loss"]).isfinite():
                raise HarnessError(f"the loss is {metrics['eval_loss']} after epoch {state.epoch:.0f}",
                                   remedy="lower the learning rate")  # fmt: skip
            losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
            row = {"epoch": round(state.epoch), "loss": losses[-1], "eval_loss": metrics["eval_loss"]}
            if score:
                row |= score(slot_scores(model, encoder, [text.words for text in dev], bf16=config.bf16))
            history.append(row)
            write_json(folder / HISTORY, {"epochs": history})
            if log:
                log(row)

    arguments = TrainingArguments(
        output_dir=str(folder / CHECKPOINTS), num_train_epochs=config.epochs, seed=config.seed, data_seed=config.seed,
        per_device_train_batch_size=config.batch_size, per_device_eval_batch_size=32,
        learning_rate=config.learning_rate, lr_scheduler_type="cosine", warmup_steps=10,
        eval_strategy="epoch", save_strategy="epoch", logging_strategy="epoch", save_total_limit=2,
        load_best_model_at_end=True, metric_for_best_model="eval_loss", label_names=["answers"],
        remove_unused_columns=False, prediction_loss_only=True, train_sampling_strategy="group_by_length",
        bf16=config.bf16, disable_tqdm=True, report_to=["tensorboard"],
        use_cpu=not torch.cuda.is_available(), dataloader_pin_memory=torch.cuda.is_available(),
    )  # fmt: skip
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(folder / LOGS)
    trainer = SlotTrainer(
        model=model, args=arguments, train_dataset=rows, eval_dataset=dev_rows,
        data_collator=lambda rows: collate(rows, encoder.end, mask_pads=config.mask_pads),
        callbacks=[Watch(), EarlyStoppingCallback(config.patience)],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)  # it would print every log line; `log` and the history have the figures
    last = _prepare(folder, config, questions, training, resume)
    if last:
        history += read_json(folder / HISTORY)["epochs"][: round(last[1])]
    trainer.train(resume_from_checkpoint=str(last[0]) if last else None)
    save_adapter(model, folder / ADAPTER, config)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    trainable, total = model.get_nb_trainable_parameters()
    figures = {
        "config": config.settings(),
        "base_revision": base_revision(config.base_model),
        "questions": [asdict(question) for question in questions],
        "history": history,
        "examples": {"train": len(training), "dev": len(dev)},
        "parameters": {"trainable": trainable, "all": total},
        "adapter_bytes": (folder / ADAPTER / "adapter_model.safetensors").stat().st_size,
        "seconds": round(time.monotonic() - begun, 1),
    }
    return model, encoder, figures


def read_summary(folder: Path) -> dict:
    """Return the summary that `train` wrote for the tagger in `folder`."""
    return read_json(folder / SUMMARY)


def adapted(config: TrainingConfig, questions: Questions) -> tuple[Any, Encoder]:
    """Return the base with a new adapter, and the encoder for its tokenizer.

    LoRA is applied to all linear layers except the output. GPT-2 uses Conv1D, which stores its weights transposed.
    """
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers.pytorch_utils import Conv1D

    base, tokenizer = load_base(config.base_model, new_tokens(questions))
    encoder = Encoder(tokenizer, questions, config.prompt_format)
    embedding = next(name for name, module in base.named_modules() if module is base.get_input_embeddings())
    table = embedding.split(".")[-1]
    how: dict[str, Any] = {}
    if config.tag_embeddings == "token_indices":
        how["trainable_token_indices"] = {table: list(encoder.answers.values())}
    elif config.tag_embeddings == "modules_to_save":
        how["modules_to_save"] = [table]
    model = get_peft_model(
        base,
        LoraConfig(
            task_type=TaskType.CAUSAL_LM, r=config.lora_rank, lora_alpha=2 * config.lora_rank,
            lora_dropout=config.lora_dropout, target_modules="all-linear",
            fan_in_fan_out=any(isinstance(module, Conv1D) for module in base.modules()), **how,
        ),
    )  # fmt: skip
    return model, encoder


def save_adapter(model: Any, folder: Path, config: TrainingConfig) -> None:
    """Write the adapter with the trained embedding rows, without the others."""
    model.save_pretrained(str(folder), save_embedding_layers=config.tag_embeddings == "modules_to_save")


def rows_of(config: TrainingConfig, encoder: Encoder, text: SlotText) -> list[dict]:
    """Return the training rows of a text for the configured objective."""
    return [encoder.slot_row(text), *([encoder.generation_row(text)] if config.objective == "both" else [])]


def _prepare(
    folder: Path, config: TrainingConfig, questions: Questions, training: Sequence[SlotText], resume: bool
) -> tuple[Path, float] | None:
    """Return the newest complete checkpoint of the same training and its epoch, or clear the folder."""
    from transformers.trainer_callback import TrainerState

    stamp = _stamp(config, questions, training)
    (folder / SUMMARY).unlink(missing_ok=True)
    same = _is_stamped(folder, stamp)
    states = list((folder / CHECKPOINTS).glob("checkpoint-*/trainer_state.json"))  # the Trainer writes it last
    if resume and same and states:
        newest = max(states, key=lambda path: int(path.parent.name.split("-")[1]))
        return newest.parent, TrainerState.load_from_json(str(newest)).epoch or 0.0
    for name in (CHECKPOINTS, LOGS):
        shutil.rmtree(folder / name, ignore_errors=True)
    write_json(folder / STAMP, {"digest": stamp})
    return None


def _stamp(config: TrainingConfig, questions: Questions, training: Sequence[SlotText]) -> str:
    return digest(config.settings(), base_revision(config.base_model), repr(questions),
                  *(f"{text.words}{text.labels.tolist()}" for text in training))  # fmt: skip


def _is_stamped(folder: Path, stamp: str) -> bool:
    return (folder / STAMP).is_file() and read_json(folder / STAMP).get("digest") == stamp
