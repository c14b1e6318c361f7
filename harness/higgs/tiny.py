"""Tiny random checkpoints with the layout of the original Higgs Audio v2 checkpoint, for loading without a download."""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, NotAvailable
from harness.store import write_json

ORIGINAL_TYPE = "higgs_audio"
BOSON_MODULE = (
    "boson_multimodal.model.higgs_audio"  # importing it registers its classes with transformers' Auto classes
)

# The last revisions in the original format, before boson-ai rewrote both repositories for transformers' own
# implementation (boson-ai/higgs-audio issue 176). The model's is also the default --input_revision of transformers'
# convert_higgs_audio_v2_to_hf.py.
ORIGINAL_MODEL = "bosonai/higgs-audio-v2-generation-3B-base"
ORIGINAL_REVISION = "10840182ca4ad5d9d9113b60b9bb3c1ef1ba3f84"
ORIGINAL_TOKENIZER = "bosonai/higgs-audio-v2-tokenizer"
ORIGINAL_TOKENIZER_REVISION = "9d4988fbd4ad07b4cac3a5fa462741a41810dbec"

# Layout, token names and flags follow the config.json of that model revision (copied in neiom-systems/higgs-audio,
# models/model/config.json). The sizes there: hidden 3072, FFN 8192, 28 layers, 24 heads (8 for keys and values),
# vocabulary 128256, bfloat16. The codebooks keep their true size.
HIDDEN = 64
INTERMEDIATE = 128
LAYERS = 2
HEADS = 2
VOCABULARY = 512
CODEBOOKS = 8
CODEBOOK_SIZE = 1024
# The special tokens are as far from the vocabulary's end as in the original: 128016 of 128256 becomes 272 of 512.
_SHIFT = 128256 - VOCABULARY


def tiny_config(model_type: str = ORIGINAL_TYPE) -> dict[str, Any]:
    """The content of config.json; fields that the original only repeats from transformers' defaults are left out."""
    text: dict[str, Any] = {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 128000 - _SHIFT,
        "eos_token_id": 128001 - _SHIFT,
        "head_dim": HIDDEN // HEADS,
        "hidden_act": "silu",
        "hidden_size": HIDDEN,
        "initializer_range": 0.02,
        "intermediate_size": INTERMEDIATE,
        "max_position_embeddings": 2048,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": 1,
        "pad_token_id": None,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {
            "factor": 32.0,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 128,
            "rope_type": "llama3",
        },
        "rope_theta": 500000.0,
        "tie_word_embeddings": True,
        "use_cache": True,
        "vocab_size": VOCABULARY,
    }
    encoder = {  # not built: skip_audio_tower
        "activation_function": "gelu",
        "d_model": HIDDEN,
        "encoder_attention_heads": HEADS,
        "encoder_ffn_dim": INTERMEDIATE,
        "encoder_layers": LAYERS,
        "init_std": 0.02,
        "max_source_positions": 1500,
        "model_type": "higgs_audio_encoder",
        "num_hidden_layers": LAYERS,
        "num_mel_bins": 128,
        "pad_token_id": 128001 - _SHIFT,
    }
    return {
        "architectures": ["HiggsAudioModel"],
        "audio_adapter_type": "dual_ffn_fast_forward",
        "audio_bos_token": "<|audio_bos|>",
        "audio_codebook_size": CODEBOOK_SIZE,
        "audio_decoder_proj_num_layers": 0,
        "audio_dual_ffn_layers": list(range(LAYERS)),
        "audio_embed_avg": False,
        "audio_encoder_config": encoder,
        "audio_eos_token": "<|audio_eos|>",
        "audio_eos_token_id": 128012 - _SHIFT,
        "audio_ffn_hidden_size": HIDDEN,
        "audio_ffn_intermediate_size": INTERMEDIATE,
        "audio_in_token": "<|AUDIO|>",
        "audio_in_token_idx": 128015 - _SHIFT,
        "audio_num_codebooks": CODEBOOKS,
        "audio_out_bos_token": "<|audio_out_bos|>",
        "audio_out_bos_token_id": 128013 - _SHIFT,
        "audio_out_token": "<|AUDIO_OUT|>",
        "audio_out_token_idx": 128016 - _SHIFT,
        "audio_stream_bos_id": CODEBOOK_SIZE,
        "audio_stream_eos_id": CODEBOOK_SIZE + 1,
        "audio_tokenizer_config": None,
        "encode_audio_in_tokens": True,
        "encode_whisper_embed": False,
        "hidden_size": HIDDEN,
        "model_type": model_type,
        "pad_token_id": 128001 - _SHIFT,
        "rq_transformer_hidden_size": None,
        "rq_transformer_intermediate_size": None,
        "rq_transformer_num_attention_heads": None,
        "rq_transformer_num_hidden_layers": 3,
        "rq_transformer_num_key_value_heads": None,
        "skip_audio_tower": True,
        "text_config": text,
        "torch_dtype": "float32",
        "transformers_version": "4.46.3",
        "use_audio_out_embed_projector": False,
        "use_audio_out_self_attention": 0,
        "use_delay_pattern": True,
        "use_rq_transformer": False,
    }


def make_tiny_checkpoint(folder: Path, *, model_type: str = ORIGINAL_TYPE, weights: bool = True, seed: int = 0) -> Path:
    """Write a checkpoint of 1.24 million random parameters in the original format.

    Parameters
    ----------
    folder : Path
        Made if it is missing; files of an earlier call are overwritten.
    model_type : str
        What config.json says. Only ``"higgs_audio"`` can have weights: the layout stays the original, nested one.
    weights : bool
        Also write ``model.safetensors`` and ``generation_config.json``; this needs boson_multimodal.
    seed : int
        Of the random weights; the same seed gives the same bytes. The caller's random state is left alone.

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
    model = _random_model(model_type, seed) if weights else None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if model is not None:
            model.save_pretrained(folder, safe_serialization=True)
        write_json(folder / "config.json", tiny_config(model_type))  # the same file with and without weights
    except OSError as error:
        raise HarnessError(
            f"cannot be written: {error.strerror}", path=folder, remedy="choose another folder"
        ) from error
    return folder


def make_tiny_apart(folder: Path, *, seed: int = 0) -> Path:
    """As `make_tiny_checkpoint` with weights, in a process of its own.

    Making weights imports boson_multimodal, which registers its classes with transformers' Auto classes for the rest of
    the process. Whoever wants to see what the Auto classes do without it must not have it imported.
    """
    done = subprocess.run(
        [sys.executable, "-m", "harness.higgs.tiny", str(folder), "--seed", str(seed)], capture_output=True, text=True
    )
    if done.returncode:
        raise NotAvailable(
            (done.stderr.splitlines() or ["the checkpoint could not be made"])[-1].removeprefix("tiny: ")
        )
    return Path(folder)


def _random_model(model_type: str, seed: int) -> Any:
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
        return HiggsAudioModel(HiggsAudioConfig.from_dict(tiny_config()))


def main() -> int:
    """Run ``python -m harness.higgs.tiny FOLDER``."""
    parser = ArgumentParser("harness.higgs.tiny", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, help="where to write the checkpoint")
    parser.add_argument("--seed", type=int, default=0, help="of the random weights")
    given = parser.parse_args()
    try:
        make_tiny_checkpoint(given.folder, seed=given.seed)
    except HarnessError as error:
        parser.exit(error.exit_code, f"tiny: {error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
