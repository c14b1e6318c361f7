"""Extend transformers' ``Trainer`` in three ways.

Both kinds of label count, the order of samples does not depend on the number of processes, and a loss that is not finite
stops the run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.higgs.batches import Collator, count_labels
from harness.higgs.samples import Sample

LOSSES = "losses.jsonl"


class NotANumber(HarnessError):
    """Raised when the loss is NaN or infinite."""

    exit_code = 1


class Order:
    """Order of the samples in one epoch, determined by seed and epoch alone, in whole steps.

    Samples that do not fill the last step are left out. Otherwise a step of several micro-batches would be cut short or
    reach into the next epoch, and would differ from the same step without micro-batches.
    """

    def __init__(self, samples: int, seed: int, step: int) -> None:
        self.samples, self.seed, self.epoch = samples, seed, 0
        self.count = samples // step * step

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; accelerate calls this before each one."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        import numpy as np

        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.samples)
        return iter(order[: self.count].tolist())


@cache
def trainer_class() -> Any:
    """Return the subclass; it is made on first use because importing transformers' Trainer takes seconds."""
    import torch
    from transformers import Trainer, TrainerCallback

    class HiggsTrainer(Trainer):
        """Train a model whose forward takes ``labels``, ``audio_labels`` and ``items``."""

        def __init__(self, samples: Sequence[Sample], collator: Collator, *, args: Any, **options: Any) -> None:
            step = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
            self.samples, self.order = samples, Order(len(samples), args.seed, step)

            def collate(rows: Sequence[int]) -> dict[str, torch.Tensor]:
                """Make a batch that also holds its sample numbers, for error messages."""
                return collator([samples[row] for row in rows]) | {"rows": torch.tensor(rows)}

            super().__init__(args=args, train_dataset=range(len(samples)), data_collator=collate, **options)
            self.model_accepts_loss_kwargs = True  # losses are already divided by the labels of the whole step
            self.parts = torch.zeros(3)
            self.rows: list[int] = []  # of this step, in this process
            self.add_callback(_LossWriter(self))

        def _get_train_sampler(self, *_: Any) -> Any:
            return self.order

        def get_batch_samples(self, *arguments: Any) -> tuple[list[Any], Any]:
            """Return the micro-batches of a step, and the number of its text and audio labels over all processes."""
            batches, _ = super().get_batch_samples(*arguments)  # it counts the text labels only
            if not batches:
                return batches, None
            counts = count_labels(batches).to(self.args.device)
            if self.args.world_size > 1:
                counts = self.accelerator.gather(counts[None]).sum(dim=0)
            return batches, counts

        def refuse(self, what: str, rows: Sequence[int]) -> None:
            """Stop the run with an error that names the samples."""
            names = ", ".join(self.samples[row].id for row in rows)
            raise NotANumber(
                f"step {self.state.global_step + 1}: {what} on the batch of samples {names}",
                remedy="earlier checkpoints are kept; look at these samples, or lower the learning rate",
            )

        def compute_loss(
            self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            """Return the loss times the number of processes, because DistributedDataParallel averages over them."""
            rows = inputs.pop("rows")
            out = model(**inputs, items=num_items_in_batch)
            loss = out["loss"]
            self.rows += rows.tolist()
            if not torch.isfinite(loss):
                self.refuse(f"the loss is {loss.item()}", rows.tolist())
            self.parts += torch.stack([loss, out["llm_loss"], out["audio_loss"]]).detach().float().cpu()
            scale = self.args.world_size
            return (loss * scale, out) if return_outputs else loss * scale

        def _load_rng_state(self, checkpoint: str | None) -> None:
            """Allow NumPy's random state, which transformers 4.46 stores and torch since 2.6 refuses to load."""
            import numpy as np

            reconstruct = np.empty(0).__reduce__()[0]
            allowed: list[Any] = [reconstruct, np.ndarray, np.dtype, type(np.dtype(np.uint32))]
            with torch.serialization.safe_globals(allowed):
                super()._load_rng_state(checkpoint)

    class _LossWriter(TrainerCallback):
        """Write one line per step: step, loss, and its two parts, in nats per label."""

        def __init__(self, trainer: HiggsTrainer) -> None:
            self.trainer = trainer
            self.path = Path(str(trainer.args.output_dir)) / LOSSES

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            """Keep the lines up to the checkpoint and drop later ones."""
            if state.is_world_process_zero:
                kept = [line for line in read_losses(self.path) if line["step"] <= state.global_step]
                self.path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")

        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            """Stop before gradients that are not finite reach the weights; the loss may still be finite."""
            grads = [(name, one.grad) for name, one in model.named_parameters() if one.grad is not None]
            if wrong := next((name for name, grad in grads if not grad.isfinite().all()), None):
                self.trainer.refuse(f"the gradient of {wrong} is not finite", self.trainer.rows)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            """Sum over processes and append a line."""
            parts = self.trainer.parts
            if args.world_size > 1:
                parts = self.trainer.accelerator.gather(parts[None].to(args.device)).sum(dim=0)
            self.trainer.parts, self.trainer.rows = torch.zeros(3), []
            if state.is_world_process_zero:
                line = {"step": state.global_step, **dict(zip(("loss", "text", "audio"), parts.tolist(), strict=True))}
                with self.path.open("a", encoding="utf-8") as handle:
                    handle.write(json.dumps(line) + "\n")

    return HiggsTrainer


def read_losses(path: Path) -> list[dict[str, float]]:
    """Return the loss curve written so far, without an incomplete last line."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found
