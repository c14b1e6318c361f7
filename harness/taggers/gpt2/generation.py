"""Generate the tagged sentence token by token, as the note's tagger did: freely, or constrained to the original words.

*generate* takes the most likely token of the whole vocabulary at each step, so words can change, get lost or repeat.
*constrained* allows only the next token of the original or a tag that is possible here, so the words are always the
original's. Both are greedy, take the sentence as the prompt, and cache its keys and values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.tagged import Tag, TaggedText
from harness.taggers.gpt2.encoding import Encoder, Prompt

BUDGET_FACTOR, BUDGET_EXTRA = 2, 16  # free generation stops after this many times the tokens of the original, plus some


@dataclass
class _Line:
    """State of one text: what was generated, and the position in the original."""

    prompt: Prompt
    original: list[int]
    starts: dict[int, int]  # token of the original at which a slot begins -> slot
    at: int = 0  # next token of the original
    asked: int = 0  # the first question that can still be answered on this slot
    written: list[int] = field(default_factory=list)
    tags: list[tuple[int, int]] = field(default_factory=list)  # (slot, token of the answer)
    done: bool = False


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
    lengths = [len(encoder.prompt(words).ids) for words in texts]
    order = sorted(range(len(texts)), key=lengths.__getitem__)
    out: dict[int, TaggedText] = {}
    for begin in range(0, len(order), batch_size):
        rows = order[begin : begin + batch_size]
        step = _constrained_step(encoder) if constrained else _free_step(encoder)
        lines = _run(model, encoder, [encoder.prompt(texts[row]) for row in rows], step)
        for row, line in zip(rows, lines, strict=True):
            out[row] = _placed(encoder, texts[row], line) if constrained else _read_back(encoder, line)
    return [out[row] for row in range(len(texts))]


def budget(prompt: Prompt) -> int:
    """Return how many tokens free generation may use for the copy."""
    return BUDGET_FACTOR * (len(prompt.ids) - prompt.copy) + BUDGET_EXTRA


Step = Callable[[_Line, Any], tuple[int, int]]


def _run(model: Any, encoder: Encoder, prompts: Sequence[Prompt], step: Step) -> list[_Line]:
    """Greedy decoding with cached keys and values; prompts are padded on the left."""
    import torch

    lines = []
    for prompt in prompts:
        starts = [end + 1 for end in prompt.slots]
        lines.append(
            _Line(prompt, prompt.ids[prompt.copy :], {start - prompt.copy: slot for slot, start in enumerate(starts)})
        )
    longest = max(prompt.copy for prompt in prompts)
    pad = [longest - prompt.copy for prompt in prompts]
    ids = torch.tensor([[encoder.end] * n + p.ids[: p.copy] for n, p in zip(pad, prompts, strict=True)])
    positions = torch.tensor([[0] * n + p.positions[: p.copy] for n, p in zip(pad, prompts, strict=True)])
    mask = torch.tensor([[0] * n + [1] * p.copy for n, p in zip(pad, prompts, strict=True)])
    cache = None
    model.eval()
    with torch.inference_mode():
        while True:
            output = model(
                input_ids=ids.to(model.device), position_ids=positions.to(model.device), logits_to_keep=1,
                attention_mask=mask.to(model.device), past_key_values=cache, use_cache=True,
            )  # fmt: skip
            cache = output.past_key_values
            logits = output.logits[:, -1].float().cpu()
            next_ids, next_positions = [], []
            for row, line in enumerate(lines):
                token, position = (encoder.end, 0) if line.done else step(line, logits[row])
                next_ids.append([token])
                next_positions.append([position])
            if all(line.done for line in lines):
                return lines
            ids, positions = torch.tensor(next_ids), torch.tensor(next_positions)
            mask = torch.cat([mask, torch.ones(len(lines), 1, dtype=mask.dtype)], dim=1)


def _constrained_step(encoder: Encoder) -> Step:
    answers = [[encoder.answers[answer] for answer in question.answers[1:]] for question in encoder.questions]

    def step(line: _Line, logits: Any) -> tuple[int, int]:
        following = line.original[line.at]
        position = line.prompt.positions[line.prompt.copy + line.at]
        slot = line.starts.get(line.at)
        if slot is not None:
            for question in range(line.asked, len(answers)):
                best = max(answers[question], key=lambda token: float(logits[token]))
                if logits[best] > logits[following]:
                    line.tags.append((slot, best))
                    line.asked = question + 1
                    return best, position
        line.at, line.asked = line.at + 1, 0
        line.done = line.at == len(line.original)
        return following, position

    return step


def _free_step(encoder: Encoder) -> Step:
    answers = set(encoder.answers.values())

    def step(line: _Line, logits: Any) -> tuple[int, int]:
        token = int(logits.argmax())
        written = sum(token not in answers for token in line.written)
        line.written.append(token)
        line.done = token == encoder.end or len(line.written) >= budget(line.prompt)
        return token, line.prompt.positions[line.prompt.copy] + written

    return step


def _placed(encoder: Encoder, words: Sequence[str], line: _Line) -> TaggedText:
    names = {token: name for name, token in encoder.answers.items()}
    return TaggedText(tuple(words), [(slot, Tag(names[token])) for slot, token in line.tags])


def _read_back(encoder: Encoder, line: _Line) -> TaggedText:
    names = {token: name for name, token in encoder.answers.items()}
    words: list[str] = []
    tags: list[tuple[int, Tag]] = []
    piece: list[int] = []
    for token in [*line.written, encoder.end]:
        if token in names or token == encoder.end:
            words += str(encoder.tokenizer.decode(piece)).split()
            piece = []
            if token in names:
                tags.append((len(words), Tag(names[token])))
        else:
            piece.append(token)
    return TaggedText(tuple(words), sorted(set(tags), key=tags.index))
