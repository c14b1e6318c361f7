"""How a GPT-2 tagger is trained: every field is an option of `harness train gpt2` and a parameter of chapter 06."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import DataError
from harness.taggers.gpt2.encoding import PROMPTS

OBJECTIVES = {
    "both": "read the slots in parallel, and write the tagged text: one model for all three ways of decoding",
    "read": "read the slots in parallel only: half the time",
}
TAG_EMBEDDINGS = {
    "token_indices": "exactly the rows of the new tokens learn",
    "frozen": "they stay at their initial values, as in the usual recipe (LoRA on the layers alone)",
    "modules_to_save": "the whole embedding table learns, and is unhooked from the output layer",
}
PRECISIONS = {"float32": "", "bfloat16": "much faster where the processor or GPU computes in it"}
_CHOICES = {
    "objective": OBJECTIVES,
    "tag_embeddings": TAG_EMBEDDINGS,
    "prompt_format": PROMPTS,
    "precision": PRECISIONS,
}


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of one training."""

    base_model: str = "embedded"
    epochs: int = 20
    learning_rate: float = 2e-3
    batch_size: int = 4
    lora_rank: int = 16
    lora_dropout: float = 0.05
    patience: int = 5
    dev_folds: int = 5
    seed: int = 0
    objective: str = "both"
    prompt_format: str = "twice"
    tag_embeddings: str = "token_indices"
    mask_pads: bool = True
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "lora_rank", "patience"):
            if getattr(self, name) < 1:
                raise DataError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if self.dev_folds < 2:
            raise DataError(f"dev_folds is {self.dev_folds}: at least 2, so that a part is left to train on")
        if not 0 < self.learning_rate < 1:
            raise DataError(f"learning_rate is {self.learning_rate}: it must lie between 0 and 1")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise DataError(f"{name} is {getattr(self, name)!r}", remedy=f"choose one of: {', '.join(choices)}")
