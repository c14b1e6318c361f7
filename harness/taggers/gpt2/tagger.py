"""The tagger itself: a trained adapter over its base, behind the interface of all taggers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.datasets import load_examples
from harness.errors import DataError
from harness.tagged import Tag, TaggedText
from harness.taggers.base import register_tagger
from harness.taggers.gpt2.base_model import load_base
from harness.taggers.gpt2.encoding import Encoder
from harness.taggers.gpt2.slots import place
from harness.taggers.gpt2.training import ADAPTER, SUMMARY, TrainingConfig, ensure_trained, summary


@register_tagger("gpt2")
class Gpt2Tagger:
    """GPT-2 with a LoRA adapter; trains it on the embedded examples if there is none yet.

    Parameters
    ----------
    adapter : path-like, optional
        Folder written by ``harness train gpt2``. Default: the one that belongs to the configuration, trained on first
        use and kept in ``_build/models``.
    **config
        Fields of `TrainingConfig`, for instance ``base_model="gpt2"`` or ``seed=1``.
    """

    name = "gpt2"

    def __init__(self, adapter: str | Path | None = None, **config: Any) -> None:
        if adapter is None:
            self.folder = ensure_trained(TrainingConfig(**config), load_examples("train"), progress=False)
        else:
            self.folder = Path(adapter)
            if not (self.folder / SUMMARY).is_file():
                raise DataError(
                    "not a trained tagger", path=self.folder, remedy="make one: harness train gpt2 --out DIR"
                )
        self.summary = summary(self.folder)
        if not {"config", "thresholds"} <= self.summary.keys():
            raise DataError("not the summary of a trained tagger", path=self.folder / SUMMARY,
                            remedy="train it again: harness train gpt2 --out DIR")  # fmt: skip

    @cached_property
    def _loaded(self):
        from peft import PeftModel

        base, tokenizer = load_base(self.summary["config"]["base_model"])
        return PeftModel.from_pretrained(base, str(self.folder / ADAPTER)), Encoder(tokenizer)

    def tag(self, texts: Sequence[TaggedText]) -> list[TaggedText]:
        """Tag each text; one that is longer than the model's context is tagged in pieces."""
        model, encoder = self._loaded
        thresholds = {Tag(name): value for name, value in self.summary["thresholds"].items()}
        budget = model.config.n_positions
        spans = [encoder.windows(text.words, budget) for text in texts]
        pieces = [
            TaggedText(text.words[start:end]) for text, cuts in zip(texts, spans, strict=True) for start, end in cuts
        ]
        placed = iter(place(model, encoder, pieces, thresholds))
        return [
            TaggedText(
                text.words,
                [(start + slot, tag) for start, _ in cuts for slot, tag in next(placed).tags],
            )
            for text, cuts in zip(texts, spans, strict=True)
        ]
