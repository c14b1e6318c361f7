"""The engine: which request a text becomes, and what is kept of the answer."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
from bisect import bisect_right
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import numpy as np

from harness.audio import Audio
from harness.engines.base import Speech, SpeechRequest, check_request, register_engine
from harness.engines.dialects import DIALECTS, EXPLANATION, ends_clause, ends_sentence, part
from harness.engines.openai_speech.answers import FORMATS, Exchange, SpeechCache, decode, from_chat
from harness.engines.openai_speech.client import BOSON_KEY, Answer, Limits, SpeechClient, Spent
from harness.engines.options import check_choice, check_number, check_text
from harness.errors import DataError, HarnessError, NotAvailable
from harness.paths import BUILD, is_file
from harness.registry import Requirements
from harness.tagged import TaggedText

BOSON_URL = "https://api.boson.ai/v1"
BOSON_MODEL = "higgs-tts-3"
BOSON_DOMAIN = "boson.ai"  # domain of the hosted Higgs API
MAX_CHARACTERS = 5000  # docs.boson.ai, "Create speech": a longer input is a 400 input_too_long
MAX_REFERENCE_BYTES = 10 * 2**20  # the same page
CACHE = BUILD / "cache" / "openai_speech"
REQUEST_VERSION = 1  # raise it when a request changes: older cache entries are then ignored
# As the Higgs servers of the 2025 hackathon (hackathon.boson.ai) and bosonai/higgs-audio-vllm expect it.
CHAT_STOP = ("<|eot_id|>", "<|end_of_text|>", "<|audio_eos|>")
CHAT_TOP_K = 50
CHAT_SYSTEM = "Read the user's text aloud, word for word."
PROMPTED_SYSTEM = f"{CHAT_SYSTEM} {EXPLANATION}"
PROBE_SECONDS = 5.0
LONGEST_REVISION = 200  # characters, for the manifest


@register_engine("openai_speech")
class OpenAISpeechEngine:
    """Speech from a server that understands OpenAI's speech requests: Boson's API, vLLM, SGLang.

    An experiment gives an engine 120 s a clip; retries may take longer: set its `timeout` to ``null``.

    Parameters
    ----------
    base_url : str
        Address without ``/audio/speech``.
    model : str
        Name of the model on the server.
    voice : str, optional
        Name of a voice on the server. Without it the field is left out, and the server chooses its "default".
    api : {"speech", "chat"}
        Form of the request: ``POST audio/speech``, or ``POST chat/completions`` with audio in base64 in the answer, as at the 2025
        hackathon. Only "chat" sends the seed and, for the dialect "prompted", a system prompt that explains the tags.
    response_format : {"wav", "pcm", "mp3", "flac", "opus"}
        Format of the audio; "pcm" is s16le mono.
    pcm_rate : int
        Rate of pcm samples, and the rate that files must have, in Hz.
    stream : bool
        Whether to ask for the audio while it is being made. Servers do this for api "speech" and response_format "pcm".
    dialect : str
        "ignore", "prompted", or another of `harness.engines.dialects` that is not SSML.
    key_env : str, optional
        Environment variable that holds the key; None for a remote server without keys. A server on this machine needs no key, and
        never gets ``BOSON_API_KEY``; give another variable if it checks keys.
    timeout : float
        Seconds for one request.
    retries : int
        Number of further requests after an overload, a timeout or a lost connection, with the waits of the openai SDK. A body
        that is damaged, cut off or late is asked for once more.
    max_requests : int, optional
        Number of requests that this process may send to the server, retries included.
    max_concurrent : int
        Number of requests at a time.
    min_interval : float
        Seconds between the starts of two requests.
    cache : path-like, optional
        Folder for received answers; None for none. Equal requests, with the same seed, are sent once,
        unless two processes ask at the same time. By default (``"auto"``), the answers of a server on this machine are not kept:
        its engine may change while its name does not.
    long_text : {"refuse", "split"}
        Treatment of texts of more than 5,000 characters: "split" speaks pieces, cut at sentence ends, and joins them.
    reference_audio, reference_text : str, optional
        Recording of the voice to use, a file of at most 10 MB, and the words said in it. You need the right to clone the voice.
    """

    name = "openai_speech"
    deterministic = False
    requirements: ClassVar[Requirements] = Requirements(
        packages=("openai",),
        key=BOSON_KEY,
        network="the server at base_url, by default api.boson.ai; a server on this machine, such as `harness serve`, needs no key",
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
        cache: str | Path | None = "auto",
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
        check_number("pcm_rate", pcm_rate, whole=True, least=1)
        if stream and (api, response_format) != ("speech", "pcm"):
            raise HarnessError("only pcm is streamed, and only by the api speech",
                               remedy="give response_format: pcm, or leave stream out")  # fmt: skip
        self.dialect, self.model, self.voice, self.api, self.stream = dialect, model, voice, api, stream
        self.response_format, self.pcm_rate, self.long_text = response_format, pcm_rate, long_text
        self._client = SpeechClient(
            base_url, key_env, Limits(timeout, retries, max_requests, max_concurrent, min_interval)
        )
        if cache == "auto":
            cache = None if self._client.loopback else CACHE
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

    @property
    def spent(self) -> Spent:
        """Requests, cache hits and audio of this engine so far."""
        return self._client.totals()

    def watched(self) -> AbstractContextManager[list[Exchange]]:
        """Return a context manager: a list to which every request and its answer is added meanwhile, without the key."""
        return self._client.watched()

    def voices(self) -> list[str]:
        """Return the voice that this engine was made with."""
        return [self.default_voice]

    def probe(self) -> None:
        """Check within `PROBE_SECONDS` that there is a server, and that it knows the address; a full cache needs none.

        The request is empty, so that nothing is spoken or charged: a server that knows the address refuses it.

        Raises
        ------
        HarnessError
            If nothing answers at the port, or the answer is 404 or 405.
        """
        if self._cache is None or not self._cache.holds_something():
            self._client.probe(self.api, PROBE_SECONDS)

    def served_revision(self) -> str:
        """Return the revision of the engine behind the server; "unknown" if it does not tell, as only `harness serve` does."""
        import httpx2

        address = self._client.base_url.removesuffix("/v1") + "/health"
        try:
            with httpx2.Client(trust_env=not self._client.loopback, timeout=PROBE_SECONDS) as http:
                return str(http.get(address).json()["revision"])[:LONGEST_REVISION]
        except (httpx2.HTTPError, ValueError, KeyError, TypeError):
            return "unknown"

    def speak(self, request: SpeechRequest) -> Speech:
        """Render one request, or take its audio from the cache.

        Raises
        ------
        HarnessError
            If the text has no words or more than 5,000 characters, the voice is not the engine's, or the server refuses,
            does not recover, or sends something other than speech.
        """
        check_request(request, self)
        render = DIALECTS[self.dialect].render
        rendered = render(request.text)
        if len(rendered) <= MAX_CHARACTERS:
            return Speech(self._spoken(rendered, request.seed))
        if self.long_text == "refuse":
            raise HarnessError(f"the text has {len(rendered)} characters; the limit is {MAX_CHARACTERS}",
                               remedy="give shorter texts, or the option long_text: split")  # fmt: skip
        return Speech(self._joined(request.text, request.seed, render))

    def _joined(self, text: TaggedText, seed: int, render: Callable[[TaggedText], str]) -> Audio:
        """Speak a long text in pieces, and join them with the silence at their ends."""
        clips = [self._spoken(render(part), seed) for part in split(text, render, MAX_CHARACTERS)]
        if len(rates := {clip.sample_rate for clip in clips}) > 1:
            raise HarnessError(f"the pieces of a long text came at different rates: {sorted(rates)} Hz")
        return Audio(np.concatenate([clip.samples for clip in clips]), clips[0].sample_rate)

    def _spoken(self, rendered: str, seed: int) -> Audio:
        read = partial(decode, asked=self.response_format, pcm_rate=self.pcm_rate, characters=len(rendered))
        asked = self._asked(rendered, seed)
        if self._cache and (kept := self._cache.get(asked, read)):
            self._client.count_hit()
            return kept
        fields = (self._speech if self.api == "speech" else self._chat)(rendered, seed)

        def unpack(content: bytes, content_type: str) -> Answer:
            if self.api == "chat":
                content, content_type = from_chat(content), ""
            return content, content_type, read(content, content_type)

        content, content_type, audio = self._client.fetch(self.api, fields, unpack, len(rendered))
        if self._cache:
            self._cache.put(asked, content, content_type, audio)
        return audio

    def _asked(self, rendered: str, seed: int) -> dict[str, Any]:
        """Return everything that an answer depends on; the key is not part of it."""
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
        if self.voice or self.response_format != "wav":  # unknown to the hackathon's server
            kind = "pcm16" if self.response_format == "pcm" else self.response_format
            fields["audio"] = {"format": kind, **({"voice": self.voice} if self.voice else {})}
        return fields

    @property
    def _system(self) -> str:
        return PROMPTED_SYSTEM if self.dialect == "prompted" else CHAT_SYSTEM


def _reference(audio: str | Path | None, text: str | None, voice: str | None) -> dict[str, str] | None:
    """Return the recording in base64, its format, digest and words."""
    if audio is None and text is None:
        return None
    if audio is None or not text:
        raise HarnessError(
            "a reference needs a recording and its words", remedy="give reference_audio and reference_text"
        )
    if voice is not None:
        raise HarnessError("the options voice and reference_audio exclude each other", remedy="leave one of them out")
    path = Path(audio)
    if not is_file(path):
        raise DataError("the reference recording is missing, or not a file", path=path)
    content = path.read_bytes()
    if len(content) > MAX_REFERENCE_BYTES:
        raise DataError(f"the reference recording has {len(content)} bytes", path=path, remedy="give at most 10 MB")
    return {"data": base64.b64encode(content).decode(), "format": path.suffix.lower().lstrip(".") or "wav",
            "sha256": hashlib.sha256(content).hexdigest(), "text": text}  # fmt: skip


def of_service(address: str) -> bool:
    """Whether an address belongs to the service that the claims are about."""
    host = urlsplit(address).hostname or ""
    return host == BOSON_DOMAIN or host.endswith(f".{BOSON_DOMAIN}")


def split(text: TaggedText, render: Callable[[TaggedText], str], limit: int) -> list[TaggedText]:
    """Cut a text into pieces of at most `limit` characters, at sentence ends where there are any.

    A sentence that is too long itself is cut at its last clause punctuation that fits, or else between words. A tag on the
    slot of a cut goes to the later piece.

    Parameters
    ----------
    text : TaggedText
        Text to cut.
    render : callable
        Function to the text that the server reads, whose length counts.
    limit : int
        Number of characters that a piece may have.

    Raises
    ------
    HarnessError
        If a single word with its tags is too long.
    """
    pieces, start, count = [], 0, len(text.words)
    while start < count:
        places = range(start + 1, count + 1)
        # rendered length grows with the number of words
        fitting = bisect_right(places, limit, key=lambda end: len(render(part(text, start, end))))
        if not fitting:
            raise HarnessError(f"the word {text.words[start][:40]!r} alone is longer than {limit} characters")
        end = start + fitting
        if end < count:
            breaks = (_last(ends, text.words, start, end) for ends in (ends_sentence, ends_clause))
            end = next(filter(None, breaks), end)
        pieces.append(part(text, start, end))
        start = end
    return pieces


def _last(ends: Callable[[str], bool], words: tuple[str, ...], start: int, end: int) -> int | None:
    """Return the last place to cut after a word that ends something, if there is one."""
    return next((cut for cut in range(end, start, -1) if ends(words[cut - 1])), None)
