"""Turn samples into batches for each stack. Both teach the model the same positions.

Learned: ``<|audio_out_bos|>``, every code of every codebook, one end-of-stream per codebook, ``<|audio_eos|>`` and
``<|eot_id|>``. Not learned: the prompt, the corners that the delay leaves empty, and padding. Two traps are avoided:

- boson_multimodal's collator writes -100 into the label ids of the *sample* it receives. The second time, it treats all audio
  as not to be trained: every label becomes -100 and the loss is NaN. Here it receives copies.
- transformers' processor masks every end-of-stream (``output_labels=True``), keeps the prompt in the labels, and leaves
  delay tokens there that generation never predicts from text. A model trained this way never stops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from harness.higgs.delay import delay
from harness.higgs.labels import IGNORED
from harness.higgs.samples import Sample, prompt
from harness.processes.stacks import BOSON

if TYPE_CHECKING:
    import torch

ANSWER_BEGIN, ANSWER_END = "<|audio_out_bos|>", "<|audio_eos|><|eot_id|>"


class Collator(Protocol):
    """Make a batch of keyword arguments for the stack's model, with ``labels`` and ``audio_labels``."""

    def __call__(self, samples: Sequence[Sample]) -> dict[str, torch.Tensor]: ...


def make_collator(stack: str, tokenizer: Any, config: Any) -> Collator:
    """Return the collator of a stack for a model with this configuration."""
    return BosonCollator(tokenizer, config) if stack == BOSON else NativeCollator(tokenizer, config)


def audio_labels(codes: np.ndarray, eos: int) -> np.ndarray:
    """Return the labels of a delayed clip, shape (codebooks, frames): codes, one end per codebook, the rest `IGNORED`."""
    codebooks, frames = codes.shape
    labels = np.full((codebooks, frames + codebooks + 1), IGNORED, dtype=np.int64)
    for k in range(codebooks):
        labels[k, k + 1 : k + 1 + frames] = codes[k]
        labels[k, k + 1 + frames] = eos
    return labels


def encode(tokenizer: Any, text: str) -> list[int]:
    """Return the token ids of a text that already contains its control tokens."""
    return tokenizer.encode(text, add_special_tokens=False)


class NativeCollator:
    """Batches for transformers' own model."""

    def __init__(self, tokenizer: Any, config: Any) -> None:
        self.tokenizer, self.config = tokenizer, config

    def __call__(self, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
        """Return text padded on the right and audio of shape (batch, frames, codebooks), padded on the right."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        c = self.config
        begin, end = encode(self.tokenizer, ANSWER_BEGIN), encode(self.tokenizer, ANSWER_END)
        tokens, labels, audio, audio_targets = [], [], [], []
        for sample in samples:
            asked = encode(self.tokenizer, prompt(sample.text))
            delayed = delay(sample.codes, c.audio_stream_bos_id, c.audio_stream_eos_id)
            late = c.num_codebooks - 1  # the columns after the first end-of-stream
            frames = [c.audio_token_id] * (delayed.shape[1] - late) + [c.audio_delay_token_id] * late
            tokens.append(torch.tensor(asked + begin + frames + end))
            labels.append(torch.tensor([IGNORED] * len(asked) + begin + [IGNORED] * len(frames) + end))
            audio.append(torch.from_numpy(delayed.T.copy()))
            audio_targets.append(torch.from_numpy(audio_labels(sample.codes, c.audio_stream_eos_id).T.copy()))
        lengths = torch.tensor([len(one) for one in audio])
        padded = pad_sequence(audio, batch_first=True, padding_value=c.audio_stream_eos_id)
        return {
            "input_ids": pad_sequence(tokens, batch_first=True, padding_value=c.pad_token_id),
            "attention_mask": pad_sequence([torch.ones_like(one) for one in tokens], batch_first=True),
            "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
            "audio_input_ids": padded,
            "audio_input_ids_mask": torch.arange(padded.shape[1])[None] < lengths[:, None],
            "audio_labels": torch.cat(audio_targets),
        }


class BosonCollator:
    """Batches for boson_multimodal's model, made by its own collator."""

    def __init__(self, tokenizer: Any, config: Any) -> None:
        from boson_multimodal.data_collator.higgs_audio_collator import HiggsAudioSampleCollator

        self.tokenizer = tokenizer
        self.original = HiggsAudioSampleCollator(
            whisper_processor=None,
            encode_whisper_embed=False,
            audio_in_token_id=config.audio_in_token_idx,
            audio_out_token_id=config.audio_out_token_idx,
            audio_stream_bos_id=config.audio_stream_bos_id,
            audio_stream_eos_id=config.audio_stream_eos_id,
            pad_token_id=config.pad_token_id,
            audio_num_codebooks=config.audio_num_codebooks,
            return_audio_in_tokens=False,
            use_delay_pattern=config.use_delay_pattern,
            round_to=1,
        )

    def __call__(self, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
        """Return text with one ``<|AUDIO_OUT|>`` per clip, and all audio concatenated to shape (codebooks, frames)."""
        batch = asdict(self.original([self.chatml(sample) for sample in samples]))
        kept = ("input_ids", "attention_mask", "audio_out_ids", "audio_out_ids_start", "audio_out_ids_start_group_loc")
        return {name: batch[name] for name in kept} | {
            "labels": batch["label_ids"], "audio_labels": batch["label_audio_ids"].T.contiguous(),
        }  # fmt: skip

    def chatml(self, sample: Sample) -> Any:
        """Return a fresh sample in boson_multimodal's format, because its collator modifies its input."""
        import torch
        from boson_multimodal.dataset.chatml_dataset import ChatMLDatasetSample

        asked = encode(self.tokenizer, prompt(sample.text))
        answer = encode(self.tokenizer, f"{ANSWER_BEGIN}<|AUDIO_OUT|>{ANSWER_END}")
        return ChatMLDatasetSample(
            input_ids=torch.tensor(asked + answer),
            label_ids=torch.tensor([IGNORED] * len(asked) + answer),
            audio_ids_concat=torch.from_numpy(sample.codes.copy()),
            audio_ids_start=torch.tensor([0]),
            audio_waveforms_concat=torch.zeros(0),
            audio_waveforms_start=torch.zeros(0, dtype=torch.long),
            audio_sample_rate=torch.zeros(0),
            audio_speaker_indices=torch.zeros(0, dtype=torch.long),
        )


def count_labels(batches: Sequence[Mapping[str, torch.Tensor]]) -> torch.Tensor:
    """Count the text and audio labels of batches, shape (2,). First positions are never labels."""
    import torch

    return torch.tensor(
        [sum(int((batch[name] != IGNORED).sum()) for batch in batches) for name in ("labels", "audio_labels")]
    )
