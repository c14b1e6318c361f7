"""The tagger itself: a trained adapter over its base, behind the interface of all taggers."""

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
from harness.taggers.gpt2.config import TrainingConfig
from harness.taggers.gpt2.encoding import Encoder, new_tokens
from harness.taggers.gpt2.slot_logits import slot_scores
from harness.taggers.gpt2.training import ADAPTER, SUMMARY, ensure_trained, summary
from harness.taggers.gpt2.writing import BUDGET_EXTRA, BUDGET_FACTOR, write
from harness.taggers.lm.base_model import context_length, load_base
from harness.taggers.slots import TAG_QUESTIONS, choose, margins

DECODINGS = {
    "slots": "one forward pass answers at every slot, with thresholds from the dev set; words are never written",
    "constrained": "token by token: a tag, or the next token of the original",
    "generate": "token by token, freely, as in the note: words can change",
}
_MARGIN = 8  # tokens of a prompt that are not words: ends and separator
_AGAIN = "copy the whole folder again, or train anew: harness train gpt2 --out DIR"


@register_tagger("gpt2")
class Gpt2Tagger:
    """GPT-2 with a LoRA adapter; trains it on the embedded examples if there is none yet.

    Parameters
    ----------
    adapter : path, optional
        Folder written by `harness train gpt2`. Default: trained now (once) with `config`.
    decoding : str
        A key of `DECODINGS`.
    batch_size : int
        Texts side by side where they are written token by token.
    examples : sequence of Example, optional
        To train on; the embedded training examples by default.
    **config
        Fields of `TrainingConfig`, for instance ``base_model="gpt2"`` or ``seed=1``.
    """

    name = "gpt2"

    def __init__(
        self,
        adapter: str | Path | None = None,
        decoding: str = "slots",
        batch_size: int = 32,
        examples: Sequence[Example] | None = None,
        **config: Any,
    ) -> None:
        if decoding not in DECODINGS:
            raise HarnessError(
                f"{decoding!r} is not a way of decoding", remedy=f"choose one of: {', '.join(DECODINGS)}"
            )
        self.decoding, self.batch_size = decoding, batch_size
        if adapter is None:
            examples = load_examples("train") if examples is None else examples
            self.folder = ensure_trained(TrainingConfig(**config), examples, progress=False)
        else:
            self.folder = Path(adapter)
            if not (self.folder / SUMMARY).is_file():
                raise DataError(
                    "not a trained tagger", path=self.folder, remedy="make one: harness train gpt2 --out DIR"
                )
        self.summary = summary(self.folder)
        try:
            self.config = TrainingConfig(**self.summary["config"])
            self.thresholds = {tag: float(self.summary["thresholds"][tag.value]) for tag in TAGS}
        except (HarnessError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"not the summary of a trained tagger ({type(error).__name__}: {error})",
                            path=self.folder / SUMMARY, remedy=_AGAIN) from error  # fmt: skip
        if decoding != "slots" and self.config.objective != "both":
            raise DataError(f"this tagger has not learned to write, so it cannot {decoding}", path=self.folder,
                            remedy="train it with --objective both")  # fmt: skip

    @cached_property
    def loaded(self) -> tuple[Any, Encoder]:
        """Model and encoder."""
        from peft import PeftModel

        base, tokenizer = load_base(self.config.base_model, new_tokens(TAG_QUESTIONS))
        adapter = self.folder / ADAPTER
        for file in ("adapter_config.json", "adapter_model.safetensors"):  # peft would ask the hub for one that lacks
            if not (adapter / file).is_file():
                raise DataError(f"the adapter has no {file}", path=adapter, remedy=_AGAIN)
        try:
            model: Any = PeftModel.from_pretrained(base, str(adapter))
        except Exception as error:  # peft raises what torch, safetensors, json and its own code happen to raise
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"the adapter cannot be loaded ({type(error).__name__}: {reason})",
                            path=adapter, remedy=_AGAIN) from error  # fmt: skip
        if self.config.tag_embeddings != "modules_to_save":  # there the output layer has a table of its own
            model = model.merge_and_unload()
        return model, Encoder(tokenizer, TAG_QUESTIONS, self.config.prompt_format)

    def tag(self, texts: Sequence[TaggedText]) -> list[TaggedText]:
        """Tag each text; one that is longer than the model's context is tagged in pieces."""
        model, encoder = self.loaded
        # What is written by the model needs room as well: in the worst case twice the words.
        copies = encoder.copies if self.decoding == "slots" else 1 + BUDGET_FACTOR
        budget = context_length(model) - _MARGIN - (0 if self.decoding == "slots" else BUDGET_EXTRA)
        spans = [encoder.windows(text.words, budget, copies) for text in texts]
        pieces = [text.words[start:end] for text, cuts in zip(texts, spans, strict=True) for start, end in cuts]
        placed = iter(self._place(model, encoder, pieces))
        return [_join([(start, next(placed)) for start, _ in cuts]) for cuts in spans]

    def _place(self, model: Any, encoder: Encoder, pieces: Sequence[Sequence[str]]) -> list[TaggedText]:
        if self.decoding == "slots":
            return choose(pieces, margins(slot_scores(model, encoder, pieces)), self.thresholds)
        constrained = self.decoding == "constrained"
        return write(model, encoder, pieces, constrained=constrained, batch_size=self.batch_size)


def _join(parts: Sequence[tuple[int, TaggedText]]) -> TaggedText:
    """Put pieces together again; a tag at the seam of two pieces is kept once."""
    words: list[str] = []
    tags: list[tuple[int, Tag]] = []
    for _, part in parts:
        tags += [(len(words) + slot, tag) for slot, tag in part.tags]
        words += part.words
    return TaggedText(tuple(words), list(dict.fromkeys(tags)))
