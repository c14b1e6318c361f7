"""The delay pattern: how 8 codes a frame become one column a step.

The codec describes each frame of 40 ms by 8 codes, one from each of its codebooks; each codebook refines what the ones
before it leave over. The model predicts all 8 codes of a column at once, so they cannot depend on each other within a column.
Codebook `k` is therefore shifted right by `k` steps: when its code of a frame is predicted, the codes of the coarser
codebooks for that frame are already there. The pattern is from Copet et al. 2023, "Simple and Controllable Music
Generation", arXiv 2306.05284, section 2.2.

Both stacks put a column of beginning-of-stream ids before the codes and a column of end-of-stream ids after them. The same
two ids fill the corners that the shift leaves empty.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError

# audio_stream_bos_id and audio_stream_eos_id in config.json of the original revision: the first ids after the 1024 codes.
STREAM_BOS = 1024
STREAM_EOS = 1025


def delay(codes: NDArray[np.integer], bos: int = STREAM_BOS, eos: int = STREAM_EOS) -> NDArray[np.int64]:
    """Shift frames of codes into the columns that the model reads and predicts.

    Parameters
    ----------
    codes : array of shape (codebooks, frames)
        Codes, with ids below `bos`.
    bos, eos : int
        Ids for the beginning and the end of the stream.

    Returns
    -------
    array of shape (codebooks, frames + 2 + codebooks - 1)
        Row `k` holds `k` + 1 times `bos`, its codes, then `codebooks` - `k` times `eos`. The original stack takes this array
        unchanged (``audio_out_ids``), the native one transposed and with a batch axis (``audio_input_ids``).
    """
    codes = _table(codes)
    codebooks, frames = codes.shape
    delayed = np.full((codebooks, frames + codebooks + 1), eos, dtype=np.int64)
    for k in range(codebooks):
        delayed[k, : k + 1] = bos
        delayed[k, k + 1 : k + 1 + frames] = codes[k]
    return delayed


def undelay(delayed: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the codes of a delayed stream: the inverse of `delay`.

    Parameters
    ----------
    delayed : array of shape (codebooks, frames + 2 + codebooks - 1)
        Columns as returned by `delay`. After shifting back, the first and the last column are dropped without a check, as
        in the serve engine. A stream that was cut off before its end therefore loses its last frame.

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
