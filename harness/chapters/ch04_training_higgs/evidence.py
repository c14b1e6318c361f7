"""Check a training beyond its falling loss: does the model reproduce its codes, stop, and survive saving?

A loss can fall while the labels are wrong: users have reported a loss of 0.003 and silence (boson-ai/higgs-audio issues 30
and 94). These are no quality figures. They show whether a training works, on weights that may be random.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.higgs.batches import encode, make_collator
from harness.higgs.checkpoints import load_model, load_tokenizer
from harness.higgs.formats import codebooks_of
from harness.higgs.generate import generate
from harness.higgs.lora import without_peft
from harness.higgs.samples import Sample, prompt
from harness.higgs.train_config import TrainConfig
from harness.higgs.training import train
from harness.processes import call
from harness.processes.stacks import BOSON, NATIVE

MARGIN = 25  # frames (1 s) after the sample's own length at which generation is cut off


def check(config: TrainConfig) -> dict[str, Any]:
    """Call `train_and_check` in the environment of the configuration's stack."""
    fields = config.model_dump(mode="json")
    return call(config.stack, "harness.chapters.ch04_training_higgs.evidence:train_and_check", fields=fields)


def train_and_check(fields: dict[str, Any]) -> dict[str, Any]:
    """Train and gather evidence, with plain values for `harness.processes.call`.

    Returns
    -------
    dict
        ``summary`` of the run; ``before`` and ``after``, what `spoken_back` says; ``reload_difference`` and
        ``merge_difference``, the largest absolute differences of logits between the model in memory and the adapter loaded
        again, and between the adapter and merged weights that were saved and loaded; and
        ``text_change``, the same between before and after on a prompt without audio.
    """
    config = TrainConfig.model_validate(fields)
    untrained = load_model(config.model, config.stack, revision=config.revision).eval()
    done = train(config)
    trained = done.model.eval()
    text = "\n".join(sample.text for sample in done.samples)
    batch = make_collator(config.stack, done.tokenizer, untrained.config)(done.samples[:2])
    evidence = {
        "summary": done.summary,
        "before": [spoken_back(untrained, done.tokenizer, sample, config.stack) for sample in done.samples],
        "after": [spoken_back(trained, done.tokenizer, sample, config.stack) for sample in done.samples],
        "text_change": _difference(_text_logits(untrained, done.tokenizer, text, config.stack),
                                   _text_logits(trained, done.tokenizer, text, config.stack)),
    }  # fmt: skip
    if config.method == "lora":
        evidence |= _adapter_survives(config, done.summary["weights"], trained, batch)
    return evidence


def spoken_back(model: Any, tokenizer: Any, sample: Sample, stack: str) -> dict[str, Any]:
    """Generate greedily from a sample's text and compare the result with its codes.

    Returns
    -------
    dict
        ``id``, ``frames`` of the sample, ``generated`` frames, ``equal``, the share of the sample's codes that came back
        in their place, ``map``, which ones, of shape (codebooks, frames), ``stopped``, whether the model ended the
        stream itself, and ``codes``, what it generated.
    """
    frames = sample.codes.shape[1]
    got = generate(model, tokenizer, sample.text, stack, max_frames=frames + MARGIN)
    padded = np.full_like(sample.codes, -1)
    common = min(frames, got.codes.shape[1])
    padded[:, :common] = got.codes[:, :common]
    equal = padded == sample.codes
    return {"id": sample.id, "frames": frames, "generated": got.codes.shape[1], "equal": float(equal.mean()),
            "map": equal.tolist(), "stopped": got.stopped, "codes": got.codes.tolist()}  # fmt: skip


def _adapter_survives(config: TrainConfig, folder: str, trained: Any, batch: dict[str, Any]) -> dict[str, float]:
    from peft import PeftModel

    base = load_model(config.model, config.stack, revision=config.revision)
    adapter = PeftModel.from_pretrained(base, folder).eval()
    in_memory, loaded = _logits(trained, batch), _logits(adapter, batch)
    with tempfile.TemporaryDirectory() as place:
        merged = adapter.merge_and_unload()
        merged.save_pretrained(place, safe_serialization=True)
        merged_again = _logits(load_model(place, config.stack).eval(), batch)
    return {"reload_difference": _difference(in_memory, loaded), "merge_difference": _difference(loaded, merged_again)}


def _logits(model: Any, batch: dict[str, Any]) -> list[np.ndarray]:
    import torch

    with torch.no_grad():
        out = model(**batch)
    return [out["logits"].float().numpy(), out["audio_logits"].float().numpy()]


def _text_logits(model: Any, tokenizer: Any, text: str, stack: str) -> list[np.ndarray]:
    """Return the logits of the text head on a prompt without audio."""
    import torch

    ids = torch.tensor([encode(tokenizer, prompt(text))])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    inner = without_peft(model)
    with torch.no_grad():
        if stack == BOSON:
            return [inner(**inputs).logits.float().numpy()]
        return [inner.text_lm_head(inner.model(**inputs).last_hidden_state).float().numpy()]


def _difference(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


def compare_stacks(boson: str, boson_adapter: str, native: str, native_adapter: str, cases: str) -> dict[str, Any]:
    """Compare a checkpoint and adapter with their conversions; runs in the native stack and calls the boson one.

    Returns
    -------
    dict
        For ``checkpoint`` and ``adapter``: ``logits``, the largest absolute difference of audio logits, ``loss``, that of
        the losses, ``codes``, the share of greedy codes that agree, and ``frames``, over how many. Frames count up to the
        first end-of-stream: after it the two stacks end differently (`harness.higgs.generate`).
    """
    with tempfile.TemporaryDirectory() as place:
        files = [str(Path(place, f"{stack}.npz")) for stack in (BOSON, NATIVE)]
        call(BOSON, "harness.chapters.ch04_training_higgs.evidence:dump", stack=BOSON, model=boson, adapter=boson_adapter, cases=cases,
             out=files[0])  # fmt: skip
        dump(NATIVE, native, native_adapter, cases, files[1])
        return differences(*files)


def differences(one: str, other: str) -> dict[str, Any]:
    """Compare two files of `dump`; see `compare_stacks`."""
    a, b = (dict(np.load(path)) for path in (one, other))
    return {
        kind: {
            "logits": float(np.abs(a[f"{kind}_logits"] - b[f"{kind}_logits"]).max()),
            "loss": float(np.abs(a[f"{kind}_loss"] - b[f"{kind}_loss"]).max()),
            **_agreement(a[f"{kind}_codes"], b[f"{kind}_codes"], int(a["entries"])),
        }
        for kind in ("checkpoint", "adapter")
    }


def _agreement(one: np.ndarray, other: np.ndarray, entries: int) -> dict[str, float]:
    """Compare codes of shape (samples, codebooks, frames), with -1 where there is none."""
    ended = ((one >= entries) | (one < 0) | (other >= entries) | (other < 0)).any(axis=1)
    counted = np.cumsum(ended, axis=1) == 0  # (samples, frames)
    equal = (one == other).transpose(0, 2, 1)[counted]
    return {"codes": float(equal.mean()), "frames": int(counted.sum())}


def dump(stack: str, model: str, adapter: str, cases: str, out: str) -> None:
    """Write logits, loss and greedy codes of a model and of its adapter on the samples of an npz file `cases`."""
    import torch
    from peft import PeftModel

    samples = read_cases(cases)
    base, tokenizer = load_model(model, stack).eval(), load_tokenizer(model)
    batch = make_collator(stack, tokenizer, base.config)(samples)
    found: dict[str, Any] = {"entries": codebooks_of(base.config.to_dict())[1]}
    for kind in ("checkpoint", "adapter"):
        one = base if kind == "checkpoint" else PeftModel.from_pretrained(base, adapter).eval()
        with torch.no_grad():
            result = one(**batch)
        found[f"{kind}_logits"], found[f"{kind}_loss"] = result["audio_logits"].numpy(), result["loss"].numpy()
        frames = max(sample.codes.shape[1] for sample in samples)
        spoken = [generate(one, tokenizer, sample.text, stack, max_frames=frames).codes for sample in samples]
        padded = [np.pad(codes, ((0, 0), (0, frames - codes.shape[1])), constant_values=-1) for codes in spoken]
        found[f"{kind}_codes"] = np.stack(padded)
    np.savez(out, **found)


def write_cases(samples: Sequence[Sample], path: Path) -> Path:
    """Write samples to one npz file for another process."""
    arrays: dict[str, Any] = {f"codes{k}": sample.codes for k, sample in enumerate(samples)}
    arrays |= {"ids": [sample.id for sample in samples], "texts": [sample.text for sample in samples]}
    np.savez(path, **arrays)
    return path


def read_cases(path: str | Path) -> list[Sample]:
    """Read the samples that `write_cases` wrote."""
    stored = np.load(path)
    return [Sample(str(name), str(text), stored[f"codes{k}"])
            for k, (name, text) in enumerate(zip(stored["ids"], stored["texts"], strict=True))]  # fmt: skip
