"""The GPT-2 tagger: a trained adapter on its base, with the interface of all taggers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.datasets import load_examples
from harness.errors import DataError, HarnessError
from harness.records import Example
from harness.tagged import TAGS, Tag, TaggedText
from harness.taggers.base import register_tagger
from harness.taggers.gpt2.arrays import ArrayGpt2
from harness.taggers.gpt2.config import TrainingConfig
from harness.taggers.gpt2.encoding import PROMPT_OVERHEAD, Encoder, new_tokens
from harness.taggers.gpt2.generation import BUDGET_EXTRA, BUDGET_FACTOR, generate
from harness.taggers.gpt2.slot_logits import slot_scores
from harness.taggers.gpt2.training import ADAPTER, SHIPPED, SUMMARY, ensure_trained, read_summary
from harness.taggers.limits import guide_limits
from harness.taggers.lm.base_model import context_length, load_base
from harness.taggers.slots import TAG_QUESTIONS, choose, margins

DECODINGS = {
    "slots": "one forward pass scores every slot, with thresholds from the dev set; nothing is generated",
    "constrained": "token by token: a tag or the next token of the original",
    "generate": "token by token without constraint, as in the note: words can change",
}
DISTILLED = SHIPPED / "gpt2-distilled"  # the default tagger
_AGAIN = "copy the whole folder again, or train a new tagger: harness train gpt2 --out DIR"


@register_tagger("gpt2")
class Gpt2Tagger:
    """GPT-2 with a LoRA adapter, trained on the embedded examples.

    Parameters
    ----------
    adapter : path, optional
        Folder written by `harness train gpt2`. By default, the distilled adapter that comes with the project, if neither settings
        nor examples are given and slots are decoded. Otherwise the adapter with the settings in `config`: one that comes with
        the project if they are the defaults, else one that is trained at first use.
    decoding : str
        A key of `DECODINGS`.
    batch_size : int
        Number of texts generated at the same time.
    examples : sequence of Example, optional
        Training examples; the embedded ones by default.
    limits : bool, optional
        Whether to keep the annotation guide's limits when slots are decoded; by default, if the training examples kept them.
    **config
        Fields of `TrainingConfig`, such as ``base_model="gpt2"`` or ``seed=1``.
    """

    name = "gpt2"

    def __init__(
        self,
        adapter: str | Path | None = None,
        decoding: str = "slots",
        batch_size: int = 32,
        examples: Sequence[Example] | None = None,
        limits: bool | None = None,
        **config: Any,
    ) -> None:
        if decoding not in DECODINGS:
            raise HarnessError(f"unknown decoding {decoding!r}", remedy=f"choose one of: {', '.join(DECODINGS)}")
        self.decoding, self.batch_size = decoding, batch_size
        default = examples is None and decoding == "slots" and config in ({}, {"base_model": "embedded"})
        if adapter is None and default and (DISTILLED / SUMMARY).is_file():
            adapter = DISTILLED
        if adapter is None:
            examples = load_examples("train") if examples is None else examples
            self.folder = ensure_trained(TrainingConfig.of(**config), examples)
        else:
            self.folder = Path(adapter)
            if not (self.folder / SUMMARY).is_file():
                raise DataError(
                    "not a trained tagger", path=self.folder, remedy="make one: harness train gpt2 --out DIR"
                )
        self.summary = read_summary(self.folder)
        try:
            self.config = TrainingConfig(**self.summary["config"])
            self.thresholds = {tag: float(self.summary["thresholds"][tag.value]) for tag in TAGS}
        except (HarnessError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"not the summary of a trained tagger ({type(error).__name__}: {error})",
                            path=self.folder / SUMMARY, remedy=_AGAIN) from error  # fmt: skip
        keep = self.summary.get("limits", False) if limits is None else limits
        self.limits = guide_limits() if keep else None
        if decoding != "slots" and self.config.objective != "both":
            raise DataError(f"this tagger was trained without generation, so decoding {decoding!r} is not available", path=self.folder,
                            remedy="train it with --objective both")  # fmt: skip

    @cached_property
    def loaded(self) -> tuple[Any, Encoder]:
        """The model and its encoder, loaded at first use."""
        from peft import PeftModel

        base, tokenizer = load_base(self.config.base_model, new_tokens(TAG_QUESTIONS))
        adapter = self.folder / ADAPTER
        for file in ("adapter_config.json", "adapter_model.safetensors"):
            if not (adapter / file).is_file():  # peft would look for it on the hub
                raise DataError(f"the adapter has no {file}", path=adapter, remedy=_AGAIN)
        try:
            model: Any = PeftModel.from_pretrained(base, str(adapter))
        except Exception as error:  # peft passes on exceptions of torch, safetensors and json
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"the adapter cannot be loaded ({type(error).__name__}: {reason})",
                            path=adapter, remedy=_AGAIN) from error  # fmt: skip
        if self.config.tag_embeddings != "modules_to_save":  # with modules_to_save the output layer has its own table
            model = model.merge_and_unload()
        return model, Encoder(tokenizer, TAG_QUESTIONS, self.config.prompt_format)

    @cached_property
    def _arrays(self) -> ArrayGpt2 | None:
        """The model in NumPy, if it can score slots there; `loaded` gives the reasons for which an adapter cannot be used."""
        config = self.config
        if self.decoding != "slots" or config.base_model != "embedded" or config.tag_embeddings != "token_indices":
            return None
        try:
            return ArrayGpt2(self.folder / ADAPTER, config.prompt_format)
        except Exception:  # a damaged adapter: safetensors and NumPy raise many types
            return None

    def tag(self, texts: Sequence[TaggedText]) -> list[TaggedText]:
        """Tag each text; a text longer than the model's context is tagged in pieces."""
        if self._arrays:
            encoder, context = self._arrays.encoder, self._arrays.context
        else:
            model, encoder = self.loaded
            context = context_length(model)
        # Generated text needs room as well: in the worst case twice the words.
        copies = encoder.copies if self.decoding == "slots" else 1 + BUDGET_FACTOR
        budget = context - PROMPT_OVERHEAD - (0 if self.decoding == "slots" else BUDGET_EXTRA)
        spans = [encoder.windows(text.words, budget, copies) for text in texts]
        pieces = [text.words[start:end] for text, cuts in zip(texts, spans, strict=True) for start, end in cuts]
        placed = iter(self._place(pieces))
        return [_join([next(placed) for _ in cuts]) for cuts in spans]

    def _place(self, pieces: Sequence[Sequence[str]]) -> list[TaggedText]:
        if self.decoding != "slots":
            constrained = self.decoding == "constrained"
            return generate(*self.loaded, pieces, constrained=constrained, batch_size=self.batch_size)
        scores = self._arrays.slot_scores(pieces) if self._arrays else slot_scores(*self.loaded, pieces)
        return choose(pieces, margins(scores), self.thresholds, self.limits)


def _join(parts: Sequence[TaggedText]) -> TaggedText:
    """Join pieces of a text; a tag on the boundary of two pieces is kept once."""
    words: list[str] = []
    tags: list[tuple[int, Tag]] = []
    for part in parts:
        tags += [(len(words) + slot, tag) for slot, tag in part.tags]
        words += part.words
    return TaggedText(tuple(words), list(dict.fromkeys(tags)))
