"""What a server sent back, as audio; and what is wrong with it, if it is not."""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.audio import MIN_SECONDS, SILENCE_PEAK, Audio, read_mono
from harness.engines.openai_speech import mp3
from harness.errors import HarnessError

FORMATS = ("wav", "pcm", "mp3", "flac", "opus")
# Slow speech has about 10 characters a second; 60 s per 100 characters is a model that does not find its end.
MAX_SECONDS_PER_CHARACTER = 0.6
MIN_CHARACTERS = 100  # shorter texts are allowed as much audio as one of 100 characters
_CONTAINERS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"ID3")
_HEAD = 2000  # bytes that tell whether a body is text
_RATE = re.compile(r";\s*rate=(\d{4,6})\b")
_MP3_SLACK = 0.25  # seconds: the delay and padding of encoder and decoder, a few frames
_SAY_WAV = "give the option response_format: wav"
_MOST_PARTS = 100_000  # of a JSON answer; a chat completion has some forty, and its transcript some commas
_NO_LENGTH = 2**63 - 1  # frames that libsndfile promises where the header leaves them open


class BadAudio(HarnessError):
    """What came back is not the audio that was asked for."""


class CutAudio(BadAudio):
    """What came back lacks its end."""


class OtherAudio(BadAudio):
    """What came back is audio, but of a kind that another request would not change."""


def decode(content: bytes, asked: str, *, pcm_rate: int, characters: int, content_type: str = "") -> Audio:
    """Audio from the bytes of a WAV, MP3, FLAC or Ogg Opus file, or of s16le mono samples.

    Parameters
    ----------
    content : bytes
        A file is known by its first bytes, whatever was asked for.
    asked : str
        One of `FORMATS`. Bytes that are no known file are read as samples if that is "pcm".
    pcm_rate : int
        Rate of the samples, and the one that a file must have, in Hz. Opus has none of its own and is taken as it decodes.
    characters : int
        Length of the text.
    content_type : str
        As the server says it; a ``rate=`` in it must be `pcm_rate`, if samples came.

    Raises
    ------
    CutAudio
        If the end is missing.
    OtherAudio
        If the rate is another, or the file says no length.
    BadAudio
        If the bytes are empty, text, not audio, silent, hold NaN, or have an absurd length.
    """
    if not content:
        raise BadAudio("an empty body came back")
    if words := _text(content, content_type):
        raise BadAudio(f"{words} came back instead of audio",
                       remedy="check base_url: it ends before /audio/speech, mostly in /v1")  # fmt: skip
    if asked == "pcm" and not content.startswith(_CONTAINERS):
        samples, said = _samples(content), _RATE.search(content_type)
        rate = int(said.group(1)) if said else pcm_rate
    else:
        samples, rate = _file(content, _longest(characters))
    if rate != pcm_rate and not content.startswith(b"OggS"):
        raise OtherAudio(f"the audio has {rate} Hz in its header, not {pcm_rate} Hz",
                         remedy=f"if the server does speak at that rate, give the option pcm_rate: {rate}")  # fmt: skip
    return checked(Audio(samples, rate), characters)


def checked(audio: Audio, characters: int) -> Audio:
    """The audio, if it can be speech of a text that long.

    Raises
    ------
    BadAudio
        If it cannot.
    """
    if not np.isfinite(audio.samples).all():
        raise BadAudio("the audio holds NaN or infinite samples")
    if audio.seconds < MIN_SECONDS:
        raise BadAudio(f"the audio is empty or shorter than {MIN_SECONDS * 1000:.0f} ms")
    if np.abs(audio.samples).max() < SILENCE_PEAK:
        raise BadAudio("the audio is silent")
    longest = _longest(characters)
    if audio.seconds > longest:
        raise BadAudio(
            f"the audio lasts {audio.seconds:.0f} s or more for {characters} characters; {longest:.0f} s would be much"
        )
    return audio


def _longest(characters: int) -> float:
    """Seconds beyond which audio for a text that long is absurd."""
    return MAX_SECONDS_PER_CHARACTER * max(characters, MIN_CHARACTERS)


def from_chat(content: bytes) -> bytes:
    """The bytes of the audio inside the answer to a chat completion.

    Raises
    ------
    BadAudio
        If the answer is not one, or holds no audio in base64.
    """
    if not content:
        raise BadAudio("an empty body came back")
    if has_many_parts(content):
        raise BadAudio("JSON with very many parts came back")
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        if content.lstrip().startswith(b"{"):
            raise CutAudio("the JSON of the answer is cut off") from None
        raise BadAudio(f"{_text(content, '') or 'something else'} came back instead of JSON",
                       remedy="check base_url: it ends before /chat/completions, mostly in /v1") from None  # fmt: skip
    try:
        choice = answer["choices"][0]
        data = choice["message"]["audio"]["data"]
    except (KeyError, IndexError, TypeError):
        said = server_words(answer)
        raise BadAudio(f"the answer holds no audio{f': {said}' if said else ''}",
                       remedy="check that the model speaks, and the option api") from None  # fmt: skip
    if choice.get("finish_reason") == "length":
        raise BadAudio("the audio stops at the server's limit of tokens", remedy="give a shorter text")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise BadAudio("the audio in the answer is not valid base64") from None


def has_many_parts(content: bytes) -> bool:
    """Whether JSON would unfold: a list of two bytes takes sixty in memory. Audio in base64 is one part."""
    return sum(map(content.count, (b",", b"[", b"{"))) > _MOST_PARTS


def server_words(body: Any) -> str:
    """What a server said in an error, in one line."""
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if isinstance(body, dict):
        found = next((body[key] for key in ("message", "error", "detail", "code") if body.get(key)), "")
        return found if found == "" else server_words(found)
    if isinstance(body, list):
        body = json.dumps(body)
    text = " ".join(str(body or "").split())
    return "an HTML page" if _is_html(text.encode()) else text


def _text(content: bytes, content_type: str) -> str:
    """In words, the text that the content is; empty if it is none."""
    if "text/html" in content_type or _is_html(content[:_HEAD]):
        return "an HTML page"
    if "json" in content_type or content[:1] in (b"{", b"["):
        if has_many_parts(content):
            return "JSON with very many parts" if "json" in content_type else ""
        try:
            return f"JSON ({server_words(json.loads(content)) or 'without a message'})"
        except (ValueError, RecursionError):
            return "broken JSON" if "json" in content_type else ""
    return f"text ({server_words(content[:_HEAD])})" if content_type.startswith("text/") else ""


def _is_html(content: bytes) -> bool:
    return content.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html", b"<head", b"<body"))


def _samples(content: bytes) -> NDArray[np.float32]:
    if len(content) % 2:
        raise CutAudio(f"half a sample is missing: {len(content)} bytes of 16-bit audio")
    return np.frombuffer(content, "<i2").astype(np.float32) / np.float32(32768)


def _file(content: bytes, most_seconds: float) -> tuple[NDArray[np.float32], int]:
    """Samples and rate; of audio that is longer, somewhat more than `most_seconds`."""
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            promised, rate = file.frames, file.samplerate
            if promised == _NO_LENGTH:  # a FLAC that was written into a pipe
                raise OtherAudio(
                    "the file does not say how long it is, and cannot be read without that", remedy=_SAY_WAV
                )
            samples = read_mono(file, most_seconds)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, MemoryError) as error:
        reason = getattr(error, "error_string", type(error).__name__)
        raise BadAudio(f"the body is not readable as audio: {reason}",
                       remedy="if the server sends raw samples, give the option response_format: pcm") from None  # fmt: skip
    if len(samples) > most_seconds * rate:
        return samples, rate  # there is no need to know how much longer
    if _is_mp3(content) and not mp3.says_its_length(content):
        if mp3.counted_seconds(content) > len(samples) / rate + _MP3_SLACK:
            raise OtherAudio("the MP3 does not say how long it is, and only its beginning can be read", remedy=_SAY_WAV)
    elif _is_cut(content) or len(samples) < promised:
        raise CutAudio("the audio file is truncated: its header promises more than came")
    return samples, rate


def _is_mp3(content: bytes) -> bool:
    return content.startswith(b"ID3") or (content[:1] == b"\xff" and content[1:2] >= b"\xe0")


def _is_cut(content: bytes) -> bool:
    """Whether a RIFF file is shorter than its header says, as in `harness.audio`; libsndfile does not mind."""
    promised = int.from_bytes(content[4:8], "little")
    streamed = promised == 0 or promised >= 0x7FFFF000  # written before the length was known
    return content.startswith(b"RIFF") and not streamed and promised + 8 > len(content) + 1
