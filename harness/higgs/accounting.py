"""Count the parameters of Higgs Audio v2 at its real size, without allocating a single weight.

The models are built on PyTorch's meta device. Its tensors have shapes but no memory, so counting billions of parameters
takes a second and a few megabytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import NotAvailable
from harness.higgs.formats import native_config, native_model
from harness.higgs.lora import check_linear
from harness.higgs.tiny.layout import tiny_config
from harness.processes.stacks import BOSON, NATIVE, here

# The sizes in config.json of the original revision (layout.ORIGINAL_REVISION; copied in neiom-systems/higgs-audio,
# models/model/config.json). Everything else is as in `tiny_config`.
TEXT_SIZES = {
    "bos_token_id": 128000,
    "eos_token_id": 128001,
    "head_dim": 128,
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "max_position_embeddings": 131072,
    "num_attention_heads": 24,
    "num_hidden_layers": 28,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
}
AUDIO_SIZES = {
    "audio_dual_ffn_layers": list(range(28)),
    "audio_ffn_hidden_size": 3072,
    "audio_ffn_intermediate_size": 8192,
    "hidden_size": 3072,
    "audio_eos_token_id": 128012,
    "audio_out_bos_token_id": 128013,
    "audio_in_token_idx": 128015,
    "audio_out_token_idx": 128016,
    "pad_token_id": 128001,
}
# metadata.total_size of model.safetensors.index.json, next to that config.json: bytes of all tensors, stored as bfloat16.
CHECKPOINT_BYTES = 11_542_566_912
BFLOAT16_BYTES = 2

LLAMA, ORIGINAL = "Llama-3.2-3B", "boson"
NATIVE_DEFAULT, NATIVE_SIZED, NATIVE_TEXT_HEAD = "native, default", "native", "native, text head"

TEXT_SIDE = ("text embedding", "attention", "text FFN", "text norms", "text head")
AUDIO_SIDE = ("audio FFN", "audio norms", "audio embedding", "audio head")
OTHER = "other"
# A parameter belongs to the first group whose pattern matches one part of its dotted name. Both stacks' names are covered.
_GROUPS = (
    ("audio embedding", "audio_codebook_embeddings|embed_audio_tokens"),
    ("text embedding", "embed_tokens"),
    ("attention", "self_attn"),
    ("audio FFN", "audio_mlp"),
    ("text FFN", "mlp"),
    ("audio norms", r"audio_\w+_layernorm"),
    ("text norms", r"\w+_layernorm|norm"),
    ("audio head", "audio_lm_head"),
    ("text head", "text_lm_head|lm_head"),
)


def group_of(name: str) -> str:
    """Return the group of a parameter from its dotted name, in either stack; `OTHER` if no pattern matches."""
    parts = name.split(".")
    return next((group for group, pattern in _GROUPS if any(re.fullmatch(pattern, part) for part in parts)), OTHER)


def count(model: Any) -> dict[str, Any]:
    """Count a model's parameters by group.

    Returns
    -------
    dict
        ``groups``: parameters of each group, in the order of `TEXT_SIDE`, `AUDIO_SIDE` and `OTHER`; ``total``: parameters
        of the model, counted separately. A tensor shared by two modules counts in both groups but once in the total. If
        the groups add up to the total, no weights are tied.
    """
    groups = dict.fromkeys((*TEXT_SIDE, *AUDIO_SIDE, OTHER), 0)
    for name, parameter in model.named_parameters(remove_duplicate=False):
        groups[group_of(name)] += parameter.numel()
    return {"groups": groups, "total": sum(parameter.numel() for parameter in model.parameters())}


def sides(groups: Mapping[str, int]) -> tuple[int, int]:
    """Return the parameters of the language model (`TEXT_SIDE`) and of the audio additions (`AUDIO_SIDE`)."""
    return sum(groups[name] for name in TEXT_SIDE), sum(groups[name] for name in AUDIO_SIDE)


def used_for_a_token(groups: Mapping[str, int]) -> tuple[int, int]:
    """Return the parameters of the matrices that multiply one text token, and one audio token.

    A token passes the shared attention, then the FFN and the head of its own kind. Embeddings are looked up rather than
    multiplied, and norms are negligible; both are left out.
    """
    attention = groups["attention"]
    return attention + groups["text FFN"] + groups["text head"], attention + groups["audio FFN"] + groups["audio head"]


def original_config() -> dict[str, Any]:
    """Return the original revision's config.json at its real sizes, for the fields that `tiny_config` has."""
    config = tiny_config()
    return {**config, **AUDIO_SIZES, "text_config": {**config["text_config"], **TEXT_SIZES}}


def parameters(stack: str) -> dict[str, Any]:
    """Count the real-size models of this process's stack; use `harness.processes.call` for the other one.

    Parameters
    ----------
    stack : {"boson", "native"}

    Returns
    -------
    dict of str to dict
        The result of `count` for each model. boson: `ORIGINAL`, and `LLAMA`, the language model alone. native:
        `NATIVE_DEFAULT`, the class with its defaults; `NATIVE_SIZED`, with the original's 1026 ids per codebook; and
        `NATIVE_TEXT_HEAD`, which adds the text head. ``"package"``, boson only: the package's own count by component.

    Raises
    ------
    NotAvailable
        If this process runs another stack.
    """
    if stack != here():
        raise NotAvailable(f"this process has the {here()} stack, not {stack}", remedy="use harness.processes.call")
    if stack == BOSON:
        original = build(original_config())
        counts = {ORIGINAL: count(original), LLAMA: count(_llama())}
        return {**counts, "package": original.parameter_count_per_component()["total"]}
    return {
        NATIVE_DEFAULT: count(native_model({}, "meta", text_head=False)),
        NATIVE_SIZED: count(build(original_config(), text_head=False)),
        NATIVE_TEXT_HEAD: count(build(original_config())),
    }


def lora_parameters(targets: Sequence[str], rank: int) -> int:
    """Return how many parameters LoRA adds to the real-size model: rank x (inputs + outputs) per adapted linear layer.

    The formula is from Hu et al. 2022, "LoRA", section 4.1: a matrix of shape (outputs, inputs) gets two factors of shapes
    (outputs, rank) and (rank, inputs). PEFT counts them here.

    Parameters
    ----------
    targets : sequence of str
        Ends of module names: ``"q_proj"``, ``"audio_mlp.down_proj"``.
    rank : int

    Raises
    ------
    DataError
        If a target matches no linear layer.
    """
    from peft import LoraConfig, inject_adapter_in_model

    model = build(original_config())
    check_linear(model, targets)
    inject_adapter_in_model(LoraConfig(r=rank, target_modules=list(targets)), model)
    return model.num_parameters(only_trainable=True)


def build(config: Mapping[str, Any], device: str = "meta", *, text_head: bool = True) -> Any:
    """Build the model of this process's stack from a configuration in the original format; only native has `text_head`."""
    if here() == NATIVE:
        return native_model(native_config(config), device, text_head=text_head)
    import torch
    from boson_multimodal.model.higgs_audio import HiggsAudioConfig, HiggsAudioModel

    with torch.device(device):
        return HiggsAudioModel(HiggsAudioConfig.from_dict(dict(config)))


def _llama() -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.device("meta"):
        return LlamaForCausalLM(LlamaConfig(**original_config()["text_config"]))
