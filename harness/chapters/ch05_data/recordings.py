"""The clips that the hackathon cut from a podcast to train Higgs: what the manifest says about them, and what was cut."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from harness.datasets import REMOTES, find
from harness.errors import DataError
from harness.tagged import TaggedText

DATASET, FOLDER = "seed-recordings", "seed/segments"


@dataclass(frozen=True)
class Clip:
    """A clip with its text in the manifest.

    Parameters
    ----------
    file : Path
    words : tuple of str
        The words that the manifest gives for it, without tags, in lower case.
    place : int
        Index of the first of them in the transcript.
    seconds : float
        Length by the manifest.
    """

    file: Path
    words: tuple[str, ...]
    place: int
    seconds: float


def load_clips() -> tuple[list[Clip], tuple[str, ...]]:
    """Return the clips, and the words of the whole transcript.

    Raises
    ------
    NotAvailable
        If they were not fetched; the message contains the command.
    DataError
        If a file is damaged, or a text is not in the transcript.
    """
    transcript = _words(find(f"{FOLDER}/transcript.txt", DATASET).read_text(encoding="utf-8"))
    manifest = find(f"{FOLDER}/manifest.json", DATASET)
    rows = {row["audio_file"]: row for row in json.loads(manifest.read_text(encoding="utf-8"))}
    clips = []
    for remote in REMOTES[DATASET].files:
        if remote.path.endswith(".wav"):
            file = find(remote.path, DATASET)
            words = _words(rows[file.name]["text"])
            clips.append(Clip(file, words, _place(words, transcript, manifest), rows[file.name]["duration"]))
    return clips, transcript


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in TaggedText.parse(text).words)


def _place(words: tuple[str, ...], transcript: tuple[str, ...], manifest: Path) -> int:
    for place in range(len(transcript) - len(words) + 1):
        if transcript[place : place + len(words)] == words:
            return place
    raise DataError(f"not in the transcript: {' '.join(words)!r}", path=manifest,
                    remedy=f"fetch the files again: harness data fetch {DATASET}")  # fmt: skip
