"""Score all slots of many texts in parallel: one forward pass, nothing is generated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.taggers.gpt2.encoding import IGNORED, Encoder, Prompt, collate
from harness.taggers.lm.words import by_length
from harness.taggers.slots import Scores, log_softmax

TOKENS_A_PASS = 4096  # padded tokens of one forward pass; bounds memory for any input


def logits_at(model: Any, inputs: Any, where: Any) -> Any:
    """Return the logits of selected tokens of a batch, shape (tokens, vocabulary).

    The output layer, which is most of the work for a large vocabulary, is applied to these tokens only. A model that is wrapped
    for several processes is called as a whole, because its wrapper must see the call.

    Parameters
    ----------
    model : PreTrainedModel, PeftModel, or a wrapper of one
    inputs : mapping
        ``input_ids``, ``position_ids``, ``attention_mask``, each (texts, tokens).
    where : tensor of bool, shape (texts, tokens)
    """
    from peft import PeftModel
    from transformers import PreTrainedModel

    core = model.get_base_model() if isinstance(model, PeftModel) else model
    if not isinstance(core, PreTrainedModel):
        return model(**inputs).logits[where]
    states = core.base_model(**inputs, use_cache=False)[0]
    return core.get_output_embeddings()(states[where])


def slot_loss(logits: Any, answers: Any, answer_ids: Sequence[Sequence[int]]) -> Any:
    """Return the cross-entropy of the answers, averaged over labelled slots and summed over questions.

    The softmax is over the answers only, not over the whole vocabulary. Otherwise a model that is unsure of the next word would
    seem sure of a tag.

    Parameters
    ----------
    logits : tensor of shape (tokens, vocabulary)
    answers : tensor of shape (tokens, questions)
        See `Encoder.slot_row`.
    answer_ids : sequence of sequence of int
        See `Encoder.answer_ids`.
    """
    from torch.nn.functional import cross_entropy

    total = logits.float().sum() * 0  # a batch may hold no label at all
    for question, ids in enumerate(answer_ids):
        asked = answers[:, question] != IGNORED
        if asked.any():
            total = total + cross_entropy(logits[asked][:, ids].float(), answers[asked, question])
    return total


def logits_of_slots(model: Any, encoder: Encoder, prompts: Sequence[Prompt]) -> Any:
    """Return the logits of the answers at all slots of a batch of prompts, shape (slots, answers), text after text."""
    import torch

    batch = collate([{"input_ids": prompt.ids, "position_ids": prompt.positions} for prompt in prompts], encoder.end)
    where = torch.zeros_like(batch["input_ids"], dtype=torch.bool)
    for k, prompt in enumerate(prompts):
        where[k, prompt.slots] = True
    inputs = {name: value.to(model.device) for name, value in batch.items()}
    answers = [token for ids in encoder.answer_ids for token in ids]
    logits = logits_at(model, inputs, where.to(model.device))[:, answers]
    if not encoder.ahead:
        return logits
    texts = logits.split([len(prompt.slots) for prompt in prompts])
    return torch.cat([text[:-1] + text[1:] for text in texts])


def slot_scores(
    model: Any, encoder: Encoder, texts: Sequence[Sequence[str]], *, bf16: bool = False, tokens: int = TOKENS_A_PASS
) -> list[Scores]:
    """Return log-probabilities of the answers at all slots.

    Parameters
    ----------
    model : PreTrainedModel or PeftModel
        A causal language model with the answers in its vocabulary.
    encoder : Encoder
        Encoder for the model's tokenizer. Each text must fit the model's context (`WordEncoder.windows`).
    texts : sequence of sequences of str
        Words of each text.
    bf16 : bool
        Whether to compute in bfloat16.
    tokens : int
        Maximum number of padded tokens in a forward pass; texts are sorted by length to reduce padding.

    Returns
    -------
    list of arrays of shape (slots, answers)
    """
    import torch

    prompts = [encoder.prompt(words) for words in texts]
    scores: dict[int, Scores] = {}
    model.eval()
    with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
        for rows in by_length([len(prompt.ids) for prompt in prompts], tokens):
            logits = logits_of_slots(model, encoder, [prompts[row] for row in rows]).float().cpu().numpy()
            first = 0
            for row in rows:
                last = first + len(texts[row]) + 1
                scores[row] = log_softmax(logits[first:last], encoder.questions)
                first = last
    return [scores[row] for row in range(len(prompts))]
