"""Read the configuration of ``harness higgs pretrain`` and check it before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.higgs.formats import native_config
from harness.higgs.speech.codec import CODEBOOKS, ENTRIES
from harness.higgs.tiny.layout import tiny_config
from harness.reading import read_settings

HEAD = 64  # width of an attention head
ROPE_THETA = 10000.0


class PretrainConfig(BaseModel):
    """Settings in ``harness higgs pretrain CONFIG.yaml``. Relative paths are relative to the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    clips: str  # folder of `harness higgs teach`
    output: str
    hidden: int = Field(256, ge=64, multiple_of=HEAD)
    intermediate: int = Field(512, ge=64)
    layers: int = Field(6, ge=1)
    steps: int = Field(10000, ge=1)
    batch_size: int = Field(16, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    warmup_steps: int = Field(100, ge=0)
    final_rate: float = Field(0.02, ge=0, le=1)  # share of the learning rate at the end of the cosine
    weight_decay: float = Field(0.05, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    # What the codes mean falls off with the codebook: 0 is most of the spectrum, 1 is F0.
    codebook_weights: tuple[float, ...] = (2.0, 2.0, 1.0, 0.8, 0.6, 0.5, 0.4, 0.4)
    # At inference the model reads its own mistakes. So it learns from input with wrong codes.
    noise_share: float = Field(0.5, ge=0, le=1)  # of the clips
    noise: float = Field(0.3, ge=0, le=1)  # largest share of their codes
    log_every: int = Field(25, ge=1)
    save_every: int = Field(250, ge=1)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _possible(self) -> PretrainConfig:
        if len(self.codebook_weights) != CODEBOOKS:
            raise ValueError(
                f"codebook_weights has {len(self.codebook_weights)} numbers, the codec {CODEBOOKS} codebooks"
            )
        return self

    def network(self, tokens: int) -> dict[str, Any]:
        """Return config.json of the model for a tokenizer of this size."""
        config = tiny_config()
        heads = self.hidden // HEAD
        config["text_config"] |= {
            "vocab_size": tokens, "hidden_size": self.hidden, "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers, "num_attention_heads": heads, "num_key_value_heads": heads, "head_dim": HEAD,
            "max_position_embeddings": 1024, "rope_scaling": None, "rope_theta": ROPE_THETA,
        }  # fmt: skip
        config |= {
            "audio_dual_ffn_layers": list(range(self.layers)), "audio_num_codebooks": CODEBOOKS,
            "audio_codebook_size": ENTRIES, "audio_stream_bos_id": ENTRIES, "audio_stream_eos_id": ENTRIES + 1,
        }  # fmt: skip
        return native_config(config)


def read_pretrain_config(path: Path, **changes: Any) -> PretrainConfig:
    """Read and check a configuration; `changes` override its fields.

    Raises
    ------
    DataError
        With the file and the field.
    """
    config = read_settings(path, PretrainConfig, **changes)
    paths = {name: str((path.parent / getattr(config, name)).resolve()) for name in ("clips", "output")}
    return config.model_copy(update=paths)
