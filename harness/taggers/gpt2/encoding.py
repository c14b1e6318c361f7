"""Texts as token ids.

The model reads the sentence twice: ``plain <newline> plain``. A causal model sees only what came before, so in the second
copy, and only there, it knows the whole sentence when it decides. The copy counts its positions from the start again: a
word has the same position in both halves, so looking up "what follows at my place" is something that a small model
learns at once.

There are two kinds of training rows. In a *reading* row the copy is plain, and at each slot, where the next word would be written,
the model answers the questions instead. In a *writing* row the copy holds the tags, as the note's training text did,
and the model predicts it token by token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from harness.datasets import UNLABELLED
from harness.errors import DataError
from harness.taggers.lm.base_model import token_ids
from harness.taggers.lm.words import WordEncoder
from harness.taggers.slots import Questions, SlotText

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100  # label that PyTorch's cross-entropy leaves out
SEPARATOR = "\n"
PROMPTS = {
    "twice": "the sentence twice: decided in the second copy, where the whole sentence is known",
    "once": "the sentence once: decided without knowing what follows",
}


@dataclass(frozen=True)
class Prompt:
    """Token ids of a text, and where its slots are read.

    Parameters
    ----------
    ids : list of int
        ``<end> plain <newline> plain <end>``.
    positions : list of int
        Position of each token; the copy counts anew.
    slots : list of int
        For each slot, the token at which it is decided: the last one before it.
    copy : int
        Where the copy begins.
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
        With the answers added (`load_base`).
    questions : tuple of Question
    prompt_format : str
        A key of `PROMPTS`.

    Attributes
    ----------
    answers : dict of str to int
        Answer -> its token, for all answers but "nothing".
    answer_ids : list of list of int
        For each question, the tokens that stand for its answers.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, questions: Questions = (), prompt_format: str = "twice"
    ) -> None:
        super().__init__(tokenizer)
        if prompt_format not in PROMPTS:
            raise DataError(f"{prompt_format!r} is not a prompt format", remedy=f"choose one of: {', '.join(PROMPTS)}")
        self.questions = questions
        self.copies = 2 if prompt_format == "twice" else 1
        self.separator = tokenizer.encode(SEPARATOR, add_special_tokens=False)
        named = new_tokens(questions)
        self.answers = dict(zip(named, token_ids(tokenizer, named), strict=True))
        # "Nothing" is read off the newline, which the copy of a sentence never holds.
        self.answer_ids = [[self.separator[-1], *(self.answers[name] for name in q.answers[1:])] for q in questions]

    def prompt(self, words: Sequence[str]) -> Prompt:
        """The words twice with a separator between, and the end; or once, after the end token."""
        tokens = [self.word(word) for word in words]
        flat = [token for word in tokens for token in word]
        ids, positions = [self.end], [0]
        if self.copies == 2:
            ids += [*flat, *self.separator]
            positions += [*range(1, len(flat) + 1), *([0] * len(self.separator))]
        copy = len(ids)
        ends = list(accumulate((len(word) for word in tokens), initial=copy - 1))
        return Prompt([*ids, *flat, self.end], [*positions, *range(1, len(flat) + 2)], ends, copy)

    def reading(self, text: SlotText) -> dict[str, Any]:
        """A row whose copy is plain: at each deciding token, the index of the answer to each question."""
        prompt = self.prompt(text.words)
        answers = [[IGNORED] * len(self.questions) for _ in prompt.ids]
        for at, labels in zip(prompt.slots, text.labels.tolist(), strict=True):
            answers[at] = [IGNORED if label == UNLABELLED else label for label in labels]
        return {"input_ids": prompt.ids, "position_ids": prompt.positions, "answers": answers,
                "next_ids": [IGNORED] * len(prompt.ids)}  # fmt: skip

    def writing(self, text: SlotText) -> dict[str, Any]:
        """A row whose copy holds the answers as tokens: next-token labels on the copy, none on the prompt.

        An answer stands before its word and takes that word's position, so writing one does not shift the rest.
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
    """The answers that need tokens of their own: all but "nothing"."""
    return tuple(answer for question in questions for answer in question.answers[1:])


def collate(rows: Sequence[Mapping[str, Any]], pad: int, *, mask_pads: bool = True) -> dict[str, Any]:
    """Pad rows to one length: a batch for the model.

    Pads are masked from attention and from the loss. ``mask_pads=False`` leaves them in the next-token loss, a mistake
    that chapter 07 measures. The attention mask is always part of the batch: without one, transformers 5 takes positions
    that start anew for a second document, and the copy would not see the sentence.
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
