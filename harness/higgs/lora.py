"""Which modules exist in Higgs Audio v2, and which ones LoRA adapts.

The names below are ends of module names, the same in both stacks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from harness.errors import DataError

ATTENTION = ("self_attn.q_proj", "self_attn.v_proj")  # shared by text and audio
AUDIO_FFN = ("audio_mlp.gate_proj", "audio_mlp.up_proj", "audio_mlp.down_proj")
TEXT_FFN = ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")  # found under `layers.N.`, so not those of audio_mlp
HEADS = ("audio_lm_head", "text_lm_head")  # random ones must be trained; at real size the text head alone has 394 M
DEFAULT_TARGETS = (*ATTENTION, *AUDIO_FFN)


def linear_modules(model: Any) -> dict[str, int]:
    """Kinds of linear layers by the end of their name, and how many there are of each."""
    import torch

    names = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    return dict(sorted(Counter(_kind(name) for name in names).items()))


def _kind(name: str) -> str:
    return ".".join(name.split(".")[-2:]) if ".layers." in f".{name}" else name.rpartition(".")[2]


def without_peft(model: Any) -> Any:
    """The model inside PEFT's wrapper; a model that has none as it is."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def add_lora(
    model: Any,
    *,
    rank: int = 16,
    alpha: int = 32,
    dropout: float = 0.0,
    targets: Sequence[str] = DEFAULT_TARGETS,
    heads: Sequence[str] = HEADS,
    task_type: str | None = "CAUSAL_LM",
) -> Any:
    """Wrap a model with LoRA: only the new matrices, and copies of `heads`, are trained.

    Parameters
    ----------
    model
        Of `labels.training_class`; a plain boson model works with ``task_type=None`` only.
    rank, alpha, dropout
        Of Hu et al. 2021, "LoRA", arXiv 2106.09685; the update is scaled by alpha / rank.
    targets : sequence of str
        Ends of the names of linear modules.
    heads : sequence of str
        Modules that are trained whole, and saved with the adapter.
    task_type : str, optional
        PEFT's. With CAUSAL_LM it passes ``labels`` on to the model.

    Raises
    ------
    DataError
        If a target is no linear layer of this model; the message lists those there are.
    """
    from peft import LoraConfig, get_peft_model

    kinds = linear_modules(model)
    if unknown := [name for name in (*targets, *heads) if not any(f".{kind}".endswith(f".{name}") for kind in kinds)]:
        raise DataError(f"no linear layer is called {unknown[0]!r}", remedy=f"there are: {', '.join(kinds)}")
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=list(targets),  # PEFT puts a dot before each: `mlp.up_proj` is not `audio_mlp.up_proj`
        modules_to_save=list(heads) or None,
        task_type=task_type,
    )
    return get_peft_model(model, config)
