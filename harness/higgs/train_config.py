"""Read the configuration of a training run from a YAML file and check it before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.higgs.lora import DEFAULT_TARGETS
from harness.paths import exists
from harness.reading import read_settings

_PATHS = ("model", "codec", "manifest", "output")


class LoraSettings(BaseModel):
    """Settings of LoRA; see `harness.higgs.lora.add_lora`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(16, ge=1, le=1024)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: tuple[str, ...] = Field(DEFAULT_TARGETS, min_length=1)
    heads: tuple[str, ...] = ()  # trained completely; needed if they are random, as in the tiny checkpoints


class TrainConfig(BaseModel):
    """Settings in ``harness higgs train CONFIG.yaml``. Relative paths are relative to the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    stack: Literal["native", "boson"]
    model: str
    revision: str | None = None
    codec: str
    codec_revision: str | None = None
    manifest: str
    output: str
    method: Literal["lora", "full"] = "lora"
    lora: LoraSettings = LoraSettings()
    steps: int = Field(1000, ge=1)
    batch_size: int = Field(4, ge=1)  # samples per step, over all processes and micro-batches
    accumulate: int = Field(1, ge=1)  # micro-batches per step, to save memory
    learning_rate: float = Field(2e-4, gt=0)
    warmup_steps: int = Field(0, ge=0)
    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    weight_decay: float = Field(0.0, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    text_weight: float = Field(1.0, ge=0)
    precision: Literal["fp32", "bf16"] = "fp32"
    gradient_checkpointing: bool = False  # native stack only: boson_multimodal has none
    save_every: int = Field(200, ge=1)
    keep_checkpoints: int = Field(2, ge=1)
    seed: int = Field(0, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _possible(self) -> TrainConfig:
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size {self.batch_size} cannot be divided into {self.accumulate} micro-batches")
        if self.gradient_checkpointing and self.stack == "boson":
            raise ValueError("gradient_checkpointing: boson_multimodal's layers do not support it; use stack: native")
        if odd := [name for name in _PATHS if "\0" in getattr(self, name)]:
            raise ValueError(f"{odd[0]}: a file name cannot contain a null character")
        return self

    def resolved(self, folder: Path) -> TrainConfig:
        """Return a copy with absolute paths. Names that are not existing folders, such as hub names, are unchanged."""
        changes = {}
        for name in _PATHS:
            path = folder / getattr(self, name)
            if name in ("manifest", "output") or exists(path):
                changes[name] = str(path.resolve())
        return self.model_copy(update=changes)


def read_config(path: Path, **changes: Any) -> TrainConfig:
    """Read and check a configuration; `changes` override its fields.

    Raises
    ------
    DataError
        With the file and the field.
    """
    return read_settings(path, TrainConfig, **changes).resolved(path.parent)
