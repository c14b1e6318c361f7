"""Train Higgs Audio v2 on recordings of tagged sentences, with either stack: LoRA or all weights, resumable.

A run folder holds ``config.json``, ``losses.jsonl``, ``checkpoint-N/``, ``logs/`` for tensorboard, and at the end
``adapter/`` (or ``model/``) and ``summary.json``, which is written last and marks the run as complete.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataError, HarnessError
from harness.higgs.batches import make_collator
from harness.higgs.checkpoints import check_type, load_model, load_tokenizer, resolve
from harness.higgs.formats import codebooks_of
from harness.higgs.lora import add_lora, without_peft
from harness.higgs.memory import estimate
from harness.higgs.memory_limit import weights_size
from harness.higgs.samples import Sample, load_samples
from harness.higgs.train_config import TrainConfig
from harness.higgs.trainer import LOSSES, read_losses, trainer_class
from harness.processes import call
from harness.processes.stacks import here
from harness.processes.surroundings import quiet_transformers
from harness.store import LOCK, locked, read_json, write_json

SUMMARY, CONFIG = "summary.json", "config.json"
_CHANGEABLE = {"save_every", "keep_checkpoints", "output"}  # these do not affect a step


def launch(
    config: TrainConfig, *, processes: int = 1, resume: bool = False, quiet: bool = False, cpu: bool = False
) -> dict[str, Any]:
    """Train in the environment of the configuration's stack, with one or several processes.

    Parameters
    ----------
    config : TrainConfig
        Configuration with absolute paths.
    processes : int
        Number of processes; several are started by ``accelerate launch``, one per GPU, or with gloo on CPUs.
    resume : bool
        Whether to continue from the last complete checkpoint in the output folder.
    quiet : bool
        Whether to hide progress.
    cpu : bool
        Whether to ignore GPUs.

    Returns
    -------
    dict
        Summary of the run.
    """
    if config.batch_size % (processes * config.accumulate):
        raise HarnessError(f"batch_size {config.batch_size} cannot be divided among {processes} processes and "
                           f"{config.accumulate} micro-batches", remedy="change one of them")  # fmt: skip
    out = Path(config.output)
    out.mkdir(parents=True, exist_ok=True)
    with locked(out, "training"):
        if not resume:
            check_fresh(out)
        read_samples(config)  # reports a bad manifest at once, and caches the codes for the workers
        launcher: tuple[str, ...] = ()
        if processes > 1:
            # `--multi_gpu` starts several processes on CPUs too; TrainingArguments then uses gloo.
            launcher = ("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(processes), "--num_machines",
                        "1", "--main_process_port", "0", "--mixed_precision", "no", "--dynamo_backend", "no")  # fmt: skip
        return call(config.stack, "harness.higgs.training:run", launcher=launcher, quiet=quiet,
                    fields=config.model_dump(mode="json"), resume=resume, quiet_trainer=quiet, cpu=cpu)  # fmt: skip


def run(fields: dict[str, Any], resume: bool = False, quiet_trainer: bool = True, cpu: bool = False) -> dict[str, Any]:
    """Call `train` with plain values, for `harness.processes.call`."""
    return train(TrainConfig.model_validate(fields), resume=resume, quiet=quiet_trainer, cpu=cpu).summary


@dataclass(frozen=True)
class Trained:
    """Summary of a finished run, and the model in memory."""

    summary: dict[str, Any]
    model: Any
    tokenizer: Any
    samples: list[Sample]


def train(config: TrainConfig, *, resume: bool = False, quiet: bool = True, cpu: bool = False) -> Trained:
    """Train in this process, which must have the configuration's stack; see `launch`.

    Raises
    ------
    DataError
        If a checkpoint, codec or manifest cannot be used; the message names file and line.
    NotANumber
        If a loss is not finite; the message names the samples, and checkpoints are kept.
    """
    if config.stack != here():
        raise HarnessError(f"this process has the {here()} stack, not {config.stack}", remedy="use `launch`")
    from transformers import set_seed

    quiet_transformers()
    out = Path(config.output)
    checkpoint = _prepare_folder(out, config, resume)
    set_seed(config.seed)
    model, tokenizer, samples = _load(config)
    total, trainable = model.num_parameters(), model.num_parameters(only_trainable=True)
    arguments = _arguments(config, quiet, cpu)
    collator = make_collator(config.stack, tokenizer, without_peft(model).config)
    longest = sorted(samples, key=lambda sample: -sample.codes.shape[1])[: arguments.per_device_train_batch_size]
    memory = _memory(config, model, collator(longest), total, trainable)
    first = _is_first_process()
    if first and not quiet:
        print(f"{len(samples)} samples, {trainable:,} of {total:,} parameters are trained; estimated memory per process:",
              *memory.lines(), sep="\n  ", file=sys.stderr)  # fmt: skip
    trainer = trainer_class()(samples, collator, model=model, args=arguments)
    begun = time.perf_counter()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = time.perf_counter() - begun
    name = "adapter" if config.method == "lora" else "model"
    if not first:
        return Trained({}, trainer.model, tokenizer, samples)
    trainer.model.save_pretrained(out / name, **({"save_embedding_layers": False} if config.method == "lora" else {}))
    tokenizer.save_pretrained(out / name)
    if config.method == "full":  # training writes its own class name and turns the cache off
        shutil.copyfile(resolve(config.model, config.revision) / "config.json", out / name / "config.json")
    losses = read_losses(out / LOSSES)
    summary = {
        "stack": config.stack,
        "method": config.method,
        "samples": len(samples),
        "steps": config.steps,
        "resumed_from": checkpoint.name if checkpoint else None,
        "processes": trainer.args.world_size,
        "seconds": seconds,
        "first_loss": losses[0]["loss"],
        "last_loss": losses[-1]["loss"],
        "parameters": total,
        "trainable": trainable,
        "memory_estimate": memory.total,
        "weights": str(out / name),
        "bytes": weights_size(out / name),
    }
    write_json(out / SUMMARY, summary)
    return Trained(summary, trainer.model, tokenizer, samples)


def _prepare_folder(out: Path, config: TrainConfig, resume: bool) -> Path | None:
    """Check that the folder is new or belongs to this configuration; return the checkpoint to resume from."""
    settings = config.model_dump(mode="json")
    if not resume:
        if _is_first_process():
            check_fresh(out)
            out.mkdir(parents=True, exist_ok=True)
            write_json(out / CONFIG, settings)
        return None
    if not (out / CONFIG).exists():
        raise HarnessError("there is nothing to resume", path=out, remedy="leave --resume out")
    before = read_json(out / CONFIG)
    # Every schedule but the constant one depends on the number of steps.
    free = _CHANGEABLE | ({"steps"} if config.schedule == "constant" else set())
    if changed := [name for name in settings if name not in free and settings[name] != before.get(name)]:
        raise HarnessError(f"the run was begun with {changed[0]}: {before.get(changed[0])!r}, not {settings[changed[0]]!r}",
                           path=out / CONFIG, remedy="restore it, or choose another output")  # fmt: skip
    checkpoint, losses = last_checkpoint(out), read_losses(out / LOSSES)
    saved = (out / SUMMARY).exists() or (losses and losses[-1]["step"] > config.save_every)
    if checkpoint is None and saved:
        raise HarnessError(
            "no complete checkpoint is left to resume from", path=out, remedy="start again in another output"
        )
    return checkpoint


def _is_first_process() -> bool:
    return os.environ.get("RANK", "0") == "0"


def check_fresh(out: Path) -> None:
    """Refuse a folder that holds a run, or anything else: training writes config.json and removes old checkpoints.

    The configuration and codes of a start that failed may be there.
    """
    names = {path.name for path in out.iterdir()} if out.is_dir() else set()
    ours = {"stack", "manifest", "codec"} <= _fields(out / CONFIG).keys()
    if ours and names & {SUMMARY, LOSSES} and (read_losses(out / LOSSES) or SUMMARY in names):
        raise HarnessError("the folder holds a run already", path=out, remedy="use --resume, or another output")
    left = {"codes", LOSSES, LOCK, "logs", "runs"} | ({CONFIG} if ours else set())
    if foreign := sorted(names - left):
        raise HarnessError(f"the folder holds something else: {foreign[0]}", path=out, remedy="choose another output")


def _fields(path: Path) -> dict[str, Any]:
    """Return a JSON file's content; nothing if it is missing, cut off, or not an object."""
    try:
        return read_json(path)
    except DataError:
        return {}


def last_checkpoint(out: Path) -> Path | None:
    """Return the newest complete checkpoint; ``trainer_state.json`` is written last, so it is missing from partial ones."""
    steps = {
        folder: _fields(folder / "trainer_state.json").get("global_step", 0) for folder in out.glob("checkpoint-*")
    }
    complete = [folder for folder, step in steps.items() if folder.name == f"checkpoint-{step}"]
    return max(complete, key=steps.__getitem__, default=None)


def _load(config: TrainConfig) -> tuple[Any, Any, list[Any]]:
    import torch

    dtype = "bfloat16" if config.precision == "bf16" and config.method == "lora" else "float32"
    model = load_model(config.model, config.stack, revision=config.revision, dtype=dtype)
    model.text_weight = config.text_weight
    samples = read_samples(config)
    tokenizer = load_tokenizer(resolve(config.model, config.revision))
    if config.method == "lora":
        torch.manual_seed(config.seed)
        model = add_lora(model, **config.lora.model_dump())
        for parameter in model.parameters():
            if parameter.requires_grad:  # AdamW would round away small updates of bf16 weights
                parameter.data = parameter.data.float()
    return model, tokenizer, samples


def read_samples(config: TrainConfig) -> list[Sample]:
    """Return the encoded samples of a configuration. The first call makes the codes; later ones read them."""
    model = check_type(resolve(config.model, config.revision), config.stack)
    samples = load_samples(Path(config.manifest), config.codec, Path(config.output) / "codes", *codebooks_of(model),
                           codec_revision=config.codec_revision)  # fmt: skip
    if len(samples) < config.batch_size:
        raise DataError(f"{len(samples)} samples are fewer than a batch of {config.batch_size}", path=config.manifest,
                        remedy="lower batch_size")  # fmt: skip
    return samples


def _memory(config: TrainConfig, model: Any, batch: dict[str, Any], total: int, trainable: int) -> Any:
    """Estimate the memory for the largest possible micro-batch."""
    inner = without_peft(model)
    text = getattr(inner.config, "text_config", inner.config)
    rows, tokens = batch["input_ids"].shape
    frames = batch["audio_out_ids"].shape[1] if "audio_out_ids" in batch else 0  # boson merges audio in later
    precision = "fp32" if config.precision == "fp32" else "mixed" if config.method == "lora" else "autocast"
    codebooks, entries = codebooks_of(inner.config.to_dict())
    logits = text.vocab_size + codebooks * (entries + 2)
    return estimate(total, trainable, precision, batch_tokens=rows * tokens + frames, layers=text.num_hidden_layers,
                    hidden=text.hidden_size, checkpointing=config.gradient_checkpointing, vocabulary=logits)  # fmt: skip


def _arguments(config: TrainConfig, quiet: bool, cpu: bool) -> Any:
    import torch
    from transformers import TrainingArguments

    os.environ["TENSORBOARD_LOGGING_DIR"] = str(Path(config.output) / "logs")  # transformers 5
    # transformers 4.46 writes this one, and reads it in the next run of the process
    os.environ["ACCELERATE_MIXED_PRECISION"] = config.precision if config.precision == "bf16" else "no"
    on_cpu = cpu or not torch.cuda.is_available()
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    known = {field.name for field in dataclasses.fields(TrainingArguments)}
    options: dict[str, Any] = {"logging_dir": os.environ["TENSORBOARD_LOGGING_DIR"]} if "logging_dir" in known else {}
    arguments = TrainingArguments(
        **options,
        output_dir=config.output,
        max_steps=config.steps,
        per_device_train_batch_size=config.batch_size // (processes * config.accumulate),
        gradient_accumulation_steps=config.accumulate,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup_steps,
        lr_scheduler_type=config.schedule,
        weight_decay=config.weight_decay,
        max_grad_norm=config.clip_norm,
        bf16=config.precision == "bf16",
        gradient_checkpointing=config.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False} if config.gradient_checkpointing else None,
        save_strategy="steps",
        save_steps=config.save_every,
        save_total_limit=config.keep_checkpoints,
        logging_steps=max(1, config.steps // 100),
        report_to=["tensorboard"],
        disable_tqdm=quiet,
        seed=config.seed,
        data_seed=config.seed,
        remove_unused_columns=False,
        label_names=["labels", "audio_labels"],
        prediction_loss_only=True,
        dataloader_drop_last=True,
        use_cpu=on_cpu,
        ddp_backend="gloo" if on_cpu and processes > 1 else None,
        ddp_find_unused_parameters=False,
    )
    # Several GPUs need several processes: DataParallel cannot split this batch.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments
