"""Speak with a checkpoint of the small Higgs by torch alone: one sentence takes less time than the import of transformers.

The network is that of transformers, under the same names, and runs by the forward pass of `harness.higgs.speech.lean`. Each step reads
all columns again; without a cache the 60 columns of a sentence take half a second. A test holds the codes to those of transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn

from harness.errors import DataError
from harness.higgs.checkpoints import check_type
from harness.higgs.speech.lean import audio_states
from harness.processes.stacks import NATIVE


class Speaker(nn.Module):
    """A model of transformers' Higgs Audio v2, with its tokenizer.

    Parameters
    ----------
    folder : Path
        Checkpoint of the native format, without a text head.

    Raises
    ------
    DataError
        If ``config.json`` is missing or of another model, or the weights are not all there.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.config = SimpleNamespace(**check_type(folder, NATIVE))
        with torch.random.fork_rng(devices=[]):  # the weights that modules draw are replaced
            self.model = _Decoder(self.config)
            self.audio_lm_head = nn.Linear(
                self.config.hidden_size, self.config.num_codebooks * self.config.codebook_size, bias=False
            )
        try:
            self.load_state_dict(load_file(folder / "model.safetensors"))
        except (OSError, RuntimeError, SafetensorError) as error:
            raise DataError(f"cannot be loaded: {' '.join(str(error).split())[:300]}", path=folder) from error
        self.device = self.audio_lm_head.weight.device
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    @torch.no_grad()
    def generate(
        self, text: str, *, max_new_tokens: int, do_sample: bool = False, temperature: float = 1.0, top_k: int = 0,
        top_p: float = 1.0, **_: Any,
    ) -> torch.Tensor:  # fmt: skip
        """Return the columns of a conversation that ends where its audio begins.

        Parameters
        ----------
        text : str
            The conversation, with its control tokens.
        max_new_tokens, do_sample, temperature, top_k, top_p
            As in transformers' ``generate``, which takes a column for a token; its other arguments change nothing here. Codes are
            drawn from torch's global random generator.

        Returns
        -------
        tensor of int64, shape (columns, codebooks)
        """
        config = self.config
        ids = torch.tensor([self._tokenizer.encode(text, add_special_tokens=False).ids])
        unpadded = torch.zeros(1, dtype=torch.long)
        begin, end = config.audio_stream_bos_id, config.audio_stream_eos_id
        codebook = torch.arange(config.num_codebooks)
        audio = torch.empty(0, config.num_codebooks, dtype=torch.long)
        scores = torch.zeros(config.num_codebooks, config.codebook_size)  # the first column is not predicted
        ending = 0  # codebooks that have to end: one more a column after the first end-of-stream
        while len(audio) < max_new_tokens:
            scores = _only(scores, codebook >= len(audio), begin)
            scores = _only(scores, codebook < ending, end)
            column = _drawn(scores, temperature, top_k, top_p) if do_sample else scores.argmax(dim=-1)
            audio = torch.cat([audio, column[None]])
            if (column == end).all():
                break
            if ending or (column == end).any():
                ending += 1
            scores = self.audio_lm_head(audio_states(self, ids, unpadded, audio[None])[0, -1]).view(scores.shape)
        return audio


class _Decoder(nn.Module):
    """The parts that `harness.higgs.speech.lean` reads, named as in transformers."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.embed_audio_tokens = _AudioEmbedding(config)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = _norm(config)
        self._inverse_theta = config.head_dim, config.rope_parameters["rope_theta"]

    def rotary_emb(self, states: torch.Tensor, places: torch.Tensor) -> Sequence[torch.Tensor]:
        """Return cosines and sines of the rotary embedding, each of shape (1, places, head_dim)."""
        size, base = self._inverse_theta
        angles = places[..., None] / base ** (torch.arange(0, size, 2) / size)
        angles = torch.cat([angles, angles], dim=-1)
        return angles.cos(), angles.sin()


class _AudioEmbedding(nn.Module):
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.embed_audio_tokens = nn.Embedding(config.num_codebooks * config.codebook_size, config.hidden_size)
        self.entries = config.codebook_size

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Return the sum of the embeddings of all codebooks."""
        return self.embed_audio_tokens(codes + self.entries * torch.arange(codes.shape[-1])).sum(dim=-2)


class _Layer(nn.Module):
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.self_attn = _Attention(config)
        self.mlp, self.audio_mlp = _MLP(config), _MLP(config)
        self.input_layernorm, self.audio_input_layernorm = _norm(config), _norm(config)
        self.post_attention_layernorm, self.audio_post_attention_layernorm = _norm(config), _norm(config)


class _Attention(nn.Module):
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.head_dim, self.scaling = config.head_dim, config.head_dim**-0.5
        queries, keys = (self.head_dim * heads for heads in (config.num_attention_heads, config.num_key_value_heads))
        self.q_proj = nn.Linear(config.hidden_size, queries, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, keys, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, keys, bias=False)
        self.o_proj = nn.Linear(queries, config.hidden_size, bias=False)


class _MLP(nn.Module):
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.down_proj(nn.functional.silu(self.gate_proj(states)) * self.up_proj(states))


def _norm(config: Any) -> nn.RMSNorm:
    norm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
    norm.variance_epsilon = config.rms_norm_eps
    return norm


def _only(scores: torch.Tensor, codebooks: torch.Tensor, code: int) -> torch.Tensor:
    """Return scores with which some codebooks, given by a mask, can only take one code."""
    forbidden = codebooks[:, None] & (torch.arange(scores.shape[1]) != code)
    return scores.masked_fill(forbidden, -torch.inf)


def _drawn(scores: torch.Tensor, temperature: float, top_k: int, top_p: float) -> torch.Tensor:
    """Draw a code for each codebook, shape (codebooks,)."""
    scores = scores / temperature
    if top_k:
        least = scores.topk(min(top_k, scores.shape[-1])).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    if top_p < 1:
        ordered, order = scores.sort(dim=-1)
        rare = ordered.softmax(dim=-1).cumsum(dim=-1) <= 1 - top_p
        rare[:, -1] = False
        scores = scores.masked_fill(rare.scatter(1, order, rare), -torch.inf)
    return scores.softmax(dim=-1).multinomial(1)[:, 0]
