"""The language model underneath: the embedded one, a hub name, or a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets import sha256
from harness.errors import NotAvailable
from harness.paths import DATA
from harness.tagged import TAGS

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

EMBEDDED = DATA / "models" / "gpt2-mini"


def resolve(base_model: str) -> str:
    """Folder or hub name behind the `base_model` parameter.

    Parameters
    ----------
    base_model : str
        ``embedded`` (the GPT-2-architecture model in ``data/models``), a folder, or a hub name such as ``gpt2``.
    """
    if base_model == "embedded":
        return str(EMBEDDED)
    return base_model


def load_base(base_model: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load model (float32) and tokenizer, the tags added to both.

    The rows of the new tokens are set to the mean of the old embeddings, from a fixed seed, so a model that was never
    trained on tags does not depend on the order in which it was loaded.

    Raises
    ------
    NotAvailable
        If the folder is incomplete, or the hub cannot be reached; the message is one line.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    name = resolve(base_model)
    logging.set_verbosity_error()
    is_folder = Path(name).is_dir()
    if (name.startswith((".", "/", "~")) or base_model == "embedded") and not is_folder:
        raise NotAvailable("the base model's folder does not exist", path=name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=is_folder)
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32, local_files_only=is_folder)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        remedy = (
            "the folder must hold config.json, the weights as safetensors, and a tokenizer"
            if is_folder
            else "a hub name needs the network; --base-model embedded needs nothing"
        )
        raise NotAvailable(f"the base model {base_model!r} cannot be loaded: {reason}", remedy=remedy) from error
    if tokenizer.eos_token_id is None or model.config.vocab_size < len(tokenizer):
        raise NotAvailable(
            f"the base model {base_model!r} and its tokenizer do not fit: {model.config.vocab_size} embeddings for "
            f"{len(tokenizer)} tokens, end of text {tokenizer.eos_token!r}"
        )
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.add_special_tokens({"additional_special_tokens": [tag.value for tag in TAGS]})
    model.resize_token_embeddings(len(tokenizer), mean_resizing=True)
    return model, tokenizer


def tag_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Token ids of the seven tags, in the order of `TAGS`; empty before they were added."""
    vocabulary = tokenizer.get_vocab()
    return [vocabulary[tag.value] for tag in TAGS if tag.value in vocabulary]


def base_revision(base_model: str) -> str:
    """What identifies the base: the checksum of its weights, or its hub name."""
    weights = Path(resolve(base_model)) / "model.safetensors"
    return f"{base_model}@{sha256(weights)[:12]}" if weights.is_file() else base_model
