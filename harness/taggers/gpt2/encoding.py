"""Encode texts as token ids.

The prompt holds the sentence twice: ``plain <newline> plain``. A causal model sees only earlier tokens, so only in the second
copy does it know the whole sentence when it decides. Position ids restart at the copy, so a word has the same position in
both halves, and even a small model quickly learns to look up the word that follows.

There are two kinds of training rows. In a *slot row* the copy is plain, and at each slot the model answers the questions
instead of predicting the next word. In a *generation row* the copy contains the tags, as in the note's training text, and the
model predicts it token by token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from harness.datasets import UNLABELLED
from harness.errors import DataError
from harness.taggers.lm.words import WordEncoder
from harness.taggers.slots import Questions, SlotText

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100  # label that PyTorch's cross-entropy ignores
SEPARATOR = "\n"
PROMPT_OVERHEAD = 8  # upper bound on the tokens of a prompt that are not words: end tokens and separator
PROMPTS = {
    "twice": "the sentence twice: the model decides in the second copy, where it knows the whole sentence",
    "ahead": "the sentence twice, and each slot is decided at two places, before its word and after it, where the model has read "
    "the word's punctuation in the copy: their logits are added; only with a teacher",
    "once": "the sentence once: the model decides without knowing what follows",
}


@dataclass(frozen=True)
class Prompt:
    """Token ids of a text, and the tokens at which its slots are decided.

    Parameters
    ----------
    ids : list of int
        ``<end> plain <newline> plain <end>``.
    positions : list of int
        Position id of each token; the copy starts again at 1.
    slots : list of int
        For each slot, the index of the token at which it is decided: the last one before the slot. With the format ``ahead``
        there is one more, the last token of the prompt, and slot `i` is decided at entries `i` and `i` + 1.
    copy : int
        Index of the first token of the copy.
    """

    ids: list[int]
    positions: list[int]
    slots: list[int]
    copy: int


class Encoder(WordEncoder):
    """Encodes texts for one tokenizer.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
        Tokenizer with the answers added to its vocabulary (`load_base`).
    questions : tuple of Question
    prompt_format : str
        A key of `PROMPTS`.

    Attributes
    ----------
    answers : dict of str to int
        Token of each answer, except "nothing".
    answer_ids : list of list of int
        For each question, the tokens of its answers.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, questions: Questions = (), prompt_format: str = "twice"
    ) -> None:
        super().__init__(tokenizer)
        if prompt_format not in PROMPTS:
            raise DataError(f"{prompt_format!r} is not a prompt format", remedy=f"choose one of: {', '.join(PROMPTS)}")
        self.questions = questions
        self.copies = 1 if prompt_format == "once" else 2
        self.ahead = prompt_format == "ahead"
        self.separator = tokenizer.encode(SEPARATOR, add_special_tokens=False)
        vocabulary = tokenizer.get_vocab()
        self.answers = {name: vocabulary[name] for name in new_tokens(questions)}
        # The newline stands for "nothing": it never occurs in the copy of a sentence.
        self.answer_ids = [[self.separator[-1], *(self.answers[name] for name in q.answers[1:])] for q in questions]

    def prompt(self, words: Sequence[str]) -> Prompt:
        """Return the prompt for these words: twice with a separator, or once, between end tokens."""
        tokens = [self.word(word) for word in words]
        flat = [token for word in tokens for token in word]
        ids, positions = [self.end], [0]
        if self.copies == 2:
            ids += [*flat, *self.separator]
            positions += [*range(1, len(flat) + 1), *([0] * len(self.separator))]
        copy = len(ids)
        ends = list(accumulate((len(word) for word in tokens), initial=copy - 1))
        ids += [*flat, self.end]
        slots = [*ends, len(ids) - 1] if self.ahead else ends
        return Prompt(ids, [*positions, *range(1, len(flat) + 2)], slots, copy)

    def slot_row(self, text: SlotText) -> dict[str, Any]:
        """Return a training row with a plain copy, labelled with the answers to all questions at each slot."""
        prompt = self.prompt(text.words)
        answers = [[IGNORED] * len(self.questions) for _ in prompt.ids]
        for at, labels in zip(prompt.slots, text.labels.tolist(), strict=True):
            answers[at] = [IGNORED if label == UNLABELLED else label for label in labels]
        return {"input_ids": prompt.ids, "position_ids": prompt.positions, "answers": answers,
                "next_ids": [IGNORED] * len(prompt.ids)}  # fmt: skip

    def generation_row(self, text: SlotText) -> dict[str, Any]:
        """Return a training row whose copy contains the answers as tokens; only the copy has next-token labels.

        An answer precedes its word and has the same position id, so that adding it does not shift the rest.
        """
        prompt = self.prompt(text.words)
        ids, positions = prompt.ids[: prompt.copy], prompt.positions[: prompt.copy]
        start = prompt.copy
        for end, labels in zip([*prompt.slots[1:], len(prompt.ids) - 1], text.labels.tolist(), strict=True):
            said = [
                self.answers[question.answers[label]]
                for question, label in zip(self.questions, labels, strict=True)
                if label > 0
            ]
            ids += [*said, *prompt.ids[start : end + 1]]
            positions += [*([prompt.positions[start]] * len(said)), *prompt.positions[start : end + 1]]
            start = end + 1
        following = [IGNORED] * (prompt.copy - 1) + ids[prompt.copy :] + [IGNORED]
        return {"input_ids": ids, "position_ids": positions, "next_ids": following,
                "answers": [[IGNORED] * len(self.questions) for _ in ids]}  # fmt: skip


def new_tokens(questions: Questions) -> tuple[str, ...]:
    """Return the answers that need new tokens: all except "nothing"."""
    return tuple(answer for question in questions for answer in question.answers[1:])


def collate(rows: Sequence[Mapping[str, Any]], pad: int, *, mask_pads: bool = True) -> dict[str, Any]:
    """Pad rows to one length and return them as a batch.

    Padding is masked from attention and from the loss. ``mask_pads=False`` keeps it in the next-token loss, a mistake that
    chapter 07 measures. The batch always contains the attention mask: without it, transformers 5 interprets position ids that
    restart as a second document, and the copy could not attend to the sentence.
    """
    import torch

    longest = max(len(row["input_ids"]) for row in rows)
    fill: dict[str, Any] = {"input_ids": pad, "position_ids": 0}
    if "next_ids" in rows[0]:
        fill["next_ids"] = IGNORED if mask_pads else pad
    if "answers" in rows[0]:
        fill["answers"] = [IGNORED] * len(rows[0]["answers"][0])
    batch = {
        name: torch.tensor([[*row[name], *[value] * (longest - len(row[name]))] for row in rows])
        for name, value in fill.items()
    }
    lengths = torch.tensor([len(row["input_ids"]) for row in rows])
    batch["attention_mask"] = (torch.arange(longest) < lengths[:, None]).long()
    return batch
