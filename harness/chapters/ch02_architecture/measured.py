"""Measurements of chapter 02 in each stack: the delay pattern, and the activations that a layer keeps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from harness.higgs.accounting import BFLOAT16_BYTES, build
from harness.higgs.delay import STREAM_BOS, STREAM_EOS
from harness.higgs.tiny.layout import tiny_config
from harness.processes.stacks import BOSON, here


def delay_of_stack(codes: list[list[int]]) -> dict[str, Any]:
    """Apply this stack's own delay code to codes, to compare with `delay` and `undelay`.

    Parameters
    ----------
    codes : list of shape (codebooks, frames)

    Returns
    -------
    dict
        ``delayed``: shape (codebooks, frames + 2 + codebooks - 1); ``reverted``: shape (codebooks, frames + 2), with the
        columns of beginning and end still there; ``code``: the function that shifted, with its module.
    """
    import torch

    column = torch.ones((len(codes), 1), dtype=torch.long)
    stream = torch.cat([column * STREAM_BOS, torch.tensor(codes, dtype=torch.long), column * STREAM_EOS], dim=1)
    build: Any
    if here() == BOSON:
        from boson_multimodal.model.higgs_audio import utils

        build = utils.build_delay_pattern_mask
        delayed = build(stream[None], STREAM_BOS, STREAM_EOS)[0][0]
        reverted = utils.revert_delay_pattern(delayed)
    else:
        from transformers.models.higgs_audio_v2.processing_higgs_audio_v2 import HiggsAudioV2Processor

        build = HiggsAudioV2Processor.build_delay_pattern
        ids: Any = SimpleNamespace(audio_stream_bos_id=STREAM_BOS, audio_stream_eos_id=STREAM_EOS)
        delayed = build(ids, stream[None])[0]
        reverted = HiggsAudioV2Processor.revert_delay_pattern(ids, delayed.T).T
    code = f"{build.__module__}.{build.__qualname__}"
    return {"delayed": delayed.tolist(), "reverted": reverted.tolist(), "code": code}


def kept_for_backward(precision: str) -> float:
    """Count the bytes that a layer of this process's stack keeps for the backward pass, per token and unit of width.

    The layers have the real model's proportions (FFN 8/3 of the width, a third of the heads for keys and values) and tiny
    random weights. The count covers the tensors that autograd saves, without weights and with shared storage counted
    once; it is the difference between two depths.

    Parameters
    ----------
    precision : {"fp32", "bf16", "autocast"}
        autocast: weights in fp32, matrices multiplied in bf16. The copies of the weights that it makes are not counted.
    """
    import torch

    tokens, hidden, depths = 96, 192, (1, 3)
    ids = torch.arange(tokens)[None]
    kept = []
    for layers in depths:
        config = tiny_config()
        text = {"head_dim": 32, "hidden_size": hidden, "intermediate_size": hidden * 8 // 3, "num_attention_heads": 6,
                "num_hidden_layers": layers, "num_key_value_heads": 2}  # fmt: skip
        config |= {"audio_dual_ffn_layers": list(range(layers)), "hidden_size": hidden}
        model = build({**config, "text_config": {**config["text_config"], **text}}, "cpu")
        model = model.to(torch.bfloat16) if precision == "bf16" else model
        saved: dict[int, torch.Tensor] = {}  # holds the tensors, so that no address is used twice

        def keep(tensor: torch.Tensor, saved: dict[int, torch.Tensor] = saved) -> torch.Tensor:
            saved.setdefault(tensor.untyped_storage().data_ptr(), tensor)
            return tensor

        with (
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
            torch.autocast("cpu", torch.bfloat16, enabled=precision == "autocast"),
        ):
            model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)
        weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
        size = sum(tensor.untyped_storage().nbytes() for at, tensor in saved.items() if at not in weights)
        matrices = sum(p.numel() for name, p in model.named_parameters() if "layers." in name and p.dim() == 2)
        kept.append(size - BFLOAT16_BYTES * matrices * (precision == "autocast"))
    return (kept[1] - kept[0]) / (depths[1] - depths[0]) / (tokens * hidden)
