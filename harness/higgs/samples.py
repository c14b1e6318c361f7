"""Training samples: a text with its tags, and the codes of its recording. The same for both stacks.

A manifest is JSON Lines, ``{"id": "s1", "text": "We <emph> guarantee it.", "audio": "s1.wav"}``; paths are relative to it.
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
from harness.higgs.stacks import call
from harness.paths import is_file
from harness.records import TextRecord
from harness.store import iterate_jsonl

# What the model is told first: the opening of the examples in boson-ai/higgs-audio and in transformers' documentation.
SYSTEM = "Generate audio following instruction."


class RecordingRecord(TextRecord):
    """A line of a training manifest."""

    SCHEMA: ClassVar[str] = '{"id", "text", "audio"}'

    audio: str


@dataclass(frozen=True)
class Sample:
    """One training sample.

    Parameters
    ----------
    id : str
        From the manifest.
    text : str
        What is to be said, tags included.
    codes : array of int64, shape (codebooks, frames)
        Of the recording, not delayed, without begin and end.
    """

    id: str
    text: str
    codes: NDArray[np.int64]


def prompt(text: str, system: str = SYSTEM) -> str:
    """The conversation up to where audio begins, in the chat format of Llama 3 that both stacks use.

    Raises
    ------
    DataError
        If the text holds ``<|``: it would be read as a control token.
    """
    if not text.strip():
        raise DataError("the text is empty", remedy="leave the sample out")
    if "<|" in text:
        raise DataError("the text holds '<|', with which control tokens begin", remedy="take it out")
    return (
        f"<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n{system}<|eot_id|>"
        f"<|start_header_id|>user<|end_header_id|>\n\n{text}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def read_manifest(path: Path) -> list[tuple[RecordingRecord, Path]]:
    """Lines of a manifest, each with the path of its recording.

    Raises
    ------
    DataError
        Naming file and line: no audio, a missing file, a repeated id, a text with control tokens, or no line at all.
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
    """Read a manifest and encode its recordings, in a process of the codec's own stack; encoded ones are kept in `cache`.

    Raises
    ------
    DataError
        As `read_manifest`, or for a codec that does not fit the model.
    """
    rows = read_manifest(manifest)
    files = [str(audio) for _, audio in rows]
    folder = resolve(codec, codec_revision)
    paths = cached_paths(folder, files, cache)
    if not all(path.is_file() for path in paths):
        call(codec_format(folder), "harness.higgs.codec:encode_files", codec=str(folder), files=files, cache=str(cache),
             codebooks=codebooks, codebook_size=codebook_size)  # fmt: skip
    return [Sample(record.id, record.text, _read_codes(path)) for (record, _), path in zip(rows, paths, strict=True)]


def _read_codes(path: Path) -> NDArray[np.int64]:
    try:
        return np.load(path).astype(np.int64)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            "the kept codes cannot be read", path=path, remedy="delete the file, and it is made again"
        ) from error
