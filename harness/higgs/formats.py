"""Map the two checkpoint formats onto each other: the fields of config.json and the names of weights.

boson_multimodal's format nests a Llama configuration (`higgs_audio`); transformers' own is flat (`higgs_audio_v2`). Both
describe the same network, so a checkpoint can be converted without changing a weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.errors import DataError, NotAvailable

ORIGINAL_TYPE = "higgs_audio"
NATIVE_TYPE = "higgs_audio_v2"  # transformers from release 5.3 on
NATIVE_CODEC_TYPE = "higgs_audio_v2_tokenizer"  # the original codec's config.json names no type

# Fields of the original configuration without a counterpart in the native model, and the value that it assumes.
FIXED = {
    "audio_embed_avg": False,
    "audio_decoder_proj_num_layers": 0,
    "skip_audio_tower": True,
    "use_audio_out_embed_projector": False,
    "use_audio_out_self_attention": False,
    "use_delay_pattern": True,
    "use_rq_transformer": False,
}
_TEXT_FIELDS = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "hidden_act", "max_position_embeddings", "initializer_range", "rms_norm_eps", "attention_bias", "attention_dropout",
    "mlp_bias", "head_dim", "bos_token_id",
)  # fmt: skip
_NEEDED = (
    "text_config", "audio_adapter_type", "audio_dual_ffn_layers", "pad_token_id", "audio_num_codebooks", "audio_codebook_size",
    "audio_out_token_idx", "audio_out_bos_token_id", "audio_stream_bos_id", "audio_stream_eos_id",
)  # fmt: skip
_NEEDED_TEXT = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "rope_theta",
)
# Fields of both configurations, by native and original name.
_FIELDS = {
    "pad_token_id": "pad_token_id",
    "num_codebooks": "audio_num_codebooks",
    "audio_token_id": "audio_out_token_idx",
    "audio_bos_token_id": "audio_out_bos_token_id",
    "audio_stream_bos_id": "audio_stream_bos_id",
    "audio_stream_eos_id": "audio_stream_eos_id",
}
_PREFIXES = {  # of weights, by original and native name
    "audio_decoder_proj.audio_lm_head.": "audio_lm_head.",
    "audio_decoder_proj.text_lm_head.": "text_lm_head.",
    "audio_codebook_embeddings.": "model.embed_audio_tokens.embed_audio_tokens.",
    "embed_tokens.": "model.embed_tokens.",
    "layers.": "model.layers.",
    "norm.": "model.norm.",
}
EOT_AFTER_END = 8  # <|eot_id|> is 128009, <|end_of_text|> 128001
_DELAY_AFTER_BOS = 1  # <|reserved_special_token_6|> is 128014, <|audio_out_bos|> 128013


def native_config(original: Mapping[str, Any]) -> dict[str, Any]:
    """Return the native config.json for an original one.

    Raises
    ------
    DataError
        If it is not an original configuration, or describes a network that the native class cannot build.
    """
    if original.get("model_type") == NATIVE_TYPE:
        raise DataError(f"model_type is {NATIVE_TYPE!r}", remedy="it is in transformers' own format already")
    if original.get("model_type") != ORIGINAL_TYPE:
        raise DataError(f"model_type is {original.get('model_type')!r}, not {ORIGINAL_TYPE!r}",
                        remedy="only the original format can be converted")  # fmt: skip
    if missing := [name for name in _NEEDED if name not in original] + [
        f"text_config.{name}" for name in _NEEDED_TEXT if name not in (original.get("text_config") or {})
    ]:
        raise DataError(f"the configuration has no {missing[0]}", remedy="this is not a whole config.json")
    text = original["text_config"]
    layers = list(range(text["num_hidden_layers"]))
    for name, value in FIXED.items():
        if bool(original.get(name, value)) != bool(value):
            raise DataError(f"{name} is {original[name]!r}; the native model has no counterpart",
                            remedy=f"only checkpoints with {name}: {value!r} can be converted")  # fmt: skip
    if not str(original["audio_adapter_type"]).startswith("dual_ffn") or original["audio_dual_ffn_layers"] != layers:
        raise DataError("the native model has an audio FFN in every layer, this checkpoint has not",
                        remedy=f"audio_dual_ffn_layers must be 0 to {len(layers) - 1}")  # fmt: skip
    return {
        "architectures": ["HiggsAudioV2ForConditionalGeneration"],
        "model_type": NATIVE_TYPE,
        **{name: text[name] for name in _TEXT_FIELDS if name in text},
        "rope_parameters": {**(text.get("rope_scaling") or {"rope_type": "default"}), "rope_theta": text["rope_theta"]},
        "tie_word_embeddings": False,
        **{name: original[other] for name, other in _FIELDS.items()},
        "eos_token_id": original["pad_token_id"] + EOT_AFTER_END,
        # Both classes count the stream's begin and end among the entries; the class's default of 1024 omits them.
        "codebook_size": original["audio_codebook_size"] + 2,
        "audio_delay_token_id": original["audio_out_bos_token_id"] + _DELAY_AFTER_BOS,
        "dtype": original.get("torch_dtype", "float32"),
    }


def original_config(native: Mapping[str, Any]) -> dict[str, Any]:
    """Return the original config.json for a native one: the inverse of `native_config`.

    Raises
    ------
    DataError
        If it is not a native configuration, or says what the original format cannot.
    """
    if native.get("model_type") != NATIVE_TYPE:
        raise DataError(f"model_type is {native.get('model_type')!r}, not {NATIVE_TYPE!r}",
                        remedy="only transformers' own format can be converted")  # fmt: skip
    if missing := [
        name for name in (*_FIELDS, *_TEXT_FIELDS, "codebook_size", "rope_parameters") if name not in native
    ]:
        raise DataError(f"the configuration has no {missing[0]}", remedy="this is not a whole config.json")
    rope = {name: value for name, value in native["rope_parameters"].items() if name != "rope_theta"}
    original = {
        "architectures": ["HiggsAudioModel"],
        "model_type": ORIGINAL_TYPE,
        **FIXED,
        "audio_adapter_type": "dual_ffn_fast_forward",
        "audio_dual_ffn_layers": list(range(native["num_hidden_layers"])),
        "audio_ffn_hidden_size": native["hidden_size"],
        "audio_ffn_intermediate_size": native["intermediate_size"],
        "audio_codebook_size": native["codebook_size"] - 2,
        **{other: native[name] for name, other in _FIELDS.items()},
        "audio_eos_token_id": native["audio_bos_token_id"] - 1,  # Llama's order of the special tokens
        "audio_in_token_idx": native["audio_token_id"] - 1,
        "encode_audio_in_tokens": True,
        "encode_whisper_embed": False,
        "text_config": {
            "model_type": "llama",
            **{name: native[name] for name in _TEXT_FIELDS},
            "rope_theta": native["rope_parameters"]["rope_theta"],
            "rope_scaling": None if rope == {"rope_type": "default"} else rope,
        },
        "torch_dtype": native.get("dtype", "float32"),
    }
    for name, value in native_config(original).items():
        if native.get(name, value) != value:
            raise DataError(f"{name} is {native[name]!r}; the original format implies {value!r}",
                            remedy="this checkpoint has no counterpart in the original format")  # fmt: skip
    return original


def native_model(config: Mapping[str, Any], device: str, *, text_head: bool) -> Any:
    """Build transformers' model from a configuration in its own format: random weights, or none on the device "meta".

    Raises
    ------
    NotAvailable
        If this environment's transformers has no native class (before 5.3).
    """
    import torch

    try:
        from transformers import HiggsAudioV2Config, HiggsAudioV2ForConditionalGeneration
    except ImportError as error:
        raise NotAvailable("this transformers has no native Higgs Audio v2", remedy="use .venv/bin/python") from error
    with torch.device(device):
        return HiggsAudioV2ForConditionalGeneration(HiggsAudioV2Config(**config), use_text_head=text_head)


def native_key(name: str) -> str:
    """Return the native name of a weight or module of the original model; unknown names are unchanged."""
    return _renamed(name, _PREFIXES)


def original_key(name: str) -> str:
    """Return the original name of a weight of the native model; unknown names are unchanged."""
    return _renamed(name, {native: original for original, native in _PREFIXES.items()})


def _renamed(name: str, prefixes: Mapping[str, str]) -> str:
    for old, new in prefixes.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def stack_of(config: Mapping[str, Any]) -> str | None:
    """Return the stack that reads a checkpoint with this config.json, ``"boson"`` or ``"native"``, or None."""
    return {ORIGINAL_TYPE: "boson", NATIVE_TYPE: "native"}.get(str(config.get("model_type")))


def codec_stack_of(config: Mapping[str, Any]) -> str | None:
    """Return the stack that reads a codec with this config.json, or None."""
    if config.get("model_type") == NATIVE_CODEC_TYPE:
        return "native"
    return "boson" if {"n_q", "ratios", "bins"} <= config.keys() else None


def codebooks_of(config: Mapping[str, Any]) -> tuple[int, int]:
    """Return the number of codebooks of a model and of entries in each, without the stream's begin and end."""
    old = config.get("model_type") == ORIGINAL_TYPE
    names = ("audio_num_codebooks", "audio_codebook_size") if old else ("num_codebooks", "codebook_size")
    if missing := [name for name in names if not isinstance(config.get(name), int)]:
        raise DataError(f"the configuration has no {missing[0]}", remedy="this is not a whole config.json")
    return config[names[0]], config[names[1]] - (0 if old else 2)
