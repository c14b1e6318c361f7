"""Clips as codes on disk: files of some hundred clips, each with its text, so that a run that was stopped can go on."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.higgs.samples import Sample
from harness.store import write_atomic

SHARD = "clips-{:05d}.npz"
DEV = "dev"  # folder of the development clips within that of the training clips


def write_shard(folder: Path, number: int, samples: Sequence[Sample]) -> Path:
    """Write samples as one file: their codes one after the other as bytes, their lengths and texts."""
    content = io.BytesIO()
    np.savez_compressed(
        content,
        codes=np.concatenate([sample.codes for sample in samples], axis=1).astype(np.uint8),
        lengths=np.array([sample.codes.shape[1] for sample in samples], np.int32),
        texts=np.frombuffer(json.dumps([sample.text for sample in samples]).encode(), np.uint8),
    )
    path = folder / SHARD.format(number)
    write_atomic(path, content.getvalue())
    return path


def read_shards(folder: str | Path) -> list[Sample]:
    """Read all samples of a folder; their codes keep the type uint8.

    Raises
    ------
    DataError
        If there are none, or a file is damaged.
    """
    found: list[Sample] = []
    paths = sorted(Path(folder).glob(SHARD.format(0).replace("00000", "*")))
    for path in paths:
        try:
            with np.load(path, allow_pickle=False) as file:
                codes: NDArray[np.uint8] = file["codes"]
                texts = json.loads(file["texts"].tobytes())
                ends = np.cumsum(file["lengths"])
        except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
            raise DataError(f"these clips cannot be read: {error}", path=path,
                            remedy="delete the file, and run `harness higgs teach` again") from error  # fmt: skip
        pieces = np.split(codes, ends[:-1], axis=1)
        found += [
            Sample(f"{path.stem}-{place}", text, piece)  # type: ignore[arg-type]
            for place, (text, piece) in enumerate(zip(texts, pieces, strict=True))
        ]
    if not found:
        raise DataError("there are no clips", path=folder, remedy="make some with `harness higgs teach`")
    return found
