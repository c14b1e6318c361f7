"""Generate codes from text greedily, without sampling, with either stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.higgs.batches import ANSWER_BEGIN, encode
from harness.higgs.delay import undelay
from harness.higgs.formats import EOT_AFTER_END, codebooks_of
from harness.higgs.lora import without_peft
from harness.higgs.samples import prompt
from harness.processes.stacks import BOSON


@dataclass(frozen=True)
class Generated:
    """Codes that a model generated.

    Parameters
    ----------
    codes : array of int64, shape (codebooks, frames)
        Codes without delay, begin and end; cut at the last complete frame if generation did not stop.
    stopped : bool
        Whether the model itself ended the stream.
    """

    codes: NDArray[np.int64]
    stopped: bool


def generate(model: Any, tokenizer: Any, text: str, stack: str, *, max_frames: int = 1000) -> Generated:
    """Generate the codes of a text greedily.

    Parameters
    ----------
    model
        Model of the stack, optionally wrapped by PEFT.
    max_frames : int
        Limit on the number of 40 ms frames.
    """
    import torch

    was_training = model.training
    model.eval()
    inner = without_peft(model)
    device = next(inner.parameters()).device
    ids = torch.tensor([encode(tokenizer, prompt(text) + ANSWER_BEGIN)], device=device)
    columns_at_most = max_frames + codebooks_of(inner.config.to_dict())[0] + 1  # begin, end and the delay
    with torch.no_grad():
        columns = _boson(inner, ids, columns_at_most) if stack == BOSON else _native(inner, ids, columns_at_most)
    model.train(was_training)
    return finish(columns, inner.config.audio_stream_eos_id, columns_at_most)


def _boson(model: Any, ids: Any, columns: int) -> NDArray[np.int64]:
    import torch

    none = torch.zeros((0, 0), dtype=torch.long, device=ids.device)
    eot = model.config.pad_token_id + EOT_AFTER_END  # without <|eot_id|> as the end, text would follow without end
    _, audio = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), audio_out_ids=none, audio_out_ids_start=none.new_zeros(0),
        max_new_tokens=columns, use_cache=True, do_sample=False, eos_token_id=eot, pad_token_id=model.config.pad_token_id,
    )  # fmt: skip
    return audio[0].cpu().numpy()


def _native(model: Any, ids: Any, columns: int) -> NDArray[np.int64]:
    import torch

    codes = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=columns, do_sample=False, use_cache=True,
        pad_token_id=model.config.pad_token_id, eos_token_id=model.config.eos_token_id,
    )  # fmt: skip
    return codes[0].cpu().numpy().T


def finish(columns: NDArray[np.int64], eos: int, at_most: int) -> Generated:
    """Convert columns of shape (codebooks, steps), the first all begin-of-stream, to codes; `at_most` was the limit.

    The stacks end differently if the first end-of-stream is not in the first codebook, which happens in an untrained model:
    transformers delays the end by all codebooks, boson_multimodal by the remaining ones, and its last column may hold a
    code. Trained as in `harness.higgs.batches`, both end with a column of `eos`.
    """
    return Generated(undelay(columns), columns.shape[1] < at_most or bool((columns[:, -1] == eos).all()))
