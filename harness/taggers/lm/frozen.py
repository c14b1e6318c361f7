"""Logistic regression on hidden states of a frozen language model: what the base knows without fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from harness.records import Example
from harness.taggers.base import register_tagger
from harness.taggers.fitted import SlotTagger
from harness.taggers.lm.base_model import context_length, load_base
from harness.taggers.lm.words import WordEncoder, gather, of_slots
from harness.taggers.logistic import fit_questions, predict_questions
from harness.taggers.slots import TAG_QUESTIONS, Questions, Scores, SlotText

DEPTHS = (0.27, 0.67)  # layers whose states are used, as shares of the depth: 8 and 20 of SmolLM2's 30
COPIES = 2
TOKENS_A_PASS = 4096


class FeatureModel:
    """One logistic regression per question on the standardised hidden states of a frozen base at each slot.

    The input holds the text twice. The states come from the second copy, where the base knows the whole text.

    Parameters
    ----------
    questions : tuple of Question
    base_model : str
        See `harness.taggers.lm.base_model.resolve`.
    """

    def __init__(self, questions: Questions, base_model: str = "embedded") -> None:
        self.questions = questions
        self.base_model = base_model

    @cached_property
    def _loaded(self) -> tuple[Any, WordEncoder]:
        model, tokenizer = load_base(self.base_model, dtype="bfloat16")
        return model.base_model, WordEncoder(tokenizer)

    def fit(self, train: Sequence[SlotText], dev: Sequence[SlotText] = ()) -> None:
        """Compute the features and fit the regressions; see `harness.taggers.slots.SlotModel.fit`."""
        rows = np.concatenate(self.features([text.words for text in train]))
        self._mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._scale = 1 / np.maximum(rows.std(axis=0, dtype=np.float64), 1e-6).astype(np.float32)
        rows -= self._mean
        rows *= self._scale
        self._models = fit_questions(rows, np.concatenate([text.labels for text in train]), self.questions)

    def slot_scores(self, texts: Sequence[Sequence[str]]) -> list[Scores]:
        """See `harness.taggers.slots.SlotModel.slot_scores`."""
        return [
            predict_questions(self._models, (rows - self._mean) * self._scale, self.questions)
            for rows in self.features(texts)
        ]

    def features(self, texts: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Return the features of all slots of each text, shape (slots, layers * STATES * width)."""
        import torch

        trunk, encoder = self._loaded
        trunk.eval()

        def states_of(batch: dict[str, Any]) -> np.ndarray:
            states = trunk(input_ids=batch["input_ids"], attention_mask=batch["known"].long(),
                           output_hidden_states=True, use_cache=False).hidden_states  # fmt: skip
            read = [states[round(depth * (len(states) - 1))] for depth in DEPTHS]
            return torch.cat([gather(layer, batch["index"]) for layer in read], dim=-1).float().numpy()

        with torch.inference_mode():
            budget = context_length(trunk) - 2
            return of_slots(encoder, texts, states_of, budget=budget, tokens=TOKENS_A_PASS, copies=COPIES)


@register_tagger("lm_features")
class FeatureTagger(SlotTagger):
    """Logistic regression on hidden states of a frozen base model (`FeatureModel`).

    Parameters
    ----------
    base_model : str
    examples : sequence of Example, optional
    seed : int
        Random seed of the folds on which thresholds are tuned.
    limits : bool, optional
        Whether to keep the annotation guide's limits; by default, if the examples keep them.
    """

    def __init__(
        self, base_model: str = "embedded", examples: Sequence[Example] | None = None, seed: int = 0,
        limits: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__("lm_features", lambda: FeatureModel(TAG_QUESTIONS, base_model), examples, seed, limits)
