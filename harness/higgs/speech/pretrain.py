"""Train a small Higgs Audio v2 from random weights on clips of `harness higgs teach`.

The run folder holds ``checkpoint.pt`` (weights, optimisers, step), ``losses.jsonl``, ``logs/`` for tensorboard, and ``model/``, a
checkpoint that `HiggsNativeEngine` loads. All that is random follows from the seed and the step, so a run that was stopped goes on as
if it had not been.
"""

from __future__ import annotations

import io
import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from harness.errors import DataError
from harness.higgs.batches import ANSWER_BEGIN, audio_labels, encode
from harness.higgs.checkpoints import load_tokenizer
from harness.higgs.delay import delay
from harness.higgs.formats import native_model
from harness.higgs.labels import IGNORED
from harness.higgs.samples import Sample, prompt
from harness.higgs.speech.codec import ENTRIES
from harness.higgs.speech.lean import audio_logits
from harness.higgs.speech.pretrain_config import PretrainConfig
from harness.higgs.speech.shards import DEV, read_shards
from harness.higgs.speech.tokenizer import write_word_tokenizer
from harness.higgs.trainer import LOSSES, NotANumber, Order
from harness.processes.surroundings import quiet_transformers
from harness.store import locked, read_json, write_atomic, write_json

CHECKPOINT, MODEL = "checkpoint.pt", "model"
BOS, EOS = ENTRIES, ENTRIES + 1
BETAS = 0.9, 0.95


@dataclass(frozen=True)
class Batch:
    """A batch for `audio_logits`, and its labels of shape (batch, columns, codebooks)."""

    text: torch.Tensor
    padding: torch.Tensor
    audio: torch.Tensor
    labels: torch.Tensor


class Batches:
    """Batches of samples: text padded on the left, audio on the right.

    Parameters
    ----------
    tokenizer
    samples : sequence of Sample
    """

    def __init__(self, tokenizer: Any, samples: Sequence[Sample]) -> None:
        self.tokenizer, self.samples = tokenizer, samples
        self._ids = lru_cache(maxsize=None)(self._encoded)

    def _encoded(self, text: str) -> list[int]:
        return encode(self.tokenizer, prompt(text) + ANSWER_BEGIN)

    def of(self, chosen: Sequence[int], *, bare: Sequence[bool] | None = None) -> Batch:
        """Return the batch of the samples with these indices; those that are `bare` lose their final full stop."""
        texts, clips = [], []
        for place, index in enumerate(chosen):
            sample = self.samples[index]
            text = sample.text.removesuffix(".") if bare is not None and bare[place] else sample.text
            texts.append(self._ids(text))
            clips.append(sample.codes.astype(np.int64))
        return batch_of(texts, clips, self.tokenizer.pad_token_id)


def batch_of(texts: Sequence[Sequence[int]], clips: Sequence[np.ndarray], pad: int) -> Batch:
    """Return a batch of token ids and codes of shape (codebooks, frames)."""
    longest = max(map(len, texts))
    columns = max(codes.shape[1] for codes in clips) + len(clips[0]) + 1
    text = torch.full((len(texts), longest), pad)
    audio = torch.full((len(texts), columns, len(clips[0])), EOS)
    labels = torch.full(audio.shape, IGNORED)
    for row, (ids, codes) in enumerate(zip(texts, clips, strict=True)):
        text[row, longest - len(ids) :] = torch.tensor(ids)
        delayed = torch.from_numpy(delay(codes, BOS, EOS).T.copy())
        audio[row, : len(delayed)] = delayed
        labels[row, : len(delayed)] = torch.from_numpy(audio_labels(codes, EOS).T.copy())
    return Batch(text, torch.tensor([longest - len(ids) for ids in texts]), audio, labels)


def codebook_losses(model: Any, batch: Batch, *, by_clip: bool = False) -> torch.Tensor:
    """Return the cross-entropy of each codebook in nats a code, shape (codebooks,), or (batch, codebooks) if `by_clip`."""
    logits = audio_logits(model, batch.text, batch.padding, batch.audio)[:, :-1]
    target = batch.labels[:, 1:]
    losses = functional.cross_entropy(
        logits.permute(0, 3, 1, 2).float(), target, ignore_index=IGNORED, reduction="none"
    )
    axes = 1 if by_clip else (0, 1)
    return losses.sum(dim=axes) / (target != IGNORED).sum(dim=axes).clamp(min=1)


def noisy(batch: Batch, config: PretrainConfig, draw: torch.Generator) -> Batch:
    """Return a batch in which some clips have random codes among their inputs; the labels stay."""
    rows = len(batch.audio)
    spoilt = torch.rand(rows, 1, 1, generator=draw) < config.noise_share
    rate = torch.rand(rows, 1, 1, generator=draw) * config.noise * spoilt
    hit = (torch.rand(batch.audio.shape, generator=draw) < rate) & (batch.audio < ENTRIES)
    other = torch.randint(0, ENTRIES, batch.audio.shape, generator=draw)
    return Batch(batch.text, batch.padding, torch.where(hit, other, batch.audio), batch.labels)


def pretrain(config: PretrainConfig, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Train, or go on with a run that was stopped, and return a summary.

    Raises
    ------
    DataError
        If the folder holds a run of other settings (`steps` and the intervals may change), or its checkpoint is damaged.
    NotANumber
        If the loss is NaN or infinite; the last checkpoint is kept.
    """
    quiet_transformers()
    folder = Path(config.output)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, "training"):
        return _Run(config, folder).train(progress)


class _Run:
    def __init__(self, config: PretrainConfig, folder: Path) -> None:
        self.config, self.folder = config, folder
        self._check_settings()
        clips = Path(config.clips)
        tokens = write_word_tokenizer(folder, read_json(clips / "teach.json")["vocabulary"])
        tokenizer = load_tokenizer(folder)
        self.batches = Batches(tokenizer, read_shards(clips))
        self.dev = Batches(tokenizer, read_shards(clips / DEV)) if (clips / DEV).is_dir() else None
        torch.manual_seed(config.seed)
        self.model = native_model(config.network(tokens), "cpu", text_head=False)
        matrices = [one for name, one in self.model.named_parameters() if one.ndim == 2 and ".layers." in name]
        known = set(map(id, matrices))
        others = [one for one in self.model.parameters() if id(one) not in known]
        decay = [{"params": [one for one in others if one.ndim > 1], "weight_decay": config.weight_decay},
                 {"params": [one for one in others if one.ndim == 1], "weight_decay": 0.0}]  # fmt: skip
        self.optimisers = [
            torch.optim.Muon(matrices, lr=config.learning_rate, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(decay, lr=config.learning_rate, betas=BETAS, fused=True),
        ]  # fmt: skip
        self.step = self._resumed()
        self._forget_later_rows()
        self.order, self.epoch = list[int](), -1

    def train(self, progress: Callable[[int, int], None] | None) -> dict[str, Any]:
        from torch.utils.tensorboard import SummaryWriter

        config, begun, first = self.config, time.monotonic(), self.step
        weights = torch.tensor(config.codebook_weights)
        weights = weights / weights.sum()
        seen: list[torch.Tensor] = []
        with SummaryWriter(str(self.folder / "logs")) as board:
            self.model.train()
            while self.step < config.steps:
                losses = self._take_step(weights)
                seen.append(losses)
                if self.step % config.log_every == 0 or self.step == config.steps:
                    row = self._row(seen, weights, time.monotonic() - begun, self.step - first)
                    with (self.folder / LOSSES).open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
                    for name in ("loss", "dev"):
                        if name in row:
                            board.add_scalar(name, row[name], self.step)
                    seen = []
                if self.step % config.save_every == 0 or self.step == config.steps:
                    self._save()
                if progress:
                    progress(self.step, config.steps)
        return {"steps": self.step, "parameters": sum(one.numel() for one in self.model.parameters()),
                "seconds": round(time.monotonic() - begun, 1), "model": str(self.folder / MODEL)}  # fmt: skip

    def _take_step(self, weights: torch.Tensor) -> torch.Tensor:
        config = self.config
        draw = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step)
        bare = (torch.rand(config.batch_size, generator=draw) < 0.5).tolist()
        batch = noisy(self.batches.of(self._chosen(), bare=bare), config, draw)
        with torch.autocast("cpu", torch.bfloat16):
            losses = codebook_losses(self.model, batch)
        loss = (losses * weights).sum()
        if not torch.isfinite(loss):
            raise NotANumber(f"the loss is {loss.item()} at step {self.step + 1}", path=self.folder,
                             remedy="lower learning_rate; the last checkpoint is kept")  # fmt: skip
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        rate = self._rate()
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return losses.detach()

    def _chosen(self) -> list[int]:
        """Return the samples of the next step: neighbours in length, in an order that follows from seed and epoch."""
        size = self.config.batch_size
        steps = len(self.batches.samples) // size
        epoch, place = divmod(self.step, steps)
        if epoch != self.epoch:
            order = Order(len(self.batches.samples), self.config.seed, size)
            order.set_epoch(epoch)
            self.order, self.epoch = [*order], epoch
            for start in range(
                0, len(self.order), 8 * size
            ):  # the batches of a stretch, sorted by length, save padding
                stretch = self.order[start : start + 8 * size]
                self.order[start : start + 8 * size] = sorted(
                    stretch, key=lambda one: self.batches.samples[one].codes.shape[1]
                )
        return self.order[place * size : (place + 1) * size]

    def _rate(self) -> float:
        config = self.config
        share = 0.5 * (1 + math.cos(math.pi * self.step / config.steps))
        warm = min(1.0, (self.step + 1) / max(1, config.warmup_steps))
        return config.learning_rate * warm * (config.final_rate + (1 - config.final_rate) * share)

    def _row(self, seen: Sequence[torch.Tensor], weights: torch.Tensor, seconds: float, steps: int) -> dict[str, Any]:
        mean = torch.stack([*seen]).mean(dim=0)
        row = {"step": self.step, "loss": round(float((mean * weights).sum()), 4), "codebooks": [round(one, 3) for one in mean.tolist()],
               "seconds_per_step": round(seconds / steps, 3), "learning_rate": self._rate()}  # fmt: skip
        if self.dev and self.step % (4 * self.config.log_every) == 0:
            self.model.eval()
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                dev = codebook_losses(self.model, self.dev.of(range(len(self.dev.samples))))
            self.model.train()
            row |= {
                "dev": round(float((dev * weights).sum()), 4),
                "dev_codebooks": [round(one, 3) for one in dev.tolist()],
            }
        return row

    def _check_settings(self) -> None:
        path, free = self.folder / "settings.json", {"steps", "log_every", "save_every", "output", "clips"}
        mine = json.loads(self.config.model_dump_json())
        if path.is_file():
            other = read_json(path)
            changed = [name for name, value in mine.items() if name not in free and other.get(name) != value]
            if changed and (self.folder / CHECKPOINT).is_file():
                raise DataError(f"the run in this folder has another {changed[0]}: {other.get(changed[0])}", path=path,
                                remedy="choose another output, or delete the folder")  # fmt: skip
        write_json(path, mine)

    def _resumed(self) -> int:
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return 0
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.model.load_state_dict(state["model"])
            for optimiser, its in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(its)
        except (RuntimeError, KeyError, ValueError, EOFError, OSError) as error:
            raise DataError(f"the checkpoint cannot be read: {' '.join(str(error).split())[:200]}", path=path,
                            remedy="delete it to begin again") from error  # fmt: skip
        return int(state["step"])

    def _forget_later_rows(self) -> None:
        """Drop the losses of steps after the checkpoint: they will be taken again."""
        path = self.folder / LOSSES
        if path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            write_atomic(path, "".join(line for line in lines if json.loads(line)["step"] <= self.step))

    def _save(self) -> None:
        content = io.BytesIO()
        optimisers = [optimiser.state_dict() for optimiser in self.optimisers]
        torch.save({"model": self.model.state_dict(), "optimisers": optimisers, "step": self.step}, content)
        write_atomic(self.folder / CHECKPOINT, content.getvalue())
        part = self.folder / f"{MODEL}.part"
        shutil.rmtree(part, ignore_errors=True)
        export(self.model, self.folder, part)
        shutil.rmtree(self.folder / MODEL, ignore_errors=True)
        part.rename(self.folder / MODEL)


def export(model: Any, tokenizer: Path, out: Path, dtype: torch.dtype = torch.bfloat16) -> None:
    """Write a model with the tokenizer of a folder, as a checkpoint that can be loaded."""
    kept = {name: value.to(dtype).contiguous() for name, value in model.state_dict().items()}
    out.mkdir(parents=True)
    model.save_pretrained(out, state_dict=kept)
    config = read_json(out / "config.json")
    write_json(out / "config.json", {**config, "dtype": str(dtype).removeprefix("torch.")})
    for name in ("tokenizer.json", "tokenizer_config.json", "vocabulary.json"):
        shutil.copyfile(tokenizer / name, out / name)
