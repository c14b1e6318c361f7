"""The delay pattern: how 8 codes a frame become one column a step.

The codec describes each frame of 40 ms by 8 codes, one from each of its codebooks; a codebook refines what the ones before
it have left over. The model predicts all 8 codes of a column at once, so they cannot depend on each other within a column.
Codebook `k` is therefore shifted right by `k` steps: when its code of a frame is predicted, the codes of the coarser
codebooks for that frame are already there. The pattern is from Copet et al. 2023, "Simple and Controllable Music
Generation", arXiv 2306.05284, section 2.2.

Both stacks put a column of beginning-of-stream ids before the codes and a column of end-of-stream ids behind them, and
fill the corners that the shift leaves empty with the same two ids.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.higgs.stacks import BOSON, here

# audio_stream_bos_id and audio_stream_eos_id in config.json of the original revision: the first ids after the 1024 codes.
STREAM_BOS = 1024
STREAM_EOS = 1025


def delay(codes: NDArray[np.integer], bos: int = STREAM_BOS, eos: int = STREAM_EOS) -> NDArray[np.int64]:
    """Frames of codes as the columns that the model reads and predicts.

    Parameters
    ----------
    codes : array of shape (codebooks, frames)
        Ids below `bos`.
    bos, eos : int
        Ids of the beginning and the end of the stream.

    Returns
    -------
    array of shape (codebooks, frames + 2 + codebooks - 1)
        Row `k` holds `k` + 1 times `bos`, its codes, then `codebooks` - `k` times `eos`. The original stack takes it as it
        is (``audio_out_ids``), the native one transposed and with a batch axis (``audio_input_ids``).
    """
    codes = _table(codes)
    codebooks, frames = codes.shape
    delayed = np.full((codebooks, frames + codebooks + 1), eos, dtype=np.int64)
    for k in range(codebooks):
        delayed[k, : k + 1] = bos
        delayed[k, k + 1 : k + 1 + frames] = codes[k]
    return delayed


def undelay(delayed: NDArray[np.integer]) -> NDArray[np.int64]:
    """The codes of a delayed stream: the inverse of `delay`.

    Parameters
    ----------
    delayed : array of shape (codebooks, frames + 2 + codebooks - 1)
        With the columns of `delay`. What stands in the first and the last one after shifting back is dropped unseen, as
        the serve engine does; a stream that was cut off before its end thus loses its last frame.

    Returns
    -------
    array of shape (codebooks, frames)
        Ids of a generated stream may still include the beginning or end of the stream.

    Raises
    ------
    HarnessError
        If there are too few columns for a single pair of beginning and end.
    """
    delayed = _table(delayed)
    codebooks, columns = delayed.shape
    frames = columns - codebooks - 1
    if frames < 0:
        raise HarnessError(
            f"{columns} columns of {codebooks} codebooks hold no delayed stream: it has {codebooks + 1} or more"
        )
    return np.stack([delayed[k, k + 1 : k + 1 + frames] for k in range(codebooks)])


def _table(codes: NDArray[np.integer]) -> NDArray[np.int64]:
    codes = np.asarray(codes)
    if codes.ndim != 2 or not codes.shape[0] or not np.issubdtype(codes.dtype, np.integer):
        raise HarnessError(
            f"codes must be integers of shape (codebooks, frames), not {codes.dtype} of shape {codes.shape}"
        )
    return codes.astype(np.int64)


def delay_of_stack(codes: list[list[int]]) -> dict[str, Any]:
    """What this stack's own code makes of codes, to compare with `delay` and `undelay`.

    Parameters
    ----------
    codes : list of shape (codebooks, frames)

    Returns
    -------
    dict
        ``delayed``: shape (codebooks, frames + 2 + codebooks - 1); ``reverted``: shape (codebooks, frames + 2), with the
        columns of beginning and end still there; ``code``: the function that shifted, with its module.
    """
    import torch

    column = torch.ones((len(codes), 1), dtype=torch.long)
    stream = torch.cat([column * STREAM_BOS, torch.tensor(codes, dtype=torch.long), column * STREAM_EOS], dim=1)
    build: Any
    if here() == BOSON:
        from boson_multimodal.model.higgs_audio import utils

        build = utils.build_delay_pattern_mask
        delayed = build(stream[None], STREAM_BOS, STREAM_EOS)[0][0]
        reverted = utils.revert_delay_pattern(delayed)
    else:
        from transformers.models.higgs_audio_v2.processing_higgs_audio_v2 import HiggsAudioV2Processor

        build = HiggsAudioV2Processor.build_delay_pattern
        ids: Any = SimpleNamespace(audio_stream_bos_id=STREAM_BOS, audio_stream_eos_id=STREAM_EOS)
        delayed = build(ids, stream[None])[0]
        reverted = HiggsAudioV2Processor.revert_delay_pattern(ids, delayed.T).T
    code = f"{build.__module__}.{build.__qualname__}"
    return {"delayed": delayed.tolist(), "reverted": reverted.tolist(), "code": code}
