"""Helpers for the tests of both stacks, imported by pytest in one environment and by `_boson_checks.py` in the other."""

import numpy as np

from harness.higgs.samples import Sample

# Trainings that `_boson_checks.py` runs with the settings of `make_config`.
BOSON_RUNS = {
    "plain": {"batch_size": 4, "save_every": 2, "keep_checkpoints": 5, "lora": {"dropout": 0.1}},
    "resumed": {"batch_size": 4, "save_every": 2, "keep_checkpoints": 5, "lora": {"dropout": 0.1}},
    "whole": {"batch_size": 4, "steps": 3, "save_every": 3},
    "halves": {"batch_size": 4, "steps": 3, "save_every": 3, "accumulate": 2},
    "bf16": {"batch_size": 4, "steps": 3, "save_every": 3, "precision": "bf16"},
    "full": {"batch_size": 4, "steps": 3, "save_every": 3, "method": "full"},
}


def samples():
    """Return four sentences with random codes of different lengths."""
    rng = np.random.default_rng(0)
    rows = (
        ("We <emph> guarantee it.", 9),
        ("Never.", 12),
        ("Is it <pitch_rising> so?", 7),
        ("Well <pause_long> no.", 10),
    )
    return [Sample(f"s{n}", text, rng.integers(0, 1024, (8, frames))) for n, (text, frames) in enumerate(rows)]


def fit(model, batch, steps):
    """Train on one batch; return the loss before each step."""
    import torch

    optimiser = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=5e-3)
    model.train()
    losses = []
    for _ in range(steps):
        loss = model(**batch)["loss"]
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()
    return losses


def outputs(model, batch):
    """Return losses and logits of a batch without padding: the same positions in the same order on both stacks."""
    import torch

    with torch.no_grad():
        out = model.eval()(**batch)
    # boson_multimodal merges audio into the text, so its output has another mask
    mask = (batch["attention_mask"] if out.get("attention_mask") is None else out["attention_mask"]).bool()
    return {
        "losses": np.array([float(out[name]) for name in ("loss", "llm_loss", "audio_loss")]),
        "text_logits": out["logits"][mask].numpy(),
        "audio_logits": out["audio_logits"].numpy(),
    }


def speak(model, tokenizer, stack, max_frames=25):
    """Return for each sample the codes that the model generates, and whether it stopped by itself."""
    from harness.higgs.generate import generate

    return [generate(model, tokenizer, sample.text, stack, max_frames=max_frames) for sample in samples()]


def largest(one, other):
    """Return the largest difference between two results of `outputs`."""
    return max(float(np.abs(one[name] - other[name]).max()) for name in one)
