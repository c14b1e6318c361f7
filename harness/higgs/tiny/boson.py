"""The tiny checkpoint in the original format; its weights are made with boson_multimodal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import HarnessError, NotAvailable
from harness.higgs.formats import ORIGINAL_TYPE
from harness.higgs.tiny.layout import CODEBOOK_SIZE, tiny_config
from harness.higgs.tiny.tokenizer import write_tokenizer
from harness.processes import call
from harness.processes.stacks import BOSON
from harness.store import write_json


def make_tiny_checkpoint(
    folder: Path,
    *,
    model_type: str = ORIGINAL_TYPE,
    weights: bool = True,
    seed: int = 0,
    codebook_size: int = CODEBOOK_SIZE,
) -> Path:
    """Write a checkpoint of 1.24 million random parameters in the original format.

    Parameters
    ----------
    folder : Path
        Output folder; created if missing, earlier files are overwritten.
    model_type : str
        Model type in config.json. Only ``"higgs_audio"`` can have weights: the layout stays the original, nested one.
    weights : bool
        Whether to also write ``model.safetensors``, ``generation_config.json`` and the tokenizer; this needs boson_multimodal.
    seed : int
        Random seed for the weights; the same seed gives the same bytes. The caller's random state is unchanged.
    codebook_size : int
        Entries of a codebook; those of the original by default.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    NotAvailable
        If weights are asked for where boson_multimodal cannot be imported. Nothing is written then.
    HarnessError
        If weights are asked for with another `model_type`, or `folder` cannot be written.
    """
    folder = Path(folder)
    model = _random_model(model_type, seed, codebook_size) if weights else None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if model is not None:
            model.save_pretrained(folder, safe_serialization=True)
            write_tokenizer(folder)
        write_json(
            folder / "config.json", tiny_config(model_type, codebook_size)
        )  # the same file with and without weights
    except OSError as error:
        raise HarnessError(
            f"cannot be written: {error.strerror}", path=folder, remedy="choose another folder"
        ) from error
    return folder


def make_tiny_apart(folder: Path, *, seed: int = 0, codebook_size: int = CODEBOOK_SIZE) -> Path:
    """Call `make_tiny_checkpoint` with weights in a separate process, from either stack.

    Making weights imports boson_multimodal, which registers its classes with transformers' Auto classes for the rest of
    the process. A process that tests the Auto classes without them must not import it.
    """
    call(BOSON, "harness.higgs.tiny.boson:_make", folder=str(folder), seed=seed, codebook_size=codebook_size)
    return Path(folder)


def _make(folder: str, seed: int, codebook_size: int) -> None:
    make_tiny_checkpoint(Path(folder), seed=seed, codebook_size=codebook_size)


def _random_model(model_type: str, seed: int, codebook_size: int) -> Any:
    if model_type != ORIGINAL_TYPE:
        raise HarnessError(
            f"no weights can be made for model type {model_type!r}",
            remedy=f"use weights=False, or model_type={ORIGINAL_TYPE!r}",
        )
    try:
        import torch
        from boson_multimodal.model.higgs_audio import HiggsAudioConfig, HiggsAudioModel
    except ImportError as error:
        raise NotAvailable(
            f"the weights are made with boson_multimodal, which cannot be imported here: {error}",
            remedy="run it with .venv-boson/bin/python, which `python3 requirements/install.py` makes, or use weights=False",
        ) from error
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return HiggsAudioModel(HiggsAudioConfig.from_dict(tiny_config(codebook_size=codebook_size)))
