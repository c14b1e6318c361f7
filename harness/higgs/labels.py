"""Provide the loss that Higgs lacks, and model classes that accept ``labels``, for both stacks.

boson_multimodal's model takes ``label_ids`` and ``label_audio_ids``, never ``labels``, and never computes a loss. PEFT's
causal language model passes ``labels`` to the model it wraps, so every forward fails. transformers' own model takes
``labels`` and ``audio_labels``, but scales both losses by the number of text labels alone when Trainer counts them.

The two classes here are the original ones with a different ``forward``: same weights, same names, same file. Both take
``labels`` and ``audio_labels`` and return ``loss``, ``llm_loss``, the text's, and ``audio_loss``, computed by `higgs_loss`.
"""

from __future__ import annotations

from functools import cache
from inspect import Signature, signature
from typing import TYPE_CHECKING, Any
from unittest.mock import patch  # it restores what it replaces

from harness.processes.stacks import BOSON

if TYPE_CHECKING:
    import torch

IGNORED = -100  # PyTorch's cross_entropy leaves these labels out
TEXT_WEIGHT = 1.0


def higgs_loss(
    text_logits: torch.Tensor,
    text_labels: torch.Tensor,
    audio_logits: torch.Tensor,
    audio_labels: torch.Tensor,
    *,
    items: torch.Tensor | None = None,
    text_weight: float = TEXT_WEIGHT,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the cross-entropy over text and over the delayed codebooks.

    The labels are shifted here to the *next* position; the caller must not shift them.

    Parameters
    ----------
    text_logits : tensor of shape (batch, positions, vocabulary)
    text_labels : tensor of shape (batch, positions)
        Token ids, or `IGNORED` where nothing is to be learned.
    audio_logits : tensor of shape (frames, codebooks, entries)
        Logits of all frames of the batch, clip after clip.
    audio_labels : tensor of shape (frames, codebooks)
        Codes; the first frame of each clip must be `IGNORED` in every codebook, because another clip precedes it.
    items : tensor of shape (2,), optional
        Numbers of text and audio labels to divide by, counted for a step over all its micro-batches and processes;
        by default those of this batch.
    text_weight : float
        Weight of the text loss; the audio loss has weight 1.

    Returns
    -------
    loss, text_loss, audio_loss : tensors of shape ()
        In nats per label. All codebooks have the same number of labels, so the audio loss is also the mean of the
        codebooks' means. (transformers' model takes their *sum*, which is 8 times as large.)
    """
    import torch
    from torch.nn.functional import cross_entropy

    entries, vocabulary = audio_logits.shape[-1], text_logits.shape[-1]
    text_target, audio_target = text_labels[:, 1:].reshape(-1), audio_labels[1:].reshape(-1)
    text = cross_entropy(
        text_logits[:, :-1].reshape(-1, vocabulary).float(), text_target, ignore_index=IGNORED, reduction="sum"
    )
    audio = cross_entropy(
        audio_logits[:-1].reshape(-1, entries).float(), audio_target, ignore_index=IGNORED, reduction="sum"
    )
    if items is None:
        items = torch.stack([(text_target != IGNORED).sum(), (audio_target != IGNORED).sum()])
    text_items, audio_items = items.to(text.device).clamp(min=1)
    text, audio = text / text_items, audio / audio_items
    return text_weight * text + audio, text, audio


def training_class(stack: str) -> Any:
    """Return the model class of a stack whose ``forward`` takes labels and returns a loss."""
    return _boson_class() if stack == BOSON else _native_class()


@cache
def _boson_class() -> Any:
    from boson_multimodal.model.higgs_audio import HiggsAudioModel

    class HiggsAudioForTraining(HiggsAudioModel):
        """boson_multimodal's model, with labels."""

        text_weight = TEXT_WEIGHT

        def forward(
            self,
            labels: torch.Tensor | None = None,
            audio_labels: torch.Tensor | None = None,
            items: torch.Tensor | None = None,
            **inputs: Any,
        ) -> Any:
            """Call the original; add losses for labels of shape (batch, tokens) and (frames, codebooks).

            The original merges audio into the text and returns ``expanded_labels``, which match its logits.
            """
            if labels is None or audio_labels is None:
                return super().forward(**inputs)
            inputs["return_dict"] = True
            out = super().forward(label_ids=labels, **inputs)
            # as items, not attributes: Trainer asks for the key "loss", which an attribute does not set
            out["loss"], out["llm_loss"], out["audio_loss"] = higgs_loss(
                out.logits,
                out.expanded_labels,
                out.audio_logits,
                audio_labels,
                items=items,
                text_weight=self.text_weight,
            )
            return out

    _keep_signature(HiggsAudioForTraining, HiggsAudioModel)
    return HiggsAudioForTraining


@cache
def _native_class() -> Any:
    import transformers.utils

    # for the losses of object detection alone, its import of scipy.optimize takes a tenth of the time
    with patch.object(transformers.utils, "is_scipy_available", lambda: False):
        from transformers import HiggsAudioV2ForConditionalGeneration
    from transformers.modeling_outputs import CausalLMOutputWithPast

    class HiggsAudioV2ForTraining(HiggsAudioV2ForConditionalGeneration):
        """transformers' model, with both losses on one scale."""

        text_weight = TEXT_WEIGHT

        def forward(
            self,
            labels: torch.Tensor | None = None,
            audio_labels: torch.Tensor | None = None,
            items: torch.Tensor | None = None,
            **inputs: Any,
        ) -> Any:
            """Call the original; add losses for labels of shape (batch, tokens) and (frames, codebooks)."""
            if labels is None or audio_labels is None:
                return super().forward(**inputs)
            for name in ("return_dict", "use_cache", "logits_to_keep"):
                inputs.pop(name, None)
            hidden = self.model(use_cache=False, **inputs).last_hidden_state
            mask = self.model.get_placeholder_mask(inputs["input_ids"], None, inputs.get("audio_input_ids_mask"))
            audio_logits = self.audio_lm_head(hidden[mask]).view(
                -1, self.config.num_codebooks, self.config.codebook_size
            )
            assert self.text_lm_head is not None, "load the model with its text head"
            text_logits = self.text_lm_head(hidden)
            loss, text, audio = higgs_loss(
                text_logits, labels, audio_logits, audio_labels, items=items, text_weight=self.text_weight
            )
            out = CausalLMOutputWithPast(loss=loss, logits=text_logits)
            out["llm_loss"], out["audio_loss"], out["audio_logits"] = text, audio, audio_logits
            return out

    _keep_signature(HiggsAudioV2ForTraining, HiggsAudioV2ForConditionalGeneration)
    return HiggsAudioV2ForTraining


def _keep_signature(ours: Any, original: Any) -> None:
    """Show ``generate`` the original arguments of ``forward``; it refuses any that it does not find by name."""
    every = {**signature(original.forward).parameters, **signature(ours.forward).parameters}
    ordered = sorted((one for one in every.values() if one.name != "inputs"), key=lambda one: one.kind)
    ours.forward.__signature__ = Signature(ordered)
