"""Generate the tagged sentence token by token, as the note's tagger did: freely, or constrained to the original words.

*generate* takes the most likely token of the whole vocabulary at each step, so words can change, get lost or repeat.
*constrained* allows only the next token of the original or a tag that is possible here, so the words are always the
original's. Both are greedy, take the sentence as the prompt, and cache its keys and values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.tagged import Tag, TaggedText
from harness.taggers.gpt2.encoding import Encoder, Prompt

BUDGET_FACTOR, BUDGET_EXTRA = 2, 16  # free generation stops after this many times the tokens of the original, plus some


def generate(
    model: Any, encoder: Encoder, texts: Sequence[Sequence[str]], *, constrained: bool, batch_size: int = 32
) -> list[TaggedText]:
    """Generate each text with tags.

    Parameters
    ----------
    model : PreTrainedModel or PeftModel
    encoder : Encoder
        Encoder for `harness.taggers.slots.TAG_QUESTIONS`. Prompt and generated text must fit the model's context.
    texts : sequence of sequences of str
    constrained : bool
        Whether the words must be those of the original.
    batch_size : int
        Number of texts generated at the same time.

    Returns
    -------
    list of TaggedText
        Without constraint, the words may differ from the input.
    """
    lines = [(_Constrained if constrained else _Free)(encoder, words) for words in texts]
    by_length = sorted(lines, key=lambda line: len(line.prompt.ids))
    for begin in range(0, len(lines), batch_size):
        _run(model, encoder.end, by_length[begin : begin + batch_size])
    return [line.text() for line in lines]


def budget(prompt: Prompt) -> int:
    """Return how many tokens free generation may use for the copy."""
    return BUDGET_FACTOR * (len(prompt.ids) - prompt.copy) + BUDGET_EXTRA


class _Constrained:
    """A text whose next token is that of the original, or a tag that is more likely."""

    def __init__(self, encoder: Encoder, words: Sequence[str]) -> None:
        self.words, self.prompt, self.done = words, encoder.prompt(words), False
        self.names = {token: name for name, token in encoder.answers.items()}
        self.answers = [[encoder.answers[name] for name in question.answers[1:]] for question in encoder.questions]
        self.slots = {end + 1: slot for slot, end in enumerate(self.prompt.slots)}  # by the token behind the slot
        self.at = self.prompt.copy  # next token of the original
        self.asked = 0  # first question that can still be answered at this slot
        self.tags: list[tuple[int, Tag]] = []

    def step(self, logits: Any) -> tuple[int, int]:
        """Return the next token and its position id."""
        following, position = self.prompt.ids[self.at], self.prompt.positions[self.at]
        if self.at in self.slots:
            for question in range(self.asked, len(self.answers)):
                best = max(self.answers[question], key=lambda token: float(logits[token]))
                if logits[best] > logits[following]:
                    self.tags.append((self.slots[self.at], Tag(self.names[best])))
                    self.asked = question + 1
                    return best, position
        self.at, self.asked = self.at + 1, 0
        self.done = self.at == len(self.prompt.ids)
        return following, position

    def text(self) -> TaggedText:
        return TaggedText(tuple(self.words), self.tags)


class _Free:
    """A text whose next token is the most likely one."""

    def __init__(self, encoder: Encoder, words: Sequence[str]) -> None:
        self.encoder, self.prompt, self.done = encoder, encoder.prompt(words), False
        self.names = {token: name for name, token in encoder.answers.items()}
        self.written: list[int] = []

    def step(self, logits: Any) -> tuple[int, int]:
        """Return the next token and its position id; tags do not count as positions."""
        token = int(logits.argmax())
        position = self.prompt.positions[self.prompt.copy] + sum(one not in self.names for one in self.written)
        self.written.append(token)
        self.done = token == self.encoder.end or len(self.written) >= budget(self.prompt)
        return token, position

    def text(self) -> TaggedText:
        words: list[str] = []
        tags: list[tuple[int, Tag]] = []
        piece: list[int] = []
        for token in [*self.written, self.encoder.end]:
            if token in self.names or token == self.encoder.end:
                words += str(self.encoder.tokenizer.decode(piece)).split()
                piece = []
                if token in self.names:
                    tags.append((len(words), Tag(self.names[token])))
            else:
                piece.append(token)
        return TaggedText(tuple(words), list(dict.fromkeys(tags)))


def _run(model: Any, end: int, lines: Sequence[_Constrained | _Free]) -> None:
    """Decode greedily with cached keys and values until all lines are done; prompts are padded on the left."""
    import torch

    prompts = [line.prompt for line in lines]
    longest = max(prompt.copy for prompt in prompts)
    pad = [longest - prompt.copy for prompt in prompts]
    ids = torch.tensor([[end] * n + p.ids[: p.copy] for n, p in zip(pad, prompts, strict=True)])
    positions = torch.tensor([[0] * n + p.positions[: p.copy] for n, p in zip(pad, prompts, strict=True)])
    mask = torch.tensor([[0] * n + [1] * p.copy for n, p in zip(pad, prompts, strict=True)])
    cache = None
    model.eval()
    with torch.inference_mode():
        while not all(line.done for line in lines):
            output = model(
                input_ids=ids.to(model.device), position_ids=positions.to(model.device), logits_to_keep=1,
                attention_mask=mask.to(model.device), past_key_values=cache, use_cache=True,
            )  # fmt: skip
            cache = output.past_key_values
            logits = output.logits[:, -1].float().cpu()
            taken = [(end, 0) if line.done else line.step(row) for line, row in zip(lines, logits, strict=True)]
            ids, positions = torch.tensor(taken)[:, None].unbind(dim=2)
            mask = torch.cat([mask, torch.ones(len(lines), 1, dtype=mask.dtype)], dim=1)
