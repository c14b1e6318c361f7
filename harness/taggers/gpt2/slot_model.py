"""The GPT-2 tagger's model as a slot model for any questions; it is not kept on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.taggers.gpt2.config import TrainingConfig
from harness.taggers.gpt2.encoding import PROMPT_OVERHEAD
from harness.taggers.gpt2.slot_logits import slot_scores
from harness.taggers.gpt2.training import fit
from harness.taggers.lm.base_model import context_length
from harness.taggers.slots import Questions, Scores, SlotText


class Gpt2SlotModel:
    """A slot model; see `harness.taggers.slots.SlotModel`.

    Parameters
    ----------
    questions : tuple of Question
    config : TrainingConfig
    log : callable, optional
        Called with the figures of each finished epoch.
    """

    def __init__(self, questions: Questions, config: TrainingConfig, log: Callable[[dict], None] | None = None) -> None:
        self.questions = questions
        self.config = config
        self.log = log

    def fit(self, train: Sequence[SlotText], dev: Sequence[SlotText]) -> None:
        """Fine-tune the base; the epoch with the lowest dev loss is kept."""
        with tempfile.TemporaryDirectory() as folder:
            self._model, self._encoder, self.figures = fit(
                self.config, self.questions, train, dev, Path(folder), log=self.log, progress=False
            )

    def slot_scores(self, texts: Sequence[Sequence[str]]) -> list[Scores]:
        """See `harness.taggers.slots.SlotModel.slot_scores`; a text longer than the context is refused."""
        budget = context_length(self._model) - PROMPT_OVERHEAD
        if any(len(self._encoder.windows(words, budget, self._encoder.copies)) > 1 for words in texts):
            raise ValueError("a text is longer than the model's context")
        return slot_scores(self._model, self._encoder, texts, bf16=self.config.bf16)
