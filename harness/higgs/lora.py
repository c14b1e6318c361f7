"""List the modules of Higgs Audio v2 and wrap some of them with LoRA.

The names below are the ends of module names and are the same in both stacks.
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
    """Count the linear layers of each kind, identified by the end of their name."""
    import torch

    names = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    return dict(sorted(Counter(_kind(name) for name in names).items()))


def _kind(name: str) -> str:
    return ".".join(name.split(".")[-2:]) if ".layers." in f".{name}" else name.rpartition(".")[2]


def check_linear(model: Any, names: Sequence[str]) -> None:
    """Raise a DataError if a name is not the end of the name of a linear layer."""
    kinds = linear_modules(model)
    if unknown := [name for name in names if not any(f".{kind}".endswith(f".{name}") for kind in kinds)]:
        raise DataError(f"no linear layer is called {unknown[0]!r}", remedy=f"there are: {', '.join(kinds)}")


def without_peft(model: Any) -> Any:
    """Return the model inside PEFT's wrapper, or the model itself if it has none."""
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
    """Wrap a model with LoRA, so that only the new matrices and copies of `heads` are trained.

    Parameters
    ----------
    model
        Instance of `labels.training_class`; a plain boson model works only with ``task_type=None``.
    rank, alpha, dropout
        LoRA's parameters (Hu et al. 2021, arXiv 2106.09685); the update is scaled by alpha / rank.
    targets : sequence of str
        Ends of the names of linear modules.
    heads : sequence of str
        Modules that are trained completely and saved with the adapter.
    task_type : str, optional
        Task type of PEFT, which passes ``labels`` to the model for CAUSAL_LM.

    Raises
    ------
    DataError
        If a target matches no linear layer of this model; the message lists the layers.
    """
    from peft import LoraConfig, get_peft_model

    check_linear(model, (*targets, *heads))
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=list(targets),  # PEFT puts a dot before each: `mlp.up_proj` is not `audio_mlp.up_proj`
        modules_to_save=list(heads) or None,
        task_type=task_type,
    )
    return get_peft_model(model, config)
