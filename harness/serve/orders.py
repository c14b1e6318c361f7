"""What clients ask for: the fields of a request, checked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import anyio
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from harness.engines.dialects import DIALECTS, ends_sentence, part
from harness.errors import HarnessError, TagError
from harness.serve.encoding import FORMATS, rate_of
from harness.serve.errors import ApiError
from harness.serve.pool import Pool
from harness.tagged import TaggedText

MAX_CHARACTERS = 5000  # of a text; Boson's API takes as many
MAX_BODY = 2**20  # bytes
BODY_SECONDS = 30.0  # for a request to arrive
_MAX_NAMED = 20  # ignored fields that a warning names
_MIN_WORDS = 3  # of a piece that is spoken alone

Seed = Annotated[int, Field(ge=0, lt=2**32)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    model: str
    seed: Seed | None = None
    sample_rate: int | None = None

    def unknown(self) -> list[str]:
        """Names of fields that have no effect here; odd names are left out."""
        names = [name for name in self.model_extra or () if name.isascii() and name.isidentifier() and len(name) <= 40]
        return [f"the field {name} is ignored" for name in names[:_MAX_NAMED]]


class SpeechBody(_Body):
    """POST /v1/audio/speech."""

    input: str
    voice: str | dict[str, Any] | None = None
    response_format: str | None = None
    stream: bool | None = None
    stream_format: str | None = None
    speed: float | None = None


class ChatMessage(BaseModel):
    """One message of a chat."""

    model_config = ConfigDict(strict=True, extra="ignore")

    role: str
    content: Any = None


class ChatAudio(BaseModel):
    """How the answer of a chat is to be spoken."""

    model_config = ConfigDict(strict=True, extra="ignore")

    voice: str | dict[str, Any] | None = None
    format: str | None = None


class ChatBody(_Body):
    """POST /v1/chat/completions."""

    messages: list[ChatMessage]
    modalities: list[str] | None = None
    audio: ChatAudio | None = None
    stream: bool | None = None
    n: int | None = None


B = TypeVar("B", bound=_Body)


@dataclass(frozen=True)
class Order:
    """A request that can be spoken.

    Parameters
    ----------
    text : TaggedText
    voice : str or None
        None for the engine's default.
    format : str
        One of `FORMATS`.
    sample_rate : int or None
        In Hz, if the client asked for one.
    seed : int
    stream : bool
        Whether the audio is sent as it comes.
    param : str
        The field that holds the text.
    warnings : tuple of str
        What of the request has no effect; ASCII.
    """

    text: TaggedText
    voice: str | None
    format: str
    sample_rate: int | None
    seed: int
    stream: bool
    param: str
    warnings: tuple[str, ...]


async def read_body(request: Request, kind: type[B]) -> B:
    """Read and check the JSON of a request.

    Raises
    ------
    ApiError
        If it is too long, too slow, not JSON, or lacks a field.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ApiError(415, "the body is not said to be JSON (send Content-Type: application/json)",
                       code="unsupported_media_type")  # fmt: skip
    too_long = ApiError(413, f"the request is longer than {MAX_BODY} bytes", code="request_too_large")
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:20]) > MAX_BODY:
        raise too_long
    body = bytearray()
    try:
        with anyio.fail_after(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BODY:
                    raise too_long
    except TimeoutError:
        raise ApiError(408, f"the request did not arrive within {BODY_SECONDS:g} s", code="timeout") from None
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise ApiError(400, "the body is not valid JSON", code="invalid_json") from None
    if not isinstance(fields, dict):
        raise ApiError(400, "the body is not a JSON object", code="invalid_json")
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        param = ".".join(str(part) for part in first["loc"][:3])
        raise ApiError(400, f"{param}: {first['msg']}", param=param, code=first["type"]) from None


def order_speech(body: SpeechBody, pool: Pool) -> Order:
    """Check a request for speech.

    Raises
    ------
    ApiError
        If this server cannot fulfil it.
    """
    name = _format(body.response_format or "mp3", "response_format", body.sample_rate)
    if body.speed not in (None, 1):
        raise ApiError(400, f"the engine {pool.name} speaks at one speed (leave speed out, or send 1)",
                       param="speed", code="unsupported_value")  # fmt: skip
    if body.stream_format not in (None, "audio"):
        raise ApiError(400, "the stream_format is not supported (send audio)",
                       param="stream_format", code="unsupported_value")  # fmt: skip
    if body.stream and name != "pcm":
        raise ApiError(400, "streaming needs pcm (send response_format: pcm)", param="stream", code="unsupported_value")
    stream = bool(body.stream) or (body.stream_format == "audio" and name == "pcm" and body.stream is None)
    return _order(pool, body, body.input, body.voice, name, stream, "input", body.unknown())


def order_chat(body: ChatBody, pool: Pool) -> Order:
    """Check a request for a chat: the text of the last user message is what will be spoken.

    Raises
    ------
    ApiError
        If this server cannot fulfil it.
    """
    if body.stream:
        raise ApiError(400, "chat completions are not streamed here (send stream: false, or use /v1/audio/speech)",
                       param="stream", code="unsupported_value")  # fmt: skip
    if "audio" not in (body.modalities or ()) or set(body.modalities or ()) - {"text", "audio"}:
        raise ApiError(400, 'this server only speaks (send modalities: ["text", "audio"])',
                       param="modalities", code="unsupported_value")  # fmt: skip
    if body.n not in (None, 1):
        raise ApiError(400, "there is one answer (leave n out, or send 1)", param="n", code="unsupported_value")
    asked = body.audio or ChatAudio()
    wished = asked.format or "wav"
    name = _format("pcm" if wished == "pcm16" else wished, "audio.format", body.sample_rate)
    last = next((at for at in reversed(range(len(body.messages))) if body.messages[at].role == "user"), None)
    if last is None:
        raise ApiError(400, "there is no user message", param="messages", code="empty_input")
    text, other = _content(body.messages[last].content, f"messages.{last}.content")
    warnings = body.unknown()
    if len(body.messages) > 1:
        warnings.append(f"{len(body.messages) - 1} other messages are ignored: the engine speaks the last user message")
    if other:
        warnings.append(f"{other} parts of the last user message are ignored: they are not text")
    return _order(pool, body, text, asked.voice, name, False, "messages", warnings)


def sentences(text: TaggedText) -> list[TaggedText]:
    """Cut a text after its sentences. A tag on the slot of a cut goes to the later piece."""
    count, cuts = len(text.words), [0]
    for end in range(_MIN_WORDS, count - _MIN_WORDS + 1):
        if ends_sentence(text.words[end - 1]) and end - cuts[-1] >= _MIN_WORDS:
            cuts.append(end)
    return [part(text, start, end) for start, end in zip(cuts, [*cuts[1:], count], strict=True)]


def _content(content: Any, param: str) -> tuple[str, int]:
    """Text of a message, and how many of its parts are something else."""
    if isinstance(content, str):
        return content, 0
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise ApiError(400, f"{param}: neither a text nor a list of parts", param=param, code="invalid_type")
    texts = [part.get("text") for part in content if part.get("type") == "text"]
    if not all(isinstance(text, str) for text in texts):
        raise ApiError(400, f"{param}: a text part has no text", param=param, code="invalid_type")
    return "\n".join(text for text in texts if text), len(content) - len(texts)


def _format(name: str, param: str, rate: int | None) -> str:
    if name not in FORMATS:
        raise ApiError(400, f"the audio format is not supported (choose one of {', '.join(FORMATS)})",
                       param=param, code="unsupported_format")  # fmt: skip
    try:
        rate_of(name, rate)
    except HarnessError as error:
        raise ApiError(400, str(error), param="sample_rate", code="unsupported_value") from None
    return name


def _order(
    pool: Pool,
    body: _Body,
    text: str,
    voice: str | dict[str, Any] | None,
    name: str,
    stream: bool,
    param: str,
    warnings: Iterable[str],
) -> Order:
    """What speech and chat have in common."""
    if body.model not in (pool.name, pool.asked_name):
        raise ApiError(404, f"there is no such model here (send model: {pool.name})",
                       param="model", code="model_not_found")  # fmt: skip
    if isinstance(voice, dict):
        voice = str(voice.get("id", ""))
    if voice is not None and voice not in (*pool.voices, pool.default_voice, "default"):
        raise ApiError(400, f"the engine {pool.name} has no such voice (GET /v1/audio/voices lists those it has; "
                       "default is its own choice)", param="voice", code="unknown_voice")  # fmt: skip
    if len(text) > MAX_CHARACTERS:
        raise ApiError(400, f"the text has {len(text)} characters; {MAX_CHARACTERS} are allowed",
                       param=param, code="input_too_long")  # fmt: skip
    try:
        text.encode()
        tagged = TaggedText.parse(text)
    except UnicodeEncodeError:
        raise ApiError(400, "the text holds half a surrogate pair", param=param, code="string_unicode") from None
    except TagError as error:
        raise ApiError(400, str(error), param=param, code="invalid_tag") from None
    if not tagged.words:
        raise ApiError(400, "there is nothing to say: the text has no words", param=param, code="empty_input")
    dialect = DIALECTS.get(pool.dialect)
    lost = [f"{tag} on slot {slot} cannot be expressed" for slot, tag in (dialect.lost(tagged) if dialect else ())]
    return Order(
        text=tagged,
        voice=None if voice == "default" else voice,
        format=name,
        sample_rate=body.sample_rate,
        seed=body.seed or 0,
        stream=stream,
        param=param,
        warnings=(*lost[:_MAX_NAMED], *warnings),
    )
