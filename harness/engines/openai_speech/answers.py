"""What a server sent back: decoded, checked, and kept on disk so that a second run asks for nothing."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.audio import Audio, AudioError, NotAudio, check_audio, decode_audio
from harness.errors import DataError
from harness.records import digest
from harness.store import write_atomic

FORMATS = ("wav", "pcm", "mp3", "flac", "opus")
# Slow speech has about 10 characters a second; 60 s per 100 characters is a model that does not find its end.
MAX_SECONDS_PER_CHARACTER = 0.6
MIN_CHARACTERS = 100  # shorter texts are allowed as much audio as a text of 100 characters
CACHE_SCHEMA = "harness.speech-cache/1"
_CONTAINERS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"ID3")
_HEAD = 2000  # bytes that show whether a body is text
_RATE = re.compile(r";\s*rate=(\d{4,6})\b")


@dataclass(frozen=True)
class Exchange:
    """A request and its answer, recorded without the key.

    Parameters
    ----------
    method, url : str
        First line of the request.
    headers : mapping
        Headers of the request, by lower-case name.
    body : bytes
        Body of the request.
    status : int
        Status of the answer.
    answer_headers : mapping
        Headers of the answer, by lower-case name.
    answer : bytes
        Body of the answer.
    first, last : float
        Seconds from the request to the first and the last byte of the answer's body.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    answer_headers: Mapping[str, str]
    answer: bytes
    first: float
    last: float


class OtherAudio(AudioError):
    """Audio of a kind that another request would not change."""


def decode(content: bytes, content_type: str = "", *, asked: str, pcm_rate: int, characters: int) -> Audio:
    """Return the audio of a WAV, MP3, FLAC or Ogg Opus file, or of s16le mono samples.

    Parameters
    ----------
    content : bytes
        Body of the answer. A file is recognised by its first bytes, whatever was asked for.
    content_type : str
        Content type of the answer. A ``rate=`` in it must equal `pcm_rate` if samples were sent.
    asked : str
        One of `FORMATS`. If it is "pcm", bytes that are no known file are read as samples.
    pcm_rate : int
        Rate of the samples, and the rate that a file must have, in Hz. Opus decodes to another rate, which is accepted.
    characters : int
        Length of the text.

    Raises
    ------
    OtherAudio
        If the rate differs from `pcm_rate`.
    AudioError
        If the bytes are empty, text, cut off, not audio, silent, hold NaN, or have an absurd length.
    """
    if not content:
        raise AudioError("an empty body came back")
    if text := _text(content, content_type):
        raise AudioError(f"{text} came back instead of audio",
                         remedy="check base_url: it ends before /audio/speech, usually in /v1")  # fmt: skip
    longest = MAX_SECONDS_PER_CHARACTER * max(characters, MIN_CHARACTERS)
    if asked == "pcm" and not content.startswith(_CONTAINERS):
        if len(content) % 2:
            raise AudioError(f"half a sample is missing: {len(content)} bytes of 16-bit audio")
        said = _RATE.search(content_type)
        samples = np.frombuffer(content, "<i2").astype(np.float32) / np.float32(32768)
        audio = check_audio(Audio(samples, int(said.group(1)) if said else pcm_rate))
    else:
        try:
            audio = decode_audio(content, longest)
        except NotAudio as error:
            remedy = "if the server sends raw samples, give the option response_format: pcm"
            raise AudioError(error.message, remedy=remedy) from None
    if audio.sample_rate != pcm_rate and not content.startswith(b"OggS"):
        raise OtherAudio(f"the audio has {audio.sample_rate} Hz in its header, not {pcm_rate} Hz",
                         remedy=f"if the server does speak at that rate, give the option pcm_rate: {audio.sample_rate}")  # fmt: skip
    if audio.seconds > longest:
        raise AudioError(
            f"the audio lasts {audio.seconds:.0f} s or more for {characters} characters; at most {longest:.0f} s is plausible"
        )
    return audio


def from_chat(content: bytes) -> bytes:
    """Return the bytes of the audio inside the answer to a chat completion.

    Raises
    ------
    AudioError
        If the answer is not a chat completion, or holds no audio in base64.
    """
    if not content:
        raise AudioError("an empty body came back")
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        if content.lstrip().startswith(b"{"):
            raise AudioError("the JSON of the answer is cut off") from None
        raise AudioError(f"{_text(content, '') or 'something else'} came back instead of JSON",
                         remedy="check base_url: it ends before /chat/completions, usually in /v1") from None  # fmt: skip
    try:
        choice = answer["choices"][0]
        data = choice["message"]["audio"]["data"]
    except (KeyError, IndexError, TypeError):
        said = server_message(answer)
        raise AudioError(f"the answer holds no audio{f': {said}' if said else ''}",
                         remedy="check that the model speaks, and the option api") from None  # fmt: skip
    if choice.get("finish_reason") == "length":
        raise AudioError("the audio stops at the server's limit of tokens", remedy="give a shorter text")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise AudioError("the audio in the answer is not valid base64") from None


def server_message(body: Any) -> str:
    """Return the message inside a server's error, in one line."""
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if isinstance(body, dict):
        found = next((body[key] for key in ("message", "error", "detail", "code") if body.get(key)), "")
        return found if found == "" else server_message(found)
    if isinstance(body, list):
        body = json.dumps(body)
    text = " ".join(str(body or "").split())
    return "an HTML page" if _is_html(text.encode()) else text


def _text(content: bytes, content_type: str) -> str:
    """Describe content that is text; empty if it is not."""
    if "text/html" in content_type or _is_html(content[:_HEAD]):
        return "an HTML page"
    if "json" in content_type or content[:1] in (b"{", b"["):
        try:
            return f"JSON ({server_message(json.loads(content)) or 'without a message'})"
        except (ValueError, RecursionError):
            return "broken JSON" if "json" in content_type else ""
    return f"text ({server_message(content[:_HEAD])})" if content_type.startswith("text/") else ""


def _is_html(content: bytes) -> bool:
    return content.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html", b"<head", b"<body"))


class SpeechCache:
    """A folder with two files for each answer: its bytes, and what was asked, as JSON.

    Parameters
    ----------
    folder : path-like
        Folder of the cache, created with the first answer.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).absolute()

    def get(self, asked: dict[str, Any], read: Callable[[bytes, str], Audio]) -> Audio | None:
        """Return the audio kept for a request; None if there is none or it is damaged."""
        data, note = self._paths(asked)
        try:
            known, content = json.loads(note.read_text(encoding="utf-8")), data.read_bytes()
            if known["asked"] != asked or known["sha256"] != hashlib.sha256(content).hexdigest():
                return None
            return read(content, known["content_type"])
        except (OSError, ValueError, KeyError, TypeError, AudioError):
            return None

    def put(self, asked: dict[str, Any], content: bytes, content_type: str, audio: Audio) -> None:
        """Keep an answer: the bytes first, then the note that makes them count.

        Raises
        ------
        DataError
            If the folder cannot be written.
        """
        data, note = self._paths(asked)
        known = {"schema": CACHE_SCHEMA, "asked": asked, "content_type": content_type, "bytes": len(content),
                 "sha256": hashlib.sha256(content).hexdigest(), "seconds": round(audio.seconds, 4),
                 "sample_rate": audio.sample_rate}  # fmt: skip
        try:
            data.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"the cache cannot be written: {error.strerror}", path=data.parent,
                            remedy="give another folder as the option cache, or null for none") from error  # fmt: skip
        write_atomic(data, content)
        write_atomic(note, json.dumps(known, indent=1, ensure_ascii=False) + "\n")

    def holds_something(self) -> bool:
        """Whether any answer is kept."""
        return next(self.folder.glob("*/*.json"), None) is not None

    def _paths(self, asked: dict[str, Any]) -> tuple[Path, Path]:
        name = digest(json.dumps(asked, sort_keys=True), length=32)
        return self.folder / name[:2] / f"{name}.audio", self.folder / name[:2] / f"{name}.json"
