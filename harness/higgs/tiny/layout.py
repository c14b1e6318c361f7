"""What config.json of the original checkpoint says, at tiny sizes; the pinned revisions; the special tokens."""

from __future__ import annotations

from typing import Any

from harness.higgs.formats import ORIGINAL_TYPE

# Importing it registers its classes with transformers' Auto classes.
BOSON_MODULE = "boson_multimodal.model.higgs_audio"

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


def tiny_config(model_type: str = ORIGINAL_TYPE, codebook_size: int = CODEBOOK_SIZE) -> dict[str, Any]:
    """Return the content of config.json; fields that the original only repeats from transformers' defaults are left out."""
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
        "audio_codebook_size": codebook_size,
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
        "audio_stream_bos_id": codebook_size,
        "audio_stream_eos_id": codebook_size + 1,
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


# Llama 3's special tokens, in the order of their ids from 128000 on. Higgs renamed some reserved ones
# (docstring of boson_multimodal's HiggsAudioConfig); what it did not name keeps Llama's name.
_NAMED = {
    0: "<|begin_of_text|>",
    1: "<|end_of_text|>",
    4: "<|finetune_right_pad_id|>",
    6: "<|start_header_id|>",
    7: "<|end_header_id|>",
    8: "<|eom_id|>",
    9: "<|eot_id|>",
    10: "<|python_tag|>",
    11: "<|audio_bos|>",
    12: "<|audio_eos|>",
    13: "<|audio_out_bos|>",
    14: "<|reserved_special_token_6|>",  # transformers 5 marks the delayed end of the codebooks with it
    15: "<|AUDIO|>",
    16: "<|AUDIO_OUT|>",
}
_LLAMAS_OWN = (0, 1, 4, 6, 7, 8, 9, 10)


def special_tokens() -> list[str]:
    """Return the 256 special tokens by id; the first one follows the ordinary vocabulary.

    Llama numbers its reserved tokens without gaps, and Higgs renamed five of them. The name of a reserved token therefore
    depends on the number of reserved tokens before it.
    """
    names, reserved = [], 0
    for place in range(256):
        names.append(_NAMED.get(place, f"<|reserved_special_token_{reserved}|>"))
        reserved += place not in _LLAMAS_OWN
    return names
