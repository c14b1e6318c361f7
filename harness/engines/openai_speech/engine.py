"""The engine: which request a text becomes, and what of it is kept."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness.audio import Audio
from harness.engines.base import Speech, SpeechRequest, check_request, register_engine
from harness.engines.dialects import DIALECTS, EXPLANATION
from harness.engines.openai_speech.cache import SpeechCache
from harness.engines.openai_speech.client import BOSON_KEY, SpeechClient
from harness.engines.openai_speech.decode import FORMATS, decode, from_chat
from harness.engines.openai_speech.exchange import Exchange
from harness.engines.openai_speech.limits import Limits, Spent
from harness.engines.openai_speech.split import split
from harness.engines.options import check_choice, check_text, is_number
from harness.errors import DataError, HarnessError, NotAvailable
from harness.paths import BUILD, is_file
from harness.registry import Requirements
from harness.tagged import TaggedText

BOSON_URL = "https://api.boson.ai/v1"
BOSON_MODEL = "higgs-tts-3"
MAX_CHARACTERS = 5000  # docs.boson.ai, "Create speech": a longer input is a 400 input_too_long
MAX_REFERENCE_BYTES = 10 * 2**20  # the same page
CACHE = BUILD / "cache" / "openai_speech"
REQUEST_VERSION = 1  # raise it when a request changes: what the cache holds then counts no more
# The Higgs servers of the 2025 hackathon (hackathon.boson.ai) and bosonai/higgs-audio-vllm.
CHAT_STOP = ("<|eot_id|>", "<|end_of_text|>", "<|audio_eos|>")
CHAT_TOP_K = 50
CHAT_SYSTEM = "Read the user's text aloud, word for word."
PROMPTED_SYSTEM = f"{CHAT_SYSTEM} {EXPLANATION}"


@register_engine("openai_speech")
class OpenAISpeechEngine:
    """Speaks through a server that understands OpenAI's speech requests: Boson's API, vLLM, SGLang.

    An experiment gives an engine 120 s a clip; retries may take longer: set its `timeout` to ``null``.

    Parameters
    ----------
    base_url : str
        Address without ``/audio/speech``.
    model : str
        As the server calls it.
    voice : str, optional
        A voice of the server; the field is left out otherwise, and the server chooses its "default".
    api : {"speech", "chat"}
        ``POST audio/speech``, or ``POST chat/completions`` with audio in base64 in the answer, as the 2025 hackathon had it. Only
        the latter sends the seed and, for the dialect "prompted", a system prompt that explains the tags.
    response_format : {"wav", "pcm", "mp3", "flac", "opus"}
        What to ask for; "pcm" is s16le mono.
    pcm_rate : int
        Rate of such samples, and the one that files must have, in Hz.
    stream : bool
        Ask for the audio as it is made, which servers do for api "speech" and response_format "pcm".
    dialect : str
        "ignore", "prompted", or another of `harness.engines.dialects` that is not SSML.
    key_env : str, optional
        Environment variable with the key. A server on this machine needs none, and never gets ``BOSON_API_KEY``; give
        another variable if it checks keys. None for any other server without keys.
    timeout : float
        Seconds for one request.
    retries : int
        Further tries after an overload, a lost connection or an answer that is cut off; audio that is wrong gets one.
    max_requests : int, optional
        What this process may send to the server.
    max_concurrent : int
        Requests at a time.
    min_interval : float
        Seconds between the starts of two requests.
    cache : path-like, optional
        Folder for what was received; None for none. Equal requests, with the same seed, are sent once,
        unless two processes ask at the same time.
    long_text : {"refuse", "split"}
        What to do with more than 5,000 characters: split speaks pieces, cut at sentence ends, and joins them.
    reference_audio, reference_text : str, optional
        A recording whose voice to take, as a file of at most 10 MB, and what is said in it. You need the right to clone it.
    """

    name = "openai_speech"
    deterministic = False
    requirements: ClassVar[Requirements] = Requirements(
        packages=("openai",),
        key=BOSON_KEY,
        network="the server at base_url, by default api.boson.ai; one on this machine, as of `harness serve`, needs no key",
    )

    def __init__(
        self,
        base_url: str = BOSON_URL,
        model: str = BOSON_MODEL,
        voice: str | None = None,
        api: str = "speech",
        response_format: str = "wav",
        pcm_rate: int = 24000,
        stream: bool = False,
        dialect: str = "ignore",
        key_env: str | None = BOSON_KEY,
        timeout: float = 60.0,
        retries: int = 4,
        max_requests: int | None = None,
        max_concurrent: int = 2,
        min_interval: float = 0.0,
        cache: str | Path | None = CACHE,
        long_text: str = "refuse",
        reference_audio: str | Path | None = None,
        reference_text: str | None = None,
    ) -> None:
        check_choice("api", api, ("speech", "chat"))
        check_choice("response_format", response_format, FORMATS)
        check_choice("long_text", long_text, ("refuse", "split"))
        check_choice("dialect", dialect, tuple(sorted(DIALECTS.keys() - {"ssml"})))
        check_text("base_url", base_url, optional=False)
        check_text("model", model, optional=False)
        check_text("key_env", key_env)
        if not is_number(pcm_rate, whole=True) or not pcm_rate > 0:
            raise HarnessError(f"no audio has {pcm_rate} Hz", remedy="give a pcm_rate above 0")
        if stream and (api, response_format) != ("speech", "pcm"):
            raise HarnessError("only pcm is streamed, and only by the api speech",
                               remedy="give response_format: pcm, or leave stream out")  # fmt: skip
        self.dialect, self.model, self.voice, self.api, self.stream = dialect, model, voice, api, stream
        self.response_format, self.pcm_rate, self.long_text = response_format, pcm_rate, long_text
        self._client = SpeechClient(
            base_url, key_env, Limits(timeout, retries, max_requests, max_concurrent, min_interval)
        )
        self._cache = None if cache is None else SpeechCache(cache)
        self._reference = _reference(reference_audio, reference_text, voice)
        self.default_voice = voice or ("reference" if self._reference else "default")
        self.revision = f"{model} @ {self._client.host}"
        if self._reference:
            self.revision += f", voice of {self._reference['sha256'][:12]}"
        if importlib.util.find_spec("openai") is None:
            raise NotAvailable("openai_speech needs the package openai", remedy="pip install openai==3.54.0")
        if self._cache is None or not self._cache.holds_something():
            self._client.need_key()

    def __repr__(self) -> str:
        return f"OpenAISpeechEngine({self.revision!r}, voice={self.default_voice!r}, api={self.api!r})"

    @property
    def spent(self) -> Spent:
        """What this engine has asked of the server so far."""
        return self._client.totals()

    @contextmanager
    def watched(self) -> Iterator[list[Exchange]]:
        """A list that every request and its answer is added to meanwhile; the key is in none of them."""
        seen: list[Exchange] = []
        self._client.watchers.append(seen.append)
        try:
            yield seen
        finally:
            self._client.watchers.remove(seen.append)

    def voices(self) -> list[str]:
        """The one voice this engine was made with."""
        return [self.default_voice]

    def speak(self, request: SpeechRequest) -> Speech:
        """Render one request; one that was answered before is taken from the cache.

        Raises
        ------
        HarnessError
            For a text without words or of more than 5,000 characters, another voice than the engine's, or a server that refuses,
            does not recover, or sends something else than speech.
        """
        check_request(request, self)
        render = DIALECTS[self.dialect].render
        rendered = render(request.text)
        if len(rendered) <= MAX_CHARACTERS:
            return Speech(self._spoken(rendered, request.seed))
        if self.long_text == "refuse":
            raise HarnessError(f"the text has {len(rendered)} characters; {MAX_CHARACTERS} are possible",
                               remedy="give shorter texts, or the option long_text: split")  # fmt: skip
        return Speech(self._joined(request.text, request.seed, render))

    def _joined(self, text: TaggedText, seed: int, render: Callable[[TaggedText], str]) -> Audio:
        """Pieces one after the other, with the silence that each has itself."""
        clips = [self._spoken(render(part), seed) for part in split(text, render, MAX_CHARACTERS)]
        if len(rates := {clip.sample_rate for clip in clips}) > 1:
            raise HarnessError(f"the pieces of a long text came at different rates: {sorted(rates)} Hz")
        return Audio(np.concatenate([clip.samples for clip in clips]), clips[0].sample_rate)

    def _spoken(self, rendered: str, seed: int) -> Audio:
        read = partial(self._decoded, len(rendered))
        asked = self._asked(rendered, seed)
        if self._cache and (kept := self._cache.get(asked, read)):
            self._client.count_hit()
            return kept
        fields = (self._speech if self.api == "speech" else self._chat)(rendered, seed)

        def unpack(content: bytes, content_type: str) -> tuple[bytes, Audio]:
            inner = from_chat(content) if self.api == "chat" else content
            return inner, read(inner, "" if self.api == "chat" else content_type)

        content, content_type, audio = self._client.fetch(
            self.api, fields, unpack, characters=len(rendered), seed=f"{rendered}{seed}"
        )
        if self._cache:
            self._cache.put(asked, content, "" if self.api == "chat" else content_type, audio)
        return audio

    def _decoded(self, characters: int, content: bytes, content_type: str) -> Audio:
        return decode(
            content,
            self.response_format,
            pcm_rate=self.pcm_rate,
            characters=characters,
            content_type=content_type,
        )

    def _asked(self, rendered: str, seed: int) -> dict[str, Any]:
        """All that an answer depends on; the key is no part of it."""
        asked: dict[str, Any] = {
            "base_url": self._client.base_url, "model": self.model, "voice": self.voice, "api": self.api,
            "format": self.response_format, "text": rendered, "seed": seed, "version": REQUEST_VERSION,
        }  # fmt: skip
        if self.api == "chat":
            asked["system"] = self._system
        if self.stream:
            asked["stream"] = True
        if self._reference:
            asked["reference"] = [self._reference["sha256"], self._reference["text"]]
        return asked

    def _speech(self, rendered: str, seed: int) -> dict[str, Any]:
        from openai import omit

        fields: dict[str, Any] = {"model": self.model, "input": rendered, "voice": self.voice or omit,
                                  "response_format": self.response_format}  # fmt: skip
        more: dict[str, Any] = {"stream": True} if self.stream else {}
        if self._reference:
            more |= {"ref_audio": self._reference["data"], "ref_text": self._reference["text"]}
        return {**fields, "extra_body": more} if more else fields

    def _chat(self, rendered: str, seed: int) -> dict[str, Any]:
        messages: list[dict[str, Any]] = [{"role": "system", "content": self._system}]
        if self._reference:
            recording = {"data": self._reference["data"], "format": self._reference["format"]}
            spoken = {"role": "assistant", "content": [{"type": "input_audio", "input_audio": recording}]}
            messages += [{"role": "user", "content": self._reference["text"]}, spoken]
        messages.append({"role": "user", "content": rendered})
        fields = {"model": self.model, "messages": messages, "modalities": ["text", "audio"], "stop": list(CHAT_STOP),
                  "seed": seed, "extra_body": {"top_k": CHAT_TOP_K}}  # fmt: skip
        if self.voice or self.response_format != "wav":  # the hackathon's server knows no such field
            kind = "pcm16" if self.response_format == "pcm" else self.response_format
            fields["audio"] = {"format": kind, **({"voice": self.voice} if self.voice else {})}
        return fields

    @property
    def _system(self) -> str:
        return PROMPTED_SYSTEM if self.dialect == "prompted" else CHAT_SYSTEM


def _reference(audio: str | Path | None, text: str | None, voice: str | None) -> dict[str, str] | None:
    """The recording in base64, its format, its digest and its words."""
    if audio is None and text is None:
        return None
    if audio is None or not text:
        raise HarnessError("a reference is a recording and its words", remedy="give reference_audio and reference_text")
    if voice is not None:
        raise HarnessError("a voice and a reference exclude each other", remedy="leave one of them out")
    path = Path(audio)
    if not is_file(path):
        raise DataError("the reference recording is missing, or not a file", path=path)
    content = path.read_bytes()
    if len(content) > MAX_REFERENCE_BYTES:
        raise DataError(f"the reference recording has {len(content)} bytes", path=path, remedy="give at most 10 MB")
    return {"data": base64.b64encode(content).decode(), "format": path.suffix.lower().lstrip(".") or "wav",
            "sha256": hashlib.sha256(content).hexdigest(), "text": text}  # fmt: skip
