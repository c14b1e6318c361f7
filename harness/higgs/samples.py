"""Read training samples: a text with its tags, and the codes of its recording, for both stacks.

A manifest is JSON Lines, ``{"id": "s1", "text": "We <emph> guarantee it.", "audio": "s1.wav"}``; paths are relative to it. A path that
ends in ``.npy`` names codes instead of a recording, of shape (codebooks, frames).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.higgs.checkpoints import resolve
from harness.higgs.codec import cached_paths, codec_format
from harness.paths import is_file
from harness.processes import call
from harness.records import TextRecord
from harness.store import iterate_jsonl

CODES = ".npy"  # ends the name of a file that holds codes
# System prompt, taken from the examples in boson-ai/higgs-audio and in transformers' documentation.
SYSTEM = "Generate audio following instruction."


class RecordingRecord(TextRecord):
    """A line of a training manifest."""

    SCHEMA: ClassVar[str] = '{"id", "text", "audio"}'

    audio: str


@dataclass(frozen=True)
class Sample:
    """Text and codes of one recording.

    Parameters
    ----------
    id : str
        Identifier from the manifest.
    text : str
        Text to be spoken, including tags.
    codes : array of int64, shape (codebooks, frames)
        Codes of the recording, without delay, begin and end.
    """

    id: str
    text: str
    codes: NDArray[np.int64]


def prompt(text: str, system: str = SYSTEM) -> str:
    """Return the conversation up to the start of the audio, in the Llama 3 chat format that both stacks use.

    Raises
    ------
    DataError
        If the text contains ``<|``, which would be read as a control token.
    """
    if not text.strip():
        raise DataError("the text is empty", remedy="leave the sample out")
    if "<|" in text:
        raise DataError("the text contains '<|', which starts control tokens", remedy="take it out")
    return (
        f"<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n{system}<|eot_id|>"
        f"<|start_header_id|>user<|end_header_id|>\n\n{text}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def read_manifest(path: Path) -> list[tuple[RecordingRecord, Path]]:
    """Read the lines of a manifest, each with the path of its recording.

    Raises
    ------
    DataError
        With file and line, if audio is missing, an id is repeated, a text has control tokens, or the manifest is empty.
    """
    found: list[tuple[RecordingRecord, Path]] = []
    lines: dict[str, int] = {}
    for number, record in iterate_jsonl(path, RecordingRecord):
        audio = path.parent / record.audio
        if not record.audio or not is_file(audio):
            raise DataError(f"sample {record.id!r} has no audio: {record.audio or 'empty path'}", path=path, line=number,
                            remedy="paths are relative to the manifest")  # fmt: skip
        if record.id in lines:
            raise DataError(f"the id {record.id!r} was already used on line {lines[record.id]}", path=path, line=number)
        try:
            prompt(record.text)
        except DataError as error:
            raise error.at(path, number) from error
        lines[record.id] = number
        found.append((record, audio))
    if not found:
        raise DataError("the manifest has no samples", path=path, remedy='a line looks like {"id", "text", "audio"}')
    return found


def load_samples(
    manifest: Path,
    codec: str | Path,
    cache: Path,
    codebooks: int,
    codebook_size: int,
    *,
    codec_revision: str | None = None,
) -> list[Sample]:
    """Read a manifest and encode its recordings in a process of the codec's stack; reuse the codes in `cache`.

    Raises
    ------
    DataError
        As for `read_manifest`, or if the codec does not fit the model.
    """
    rows = read_manifest(manifest)
    files = [str(audio) for _, audio in rows if audio.suffix != CODES]
    folder = resolve(codec, codec_revision)
    paths = cached_paths(folder, files, cache)
    if not all(path.is_file() for path in paths):
        call(codec_format(folder), "harness.higgs.codec:encode_files", codec=str(folder), files=files, cache=str(cache),
             codebooks=codebooks, codebook_size=codebook_size)  # fmt: skip
    made = iter(paths)
    return [
        Sample(
            record.id,
            record.text,
            _given_codes(audio, codebooks, codebook_size) if audio.suffix == CODES else _read_codes(next(made)),
        )
        for record, audio in rows
    ]


def _given_codes(path: Path, codebooks: int, codebook_size: int) -> NDArray[np.int64]:
    try:
        codes = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"the codes cannot be read: {error}", path=path) from error
    whole = np.issubdtype(codes.dtype, np.integer) and codes.ndim == 2 and codes.size
    if not whole or len(codes) != codebooks or codes.min() < 0 or codes.max() >= codebook_size:
        raise DataError(
            f"expected whole numbers from 0 to {codebook_size - 1}, of shape ({codebooks}, frames)", path=path,
            remedy="encode it with the codec that belongs to the model",
        )  # fmt: skip
    return codes.astype(np.int64)


def _read_codes(path: Path) -> NDArray[np.int64]:
    try:
        return np.load(path).astype(np.int64)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            "the cached codes cannot be read", path=path, remedy="delete the file; it will be encoded again"
        ) from error
