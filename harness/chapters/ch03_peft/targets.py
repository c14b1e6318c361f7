"""Compare the modules that LoRA can adapt in Higgs Audio v2: parameters added, and effects on audio and text.

As in `.study`, the trainings overfit one batch of random codes and say nothing about speech.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.chapters.ch03_peft.study import (
    AUDIO_HEAD,
    load_plain,
    losses_of_adapter,
    make_batch,
    overfit,
    text_batch,
    trained_weights,
)
from harness.higgs.accounting import build, group_of, original_config
from harness.higgs.checkpoints import load_strictly
from harness.higgs.labels import IGNORED, training_class
from harness.higgs.lora import ATTENTION, AUDIO_FFN, TEXT_FFN, add_lora, linear_modules
from harness.higgs.tiny.layout import tiny_config
from harness.processes.stacks import BOSON

HEAD_ALONE = "head alone"  # control: what the head learns without LoRA
TARGET_SETS = {
    HEAD_ALONE: (),
    "attention q, v": ATTENTION,
    "text FFN": TEXT_FFN,
    "audio FFN": AUDIO_FFN,
    "attention + audio FFN": (*ATTENTION, *AUDIO_FFN),
}
FROZEN, TRAINED = "head frozen", "head trained"


def matched(targets: str | Sequence[str]) -> dict[str, int]:
    """Return what PEFT adapts in the tiny model for a value of ``target_modules``: group -> number of modules."""
    from peft import LoraConfig, get_peft_model

    chosen = targets if isinstance(targets, str) else list(targets)
    names = get_peft_model(build(tiny_config(), "cpu"), LoraConfig(target_modules=chosen)).targeted_module_names
    groups = [group_of(name) for name in names]
    return {group: groups.count(group) for group in sorted(set(groups))}


def real_modules(rank: int = 16) -> list[dict[str, Any]]:
    """List the linear layers of the real-size model, on the meta device, and the parameters that LoRA adds.

    Returns
    -------
    list of dict
        For each kind: ``module``, ``group``, ``count``, ``inputs``, ``outputs``; ``parameters`` of all its layers; ``lora``, the
        parameters that LoRA of this rank adds to them: rank x (inputs + outputs) each (Hu et al. 2021, arXiv 2106.09685,
        section 4.1).
    """
    model = build(original_config())
    modules = dict(model.named_modules())
    rows = []
    for kind, count in linear_modules(model).items():
        one = next(module for name, module in modules.items() if f".{name}".endswith(f".{kind}"))
        rows.append({"module": kind, "group": group_of(kind), "count": count, "inputs": one.in_features, "outputs": one.out_features,
                     "parameters": count * one.in_features * one.out_features,
                     "lora": count * rank * (one.in_features + one.out_features)})  # fmt: skip
    return rows


def compare_targets(
    folder: str | Path, *, steps: int = 60, seeds: int = 1, rank: int = 16, learning_rate: float = 5e-3, seed: int = 0
) -> list[dict[str, Any]]:
    """Overfit one batch with each of `TARGET_SETS`, the audio head trained or frozen: same steps, same learning rate.

    Only the audio loss is minimised, so any change of text is a side effect.

    Parameters
    ----------
    folder : path-like
        Checkpoint in the original format.
    seeds : int
        Number of repeats, each with other codes and LoRA matrices.

    Returns
    -------
    list of dict
        For each training: ``targets``, ``head``, ``seed``, ``trainable``; ``first`` and ``last``, the audio loss in nats a code before and
        after; ``text_alone`` and ``text_behind``: the largest absolute change of a text logit on a prompt without audio, and
        on the text behind a recording.
    """
    return [
        _compare(folder, name, head, steps, rank, learning_rate, seed + number)
        for number in range(seeds)
        for name in TARGET_SETS
        for head in (FROZEN, TRAINED)
        if name != HEAD_ALONE or head == TRAINED  # otherwise nothing would be trained
    ]


def _compare(
    folder: str | Path, name: str, head: str, steps: int, rank: int, learning_rate: float, seed: int
) -> dict[str, Any]:
    import torch

    model = load_strictly(training_class(BOSON), Path(folder))
    model.text_weight = 0.0
    batch, alone = make_batch(folder, model.config, seed), text_batch(folder)
    heads = (AUDIO_HEAD,) if head == TRAINED else ()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if TARGET_SETS[name]:
            wrapped = add_lora(model, rank=rank, targets=TARGET_SETS[name], heads=heads)
        else:
            wrapped = model.requires_grad_(False)
            wrapped.audio_decoder_proj.audio_lm_head.requires_grad_(True)
        before = _text_logits(wrapped, alone, batch)
        overfit(wrapped, batch, losses_of_adapter, steps, learning_rate)
        after = _text_logits(wrapped, alone, batch)
    change = [float((late - early).abs().max()) for early, late in zip(before[:2], after[:2], strict=True)]
    trainable = sum(weight.numel() for weight in trained_weights(wrapped))
    return {"targets": name, "head": head, "seed": seed, "trainable": trainable, "first": before[2], "last": after[2],
            "text_alone": change[0], "text_behind": change[1]}  # fmt: skip


def _text_logits(model: Any, alone: Mapping[str, Any], batch: Mapping[str, Any]) -> tuple[Any, Any, float]:
    """Return text logits on a prompt without audio and after each recording, and the batch's audio loss."""
    import torch

    model.eval()
    with torch.no_grad():
        first, second = model(**alone), model(**batch)
    audio = second.audio_out_mask
    behind = second.attention_mask.bool() & ~audio & (audio.cumsum(-1) > 0)
    return first.logits, second.logits[behind], float(second["audio_loss"])


def best_with_frozen_head(folder: str | Path, *, steps: int = 200, seed: int = 0) -> float:
    """Return the lowest audio loss, in nats per code, that the head of an original-format model allows on the batch.

    Each frame may have any hidden state that the final norm lets through: LlamaRMSNorm gives vectors of at most the square root of
    their width, times its weights. The loss is convex in the hidden state and so is that set, so there is one minimum.

    Parameters
    ----------
    steps : int
        Steps of Adam. On the tiny model, 100 and 1,000 steps agree to 1e-5.
    """
    import torch
    from torch.nn.functional import cross_entropy

    model = load_plain(folder).requires_grad_(False)
    labels = make_batch(folder, model.config, seed)["audio_labels"][1:]
    head, width = model.audio_decoder_proj.audio_lm_head, model.norm.weight.numel()
    radius = width**0.5
    free = torch.zeros(len(labels), width, requires_grad=True)
    optimiser = torch.optim.Adam([free], lr=0.1 * radius)
    best = float("inf")
    for _ in range(steps):
        inside = free * (radius / free.norm(dim=-1, keepdim=True).clamp(min=radius))
        logits = head(inside * model.norm.weight).view(labels.numel(), -1)
        loss = cross_entropy(logits, labels.reshape(-1), ignore_index=IGNORED)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        best = min(best, float(loss.detach()))
    return best
