"""Bytes that a server sent, kept, so that a second run asks for nothing."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.audio import Audio
from harness.engines.openai_speech.decode import BadAudio
from harness.errors import DataError
from harness.records import digest

SCHEMA = "harness.speech-cache/1"


class SpeechCache:
    """A folder with two files an answer: its bytes, and what was asked, in JSON.

    Parameters
    ----------
    folder : path-like
        Made when the first answer is kept.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).absolute()

    def get(self, asked: dict[str, Any], read: Callable[[bytes, str], Audio]) -> Audio | None:
        """The audio kept for what is asked; None if there is none or it is damaged."""
        data, note = self._paths(asked)
        try:
            known, content = json.loads(note.read_text(encoding="utf-8")), data.read_bytes()
            if known["asked"] != asked or known["sha256"] != hashlib.sha256(content).hexdigest():
                return None
            return read(content, known["content_type"])
        except (OSError, ValueError, KeyError, TypeError, BadAudio):
            return None

    def put(self, asked: dict[str, Any], content: bytes, content_type: str, audio: Audio) -> None:
        """Keep an answer: the bytes first, then the note that makes them count.

        Raises
        ------
        DataError
            If the folder cannot be written.
        """
        data, note = self._paths(asked)
        known = {"schema": SCHEMA, "asked": asked, "content_type": content_type, "bytes": len(content),
                 "sha256": hashlib.sha256(content).hexdigest(), "seconds": round(audio.seconds, 4),
                 "sample_rate": audio.sample_rate}  # fmt: skip
        try:
            data.parent.mkdir(parents=True, exist_ok=True)
            _write(data, content)
            _write(note, (json.dumps(known, indent=1, ensure_ascii=False) + "\n").encode())
        except OSError as error:
            raise DataError(f"cannot be written: {error.strerror}", path=data,
                            remedy="give another folder as the option cache, or null for none") from error  # fmt: skip

    def holds_something(self) -> bool:
        """Whether any answer is kept."""
        return next(self.folder.glob("*/*.json"), None) is not None

    def _paths(self, asked: dict[str, Any]) -> tuple[Path, Path]:
        name = digest(json.dumps(asked, sort_keys=True), length=32)
        return self.folder / name[:2] / f"{name}.audio", self.folder / name[:2] / f"{name}.json"


def _write(path: Path, content: bytes) -> None:
    """A reader sees the old file or the new one, never half of it."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
