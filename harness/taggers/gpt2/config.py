"""Training settings of the GPT-2 tagger: each field is an option of `harness train gpt2` and a parameter of chapter 06."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from harness.errors import DataError
from harness.taggers.gpt2.encoding import PROMPTS

OBJECTIVES = {
    "both": "answer at all slots in parallel, and generate the tagged text: one model for all three ways of decoding",
    "read": "answer at all slots in parallel only: half the training time",
}
TAG_EMBEDDINGS = {
    "token_indices": "only the rows of the new tokens are trained",
    "frozen": "the new rows keep their initial values, as in the usual recipe (LoRA on the layers only)",
    "modules_to_save": "the whole embedding table is trained, and is no longer tied to the output layer",
}
PRECISIONS = {"float32": "", "bfloat16": "much faster on hardware that supports it"}
_CHOICES = {
    "objective": OBJECTIVES,
    "tag_embeddings": TAG_EMBEDDINGS,
    "prompt_format": PROMPTS,
    "precision": PRECISIONS,
}
# What differs by default if the model learns from a teacher.
DISTILLED: dict[str, Any] = {
    "epochs": 3, "learning_rate": 3e-3, "batch_size": 16, "lora_rank": 64, "lora_dropout": 0.0, "objective": "read",
    "prompt_format": "ahead", "recombined": 2500, "corpus_sentences": 3500,
}  # fmt: skip


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a training run.

    `distil` is the name of the tagger whose answers are learned, or "" for none. It labels `recombined` sentences that are made
    of the examples, and `corpus_sentences` of the Helsinki Prosody Corpus.
    """

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
    distil: str = ""
    recombined: int = 4500
    corpus_sentences: int = 0

    @classmethod
    def of(cls, **given: Any) -> TrainingConfig:
        """Return the settings `given`; with a teacher, the others are those of `DISTILLED`."""
        return cls(**{**(DISTILLED if given.get("distil") else {}), **given})

    def settings(self) -> dict[str, Any]:
        """Return the fields by name; without a teacher, those of distillation are left out, as in taggers of earlier versions."""
        of_teacher = ("distil", "recombined", "corpus_sentences")
        return {name: value for name, value in asdict(self).items() if self.distil or name not in of_teacher}

    @property
    def bf16(self) -> bool:
        """Whether to compute in bfloat16."""
        return self.precision == "bfloat16"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "lora_rank", "patience", "recombined"):
            if getattr(self, name) < 1:
                raise DataError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.corpus_sentences < 0:
            raise DataError(f"corpus_sentences must be at least 0, got {self.corpus_sentences}")
        if self.dev_folds < 2:
            raise DataError(
                f"dev_folds must be at least 2, so that some examples are left to train on, got {self.dev_folds}"
            )
        if not 0 < self.learning_rate < 1:
            raise DataError(f"learning_rate must be between 0 and 1, got {self.learning_rate}")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise DataError(
                    f"unknown {name} {getattr(self, name)!r}", remedy=f"choose one of: {', '.join(choices)}"
                )
        if self.prompt_format == "ahead" and not self.distil:
            raise DataError(
                "the prompt format 'ahead' needs a teacher", remedy="choose `twice`, or name a teacher: --distil"
            )
        if self.distil and self.objective != "read":
            raise DataError("a teacher answers at slots and writes no text", remedy="choose the objective `read`")
