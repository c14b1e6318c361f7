"""The forward pass of transformers' Higgs Audio v2 for batches in which all texts end where all audio begins.

transformers' own forward sends text and audio positions through their FFNs with ``masked_scatter``, because they may alternate. Here
text is padded on the left and audio on the right, so both are rectangles. The weights are those of the module; a test holds the result
to its own forward.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

FAR = -1e4  # added to the attention of what must not be seen


def audio_states(model: Any, text: torch.Tensor, padding: torch.Tensor, audio: torch.Tensor) -> torch.Tensor:
    """Return the last hidden states at the audio positions.

    Parameters
    ----------
    model : HiggsAudioV2ForConditionalGeneration or Speaker
    text : tensor of shape (batch, tokens)
        Token ids, padded on the left.
    padding : tensor of shape (batch,)
        Number of padding tokens of each text.
    audio : tensor of shape (batch, columns, codebooks)
        Delayed codes, padded on the right.

    Returns
    -------
    tensor of shape (batch, columns, hidden)
    """
    inner, config = model.model, model.config
    words, sounds = inner.embed_tokens(text), inner.embed_audio_tokens(audio)
    batch, tokens, length = len(text), text.shape[1], text.shape[1] + audio.shape[1]
    places = torch.arange(length, device=text.device)
    cos, sin = (part[:, None] for part in inner.rotary_emb(words, places[None]))
    seen = (places[None, None] <= places[None, :, None]) & (places[None, None] >= padding[:, None, None])
    seen = seen | torch.eye(
        length, dtype=torch.bool, device=text.device
    )  # padding sees itself: a softmax needs something
    bias = torch.zeros(seen.shape, device=text.device).masked_fill(~seen, FAR)[:, None]
    groups = config.num_attention_heads // config.num_key_value_heads
    for layer in inner.layers:
        attention = layer.self_attn
        states = torch.cat([_norm(words, layer.input_layernorm), _norm(sounds, layer.audio_input_layernorm)], dim=1)
        query, key, value = (
            project(states).view(batch, length, -1, attention.head_dim).transpose(1, 2)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        cos, sin = cos.to(query.dtype), sin.to(query.dtype)
        query, key = query * cos + _turned(query) * sin, key * cos + _turned(key) * sin
        if groups > 1:
            key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
        weights = (query * attention.scaling) @ key.transpose(-1, -2)
        weights = torch.softmax(weights + bias.to(weights.dtype), dim=-1).to(value.dtype)
        mixed = attention.o_proj((weights @ value).transpose(1, 2).reshape(batch, length, -1))
        words, sounds = words + mixed[:, :tokens], sounds + mixed[:, tokens:]
        words = words + layer.mlp(_norm(words, layer.post_attention_layernorm))
        sounds = sounds + layer.audio_mlp(_norm(sounds, layer.audio_post_attention_layernorm))
    return _norm(sounds, inner.norm)


def audio_logits(model: Any, text: torch.Tensor, padding: torch.Tensor, audio: torch.Tensor) -> torch.Tensor:
    """Return logits of shape (batch, columns, codebooks, entries): those at a column predict the next one."""
    logits = model.audio_lm_head(audio_states(model, text, padding, audio))
    return logits.view(*audio.shape, model.config.codebook_size)


def _norm(states: torch.Tensor, norm: Any) -> torch.Tensor:
    return functional.rms_norm(states, (states.shape[-1],), norm.weight, norm.variance_epsilon)


def _turned(states: torch.Tensor) -> torch.Tensor:
    """Return the halves of each head swapped, the second one negated (`rotate_half` in transformers)."""
    half = states.shape[-1] // 2
    return torch.cat([-states[..., half:], states[..., :half]], dim=-1)
