"""The fields of a request, and the job that they describe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from harness.engines.base import lost_in
from harness.engines.dialects import DIALECTS, ends_sentence, part
from harness.errors import HarnessError
from harness.serve.encoding import FORMATS, rate_of
from harness.serve.errors import ApiError
from harness.serve.pool import Pool
from harness.tagged import TaggedText

MAX_CHARACTERS = 5000  # of a text; the limit of Boson's API
MAX_BODY = 2**20  # bytes
_MAX_NAMED = 20  # ignored fields or tags that a warning names
_MIN_WORDS = 3  # of a sentence that is streamed by itself
# Pydantic's error types that have another code here; the others are codes themselves.
_CODES = {"json_invalid": "invalid_json", "model_type": "invalid_json", "literal_error": "unsupported_value"}


def _known_format(name: str) -> str:
    if name not in FORMATS:
        raise PydanticCustomError("unsupported_format", f"Input should be one of {', '.join(FORMATS)}")
    return name


AudioFormat = Annotated[str, AfterValidator(_known_format)]
Voice = Annotated[str | None, BeforeValidator(lambda value: value.get("id", "") if isinstance(value, dict) else value)]


@dataclass(frozen=True)
class SpeechJob:
    """A checked request.

    Parameters
    ----------
    text : TaggedText
    voice : str or None
        None for the engine's default.
    format : str
        One of `FORMATS`.
    rate : int
        Sampling rate of the answer in Hz.
    seed : int
    stream : bool
        Whether to send each sentence as soon as it is spoken.
    warnings : tuple of str
        Parts of the request that have no effect; ASCII.
    """

    text: TaggedText
    voice: str | None
    format: str
    rate: int
    seed: int
    stream: bool
    warnings: tuple[str, ...]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    model: str
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    sample_rate: int | None = None

    def _job(
        self,
        pool: Pool,
        *,
        text: str,
        param: str,
        voice: str | None,
        format: str,
        stream: bool = False,
        warnings: Iterable[str] = (),
    ) -> SpeechJob:
        check_model(self.model, pool)
        if voice is not None and voice not in (*pool.voices, pool.default_voice, "default"):
            raise ApiError(400, f"the engine {pool.name} has no such voice (choose one of GET /v1/audio/voices, or default)",
                           param="voice", code="unknown_voice")  # fmt: skip
        try:
            rate = rate_of(format, self.sample_rate)
        except HarnessError as error:
            raise ApiError(400, str(error), param="sample_rate", code="unsupported_value") from None
        tagged = _parse(text, param)
        lost = [
            f"{tag} on slot {slot} cannot be expressed"
            for slot, tag in (lost_in(pool.dialect, pool.expressible, tagged) if pool.dialect in DIALECTS else ())
        ]
        unknown = [
            name for name in self.model_extra or () if name.isascii() and name.isidentifier() and len(name) <= 40
        ]
        return SpeechJob(
            text=tagged,
            voice=None if voice == "default" else voice,
            format=format,
            rate=rate,
            seed=self.seed or 0,
            stream=stream,
            warnings=(
                *lost[:_MAX_NAMED],
                *(f"the field {name} is ignored" for name in unknown[:_MAX_NAMED]),
                *warnings,
            ),
        )


class SpeechBody(_Body):
    """POST /v1/audio/speech."""

    input: str
    voice: Voice = None
    response_format: AudioFormat | None = None
    stream: bool | None = None
    stream_format: Literal["audio"] | None = None
    speed: Literal[1] | None = None

    def job(self, pool: Pool) -> SpeechJob:
        """Return the job that the request describes.

        Raises
        ------
        ApiError, TagError
            If this server cannot do it, or the text does not parse.
        """
        format = self.response_format or "mp3"
        if self.stream and format != "pcm":
            raise ApiError(
                400, "streaming needs pcm (send response_format: pcm)", param="stream", code="unsupported_value"
            )
        stream = self.stream if self.stream is not None else format == "pcm" and self.stream_format == "audio"
        return self._job(pool, text=self.input, param="input", voice=self.voice, format=format, stream=stream)


class ChatMessage(BaseModel):
    """One message of a chat."""

    model_config = ConfigDict(strict=True)

    role: str
    content: Any = None


class ChatAudio(BaseModel):
    """Voice and format of the spoken answer."""

    model_config = ConfigDict(strict=True)

    voice: Voice = None
    format: Annotated[AudioFormat, BeforeValidator(lambda name: "pcm" if name == "pcm16" else name)] | None = None


class ChatBody(_Body):
    """POST /v1/chat/completions."""

    messages: list[ChatMessage]
    modalities: list[str] | None = None
    audio: ChatAudio | None = None
    stream: Literal[False] | None = None
    n: Literal[1] | None = None

    def job(self, pool: Pool) -> SpeechJob:
        """Return the job that the request describes: to speak the last user message.

        Raises
        ------
        ApiError, TagError
            If this server cannot do it, or the text does not parse.
        """
        if set(self.modalities or ()) not in ({"audio"}, {"text", "audio"}):
            raise ApiError(400, 'this server only speaks (send modalities: ["text", "audio"])',
                           param="modalities", code="unsupported_value")  # fmt: skip
        last = next((at for at in reversed(range(len(self.messages))) if self.messages[at].role == "user"), None)
        if last is None:
            raise ApiError(400, "the request has no user message", param="messages", code="empty_input")
        text, others = _content(self.messages[last].content, f"messages.{last}.content")
        warnings = []
        if len(self.messages) > 1:
            warnings.append(
                f"{len(self.messages) - 1} other messages are ignored: the engine speaks the last user message"
            )
        if others:
            warnings.append(f"{others} parts of the last user message are ignored: they are not text")
        audio = self.audio or ChatAudio()
        return self._job(
            pool, text=text, param="messages", voice=audio.voice, format=audio.format or "wav", warnings=warnings
        )


B = TypeVar("B", SpeechBody, ChatBody)


async def read_body(request: Request, kind: type[B]) -> B:
    """Read and check the JSON body of a request.

    Raises
    ------
    ApiError
        If it is too long, is not JSON, or has a missing or wrong field.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":  # also stops forms of web pages, which browsers send without asking
        raise ApiError(415, "the Content-Type must be application/json", code="unsupported_media_type")
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY:
            raise ApiError(413, f"the request is longer than {MAX_BODY} bytes", code="request_too_large")
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        param = ".".join(map(str, first["loc"][:3])) or None
        message = f"{param or 'the request body'}: {first['msg']}"
        raise ApiError(400, message, param=param, code=_CODES.get(first["type"], first["type"])) from None


def check_model(name: str, pool: Pool) -> None:
    """Check that a client asks for the engine that is served.

    Raises
    ------
    ApiError
        If it asks for another one.
    """
    if name not in (pool.name, pool.asked_name):
        raise ApiError(404, f"this server has no such model, only {pool.name}", param="model", code="model_not_found")


def sentences(text: TaggedText) -> list[TaggedText]:
    """Split a text after its sentences. A tag on the slot between two sentences belongs to the second."""
    count, cuts = len(text.words), [0]
    for end in range(_MIN_WORDS, count - _MIN_WORDS + 1):
        if ends_sentence(text.words[end - 1]) and end - cuts[-1] >= _MIN_WORDS:
            cuts.append(end)
    return [part(text, start, end) for start, end in zip(cuts, [*cuts[1:], count], strict=True)]


def _parse(text: str, param: str) -> TaggedText:
    if len(text) > MAX_CHARACTERS:
        raise ApiError(400, f"the text has {len(text)} characters; the limit is {MAX_CHARACTERS}",
                       param=param, code="input_too_long")  # fmt: skip
    tagged = TaggedText.parse(text)
    if not tagged.words:
        raise ApiError(400, "the text has no words", param=param, code="empty_input")
    return tagged


def _content(content: Any, param: str) -> tuple[str, int]:
    """Return the text of a message, and the number of its other parts."""
    if isinstance(content, str):
        return content, 0
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise ApiError(400, f"{param}: Input should be a string or a list of parts", param=param, code="invalid_type")
    texts = [part.get("text") for part in content if part.get("type") == "text"]
    if not all(isinstance(text, str) for text in texts):
        raise ApiError(400, f"{param}: a part of type text has no text", param=param, code="invalid_type")
    return "\n".join(text for text in texts if text), len(content) - len(texts)
