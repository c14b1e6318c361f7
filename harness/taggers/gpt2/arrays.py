"""The embedded GPT-2 with an adapter in NumPy: it scores slots without importing PyTorch, which takes seconds.

`harness tag` spends most of its time on that import if it has few sentences to tag. The forward pass of GPT-2 is short (Radford et
al. 2019; the formulas are those of `transformers.GPT2LMHeadModel`), and a test compares both.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.store import read_json
from harness.taggers.gpt2.encoding import Encoder, new_tokens
from harness.taggers.lm.base_model import EMBEDDED
from harness.taggers.lm.words import by_length
from harness.taggers.slots import TAG_QUESTIONS, Scores, log_softmax

TOKENS_A_PASS = 512  # padded tokens of one forward pass: the hidden states of a layer stay in a processor's cache
_TRAINED_ROWS = "token_adapter.trainable_tokens_delta"
Array = NDArray[np.float32]


class ArrayTokenizer:
    """The embedded base's tokenizer with new tokens for the answers; text is never read as one of its special tokens."""

    def __init__(self, answers: Sequence[str]) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(EMBEDDED / "tokenizer.json"))
        self._tokenizer.add_special_tokens(list(answers))
        self._tokenizer.encode_special_tokens = True
        self.eos_token_id = self._tokenizer.token_to_id("<|endoftext|>")

    def encode(self, text: str, **_: Any) -> list[int]:
        """Return the token ids of a text."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def get_vocab(self) -> dict[str, int]:
        """Return the number of each token."""
        return self._tokenizer.get_vocab()


class ArrayGpt2:
    """The embedded base with an adapter merged into it.

    Parameters
    ----------
    adapter : path
        Folder with ``adapter_config.json`` and ``adapter_model.safetensors``, trained on the embedded base with
        ``tag_embeddings="token_indices"``.
    prompt_format : str
        See `harness.taggers.gpt2.encoding.PROMPTS`.

    Raises
    ------
    KeyError, ValueError, OSError, safetensors.SafetensorError
        If the adapter is damaged or does not fit the base.
    """

    def __init__(self, adapter: Path, prompt_format: str) -> None:
        from safetensors.numpy import load_file

        settings = read_json(EMBEDDED / "config.json")
        self.layers, self.heads = settings["n_layer"], settings["n_head"]
        self.epsilon, self.context = settings["layer_norm_epsilon"], settings["n_positions"]
        tokenizer: Any = ArrayTokenizer(new_tokens(TAG_QUESTIONS))
        self.encoder = Encoder(tokenizer, TAG_QUESTIONS, prompt_format)
        weights = load_file(EMBEDDED / "model.safetensors")
        self._weights = {name.removeprefix("transformer."): value.astype(np.float32) for name, value in weights.items()}
        trained = load_file(adapter / "adapter_model.safetensors")
        kept = read_json(adapter / "adapter_config.json")
        for name, down in trained.items():
            if name.endswith(".lora_A.weight"):
                up = trained[name.replace(".lora_A.", ".lora_B.")]
                if len(down) != kept["r"]:
                    raise ValueError(f"expected rank {kept['r']} by adapter_config.json, got {len(down)}")
                module = name.removeprefix("base_model.model.transformer.").removesuffix(".lora_A.weight")
                self._weights[f"{module}.weight"] += (kept["lora_alpha"] / kept["r"]) * (
                    up @ down
                ).T  # Conv1D: (in, out)
        [rows] = [value for name, value in trained.items() if name.endswith(_TRAINED_ROWS)]
        table = self._weights["wte.weight"]
        table = np.concatenate([table, np.zeros((len(rows), table.shape[1]), dtype=np.float32)])
        table[kept["trainable_token_indices"]["wte"]] = rows
        self._weights["wte.weight"] = table
        self._answers = table[[token for ids in self.encoder.answer_ids for token in ids]]

    def slot_scores(self, texts: Sequence[Sequence[str]]) -> list[Scores]:
        """Return what `harness.taggers.gpt2.slot_logits.slot_scores` returns."""
        prompts = [self.encoder.prompt(words) for words in texts]
        scores: dict[int, Scores] = {}
        for rows in by_length([len(prompt.ids) for prompt in prompts], TOKENS_A_PASS):
            longest = max(len(prompts[row].ids) for row in rows)
            ids = np.full((len(rows), longest), self.encoder.end)
            positions = np.zeros_like(ids)
            for k, row in enumerate(rows):
                length = len(prompts[row].ids)
                ids[k, :length], positions[k, :length] = prompts[row].ids, prompts[row].positions
            states = self._states(ids, positions)
            for k, row in enumerate(rows):
                logits = states[k, prompts[row].slots] @ self._answers.T
                scores[row] = log_softmax(logits[:-1] + logits[1:] if self.encoder.ahead else logits, TAG_QUESTIONS)
        return [scores[row] for row in range(len(texts))]

    def _states(self, ids: NDArray[np.int64], positions: NDArray[np.int64]) -> Array:
        """Return the final states, shape (texts, tokens, width). Padding follows the text, so no earlier token attends to it."""
        weights = self._weights
        x = weights["wte.weight"][ids] + weights["wpe.weight"][positions]
        texts, tokens, width = x.shape
        split = (texts, tokens, self.heads, width // self.heads)
        future = np.triu(np.full((tokens, tokens), -np.inf, dtype=np.float32), k=1)
        for layer in range(self.layers):
            name = f"h.{layer}"
            mixed = self._linear(self._norm(x, f"{name}.ln_1"), f"{name}.attn.c_attn")
            query, key, value = (part.reshape(split).transpose(0, 2, 1, 3) for part in np.split(mixed, 3, axis=-1))
            attention = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(width // self.heads)) + future
            attention = np.exp(attention - attention.max(axis=-1, keepdims=True))
            attention /= attention.sum(axis=-1, keepdims=True)
            joined = (attention @ value).transpose(0, 2, 1, 3).reshape(texts, tokens, width)
            x = x + self._linear(joined, f"{name}.attn.c_proj")
            hidden = _gelu(self._linear(self._norm(x, f"{name}.ln_2"), f"{name}.mlp.c_fc"))
            x = x + self._linear(hidden, f"{name}.mlp.c_proj")
        return self._norm(x, "ln_f")

    def _linear(self, x: Array, name: str) -> Array:
        return x @ self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]

    def _norm(self, x: Array, name: str) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(self.epsilon))
        return centred / scale * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _gelu(x: Array) -> Array:
    """Return GELU in the tanh approximation (Hendrycks and Gimpel 2016), as GPT-2 computes it.

    It is x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), computed in place, and with products: a power takes fifty times as long.
    """
    y = x * x
    y *= np.float32(0.044715)
    y += np.float32(1)
    y *= np.float32(np.sqrt(2 / np.pi))
    y *= x
    np.tanh(y, out=y)
    y += np.float32(1)
    y *= x
    y *= np.float32(0.5)
    return y
