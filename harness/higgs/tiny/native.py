"""The tiny checkpoint in transformers' own format."""

from __future__ import annotations

from pathlib import Path

from harness.higgs.formats import native_config, native_model
from harness.higgs.tiny.layout import tiny_config
from harness.higgs.tiny.tokenizer import write_tokenizer


def make_native_checkpoint(folder: str | Path, *, seed: int = 0, text_head: bool = True) -> str:
    """Write a tiny native checkpoint with random weights and the tokenizer.

    Parameters
    ----------
    folder : path-like
        Output folder, created if missing.
    seed : int
        Random seed of the weights.
    text_head : bool
        Whether to include the text head, which training on text needs and generation does not.

    Returns
    -------
    str
        `folder`.

    Raises
    ------
    NotAvailable
        If this environment's transformers has no native class (before 5.3).
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = native_model(native_config(tiny_config()), "cpu", text_head=text_head)
    Path(folder).mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    write_tokenizer(Path(folder))
    return str(folder)
