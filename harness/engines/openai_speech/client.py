"""Requests to a speech server. The openai SDK retries, backs off and obeys ``Retry-After``.

Around it: a limit on the number of requests and their distance, a total time for each, a second request for damaged audio, and
errors that say what to do.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from harness.audio import Audio, AudioError
from harness.engines.openai_speech.answers import Exchange, OtherAudio, server_message
from harness.engines.options import check_number, check_url
from harness.engines.secrets import STARS, without_secrets
from harness.errors import HarnessError, NotAvailable

BOSON_KEY = "BOSON_API_KEY"
NO_KEY = "not-needed"  # placeholder where there is no key: the openai client always sends something
MAX_BYTES = 256 * 2**20  # 50 minutes of 24 kHz samples in base64 are 190 MB
MAX_LIMIT = 10**7  # seconds or requests: four months
_LONGEST_MESSAGE = 300  # characters
_CHECK = "check the options against the server's documentation"
_ODD = "try another text or voice; if that changes nothing, the server is at fault"
_LATER = "try again later, or raise the option retries; what was spoken so far is kept"
_REMEDIES = {
    403: "ask the owner of the server for access to this model",
    404: "check the options model and base_url, which usually ends in /v1",
    405: "check the option base_url, which usually ends in /v1",
    413: "give a shorter text, a smaller reference_audio, or the option long_text: split",
    429: "wait, give the option min_interval, or lower max_concurrent",
    **dict.fromkeys((408, 409, *range(500, 600)), _LATER),
}
sleep = time.sleep  # replaced in tests

_sent: Counter[str] = Counter()  # requests of this process by server, for max_requests
_lock = threading.Lock()


@dataclass(frozen=True)
class Limits:
    """How a server may be used; `OpenAISpeechEngine` describes the fields."""

    timeout: float = 60.0
    retries: int = 4
    max_requests: int | None = None
    max_concurrent: int = 2
    min_interval: float = 0.0

    def __post_init__(self) -> None:
        check_number("timeout", self.timeout, most=MAX_LIMIT)
        if not self.timeout > 0:
            raise HarnessError(f"timeout must be greater than 0 seconds, got {self.timeout!r}")
        check_number("retries", self.retries, whole=True, least=0, most=MAX_LIMIT)
        check_number("max_concurrent", self.max_concurrent, whole=True, least=1, most=MAX_LIMIT)
        check_number("min_interval", self.min_interval, least=0, most=MAX_LIMIT)
        if self.max_requests is not None:
            check_number("max_requests", self.max_requests, whole=True, least=0, most=MAX_LIMIT)


@dataclass
class Spent:
    """What was asked of a server.

    Parameters
    ----------
    requests, retries : int
        Number of requests sent, and how many of them were retries.
    cache_hits : int
        Number of answers taken from the cache instead.
    seconds : float
        Length of the audio received.
    characters : int
        Length of the text that this audio speaks.
    """

    requests: int = 0
    retries: int = 0
    cache_hits: int = 0
    seconds: float = 0.0
    characters: int = 0


@dataclass(frozen=True)
class _Failure:
    """Why a request gave no audio, and whether another request may give some."""

    message: str
    remedy: str | None
    again: bool


Answer = tuple[bytes, str, Audio]  # bytes of the audio, their content type, the audio


class SpeechClient:
    """Ask a server for speech within limits, and explain what went wrong.

    Parameters
    ----------
    base_url : str
        Address without ``/audio/speech``: https, or http on this machine or where no key is sent.
    key_env : str or None
        Environment variable that holds the key; None or empty for a server that needs none. A server on this machine needs
        none either, and is never sent the key of Boson's API.
    limits : Limits
        Limits of use.

    Raises
    ------
    HarnessError
        If the address is invalid or holds a password, or the key would be sent unencrypted.
    """

    def __init__(self, base_url: str, key_env: str | None, limits: Limits) -> None:
        self.base_url, self.key_env, self.limits = base_url.rstrip("/"), key_env, limits
        self.host, self.loopback, encrypted = check_url(base_url)
        self.key_needed = bool(key_env) and not self.loopback
        if self.key_needed and not encrypted:
            raise HarnessError(f"the key would be sent to {self.host} unencrypted",
                               remedy="use https, or give key_env: null for a server that needs no key")  # fmt: skip
        self.spent = Spent()
        self._watchers: list[Callable[[Exchange], object]] = []  # each is called with every exchange
        self._slots = threading.BoundedSemaphore(limits.max_concurrent)
        self._next = 0.0  # earliest start of the next request
        self._call = threading.local()  # requests sent by the current `fetch`, and the start of the last one

    def has_key(self) -> bool:
        """Whether there is a key, if one is needed."""
        return not self.key_needed or bool(os.environ.get(self.key_env or "", "").strip())

    def need_key(self) -> None:
        """Raise `NotAvailable`, which names the environment variable, if a key is needed and there is none."""
        if not self.has_key():
            raise NotAvailable(f"{self.host} needs a key, and the environment variable {self.key_env} is not set",
                               remedy=f"export {self.key_env}=..., or give base_url and key_env of another server")  # fmt: skip

    def fetch(
        self,
        api: str,
        fields: Mapping[str, Any],
        read: Callable[[bytes, str], Answer],
        characters: int = 0,
    ) -> Answer:
        """Ask for speech. Damaged audio is asked for once more, if `retries` allows it.

        Parameters
        ----------
        api : {"speech", "chat"}
            Form of the request.
        fields : mapping
            Arguments of the openai client's ``create``.
        read : callable
            Function of body and content type that returns an `Answer`, or raises `AudioError`.
        characters : int
            Length of the text, for `spent`.

        Raises
        ------
        HarnessError
            If the server refuses, or does not recover within the limits.
        """
        self.need_key()
        with self._slots:
            self._call.tries = 0
            answer = self._ask(api, fields, read, self.limits.retries)
            left = self.limits.retries - self._call.tries  # of the retries after one more request
            if isinstance(answer, _Failure) and answer.again and left >= 0:
                answer = self._ask(api, fields, read, left)
            tries = self._call.tries
        if isinstance(answer, _Failure):
            # The key goes before the message is cut: half a key is a secret too.
            message = _without(self._key(), f"{self.host}: {answer.message}")
            if len(message) > _LONGEST_MESSAGE:
                message = message[: _LONGEST_MESSAGE - 1] + "…"
            raise HarnessError(message + (f" ({tries} requests)" if tries > 1 else ""), remedy=answer.remedy)
        with _lock:
            self.spent.seconds += answer[2].seconds
            self.spent.characters += characters
        return answer

    def probe(self, api: str, seconds: float) -> None:
        """Send one empty request, without retries; see `OpenAISpeechEngine.probe`."""
        import httpx2

        if self.limits.max_requests == 0:
            return
        path = "audio/speech" if api == "speech" else "chat/completions"
        try:
            with httpx2.Client(trust_env=not self.loopback, timeout=seconds) as http:
                status = http.post(
                    f"{self.base_url}/{path}", json={}, headers={"Authorization": f"Bearer {self._key()}"}
                ).status_code
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise HarnessError(f"nothing answers at {self.host} ({type(error).__name__})",
                               remedy="start the server, or check the option base_url") from None  # fmt: skip
        except httpx2.HTTPError:  # it is there, but slow to refuse
            return
        if status in (404, 405):
            raise HarnessError(f"{self.host} does not know {self.base_url}/{path}: it answered {status}",
                               remedy="check the option base_url, which usually ends in /v1")  # fmt: skip

    def totals(self) -> Spent:
        """Return what was spent so far, in a copy that does not change."""
        with _lock:
            return replace(self.spent)

    def count_hit(self) -> None:
        """Count an answer that was taken from the cache."""
        with _lock:
            self.spent.cache_hits += 1

    @contextmanager
    def watched(self) -> Iterator[list[Exchange]]:
        """Return a list to which every exchange is added meanwhile."""
        seen: list[Exchange] = []
        self._watchers.append(seen.append)
        try:
            yield seen
        finally:
            self._watchers.remove(seen.append)

    def _ask(
        self, api: str, fields: Mapping[str, Any], read: Callable[[bytes, str], Answer], retries: int
    ) -> Answer | _Failure:
        """Return an answer. Errors of the SDK hold the request with its key: none of them leaves this method."""
        import httpx2
        import openai

        try:
            content, content_type = self._body(api, fields, retries)
        except openai.APIStatusError as error:
            return self._refused(error.status_code, error.body)
        except (openai.APITimeoutError, httpx2.TimeoutException):
            return _Failure(f"no whole answer within {self.limits.timeout:g} s", "raise the option timeout", True)
        except openai.APIConnectionError as error:
            reason = type(error.__cause__).__name__ if error.__cause__ else "no reason given"
            return _Failure(f"the connection failed ({reason})", f"check base_url and the network; {_LATER}", True)
        except httpx2.HTTPError:
            return _Failure("the answer was cut off", "try again later; what was spoken so far is kept", True)
        except (openai.OpenAIError, UnicodeError, ValueError, TypeError) as error:
            return _Failure(f"the request cannot be sent: {type(error).__name__}", _CHECK, False)
        try:
            if len(content) > MAX_BYTES:
                raise AudioError(f"more than {MAX_BYTES // 2**20} MB came back")
            return read(content, content_type)
        except AudioError as error:
            return _Failure(error.message, error.remedy or _ODD, not isinstance(error, OtherAudio))

    def _body(self, api: str, fields: Mapping[str, Any], retries: int) -> tuple[bytes, str]:
        """Return the body of an answer and its content type."""
        sdk = self._sdk(retries)
        resource = sdk.audio.speech if api == "speech" else sdk.chat.completions
        parts: list[bytes] = []
        first, size = 0.0, 0
        with resource.with_streaming_response.create(**fields) as response:
            for part in response.iter_bytes():
                first, size = first or self._elapsed(), size + len(part)
                parts.append(part)
                if size > MAX_BYTES:
                    break
            content = b"".join(parts)
            self._show(response.http_response, content, first, self._elapsed())
            kind = response.headers.get("content-type", "").lower()
            if "rate=" not in kind and (rate := response.headers.get("x-sample-rate", "")).isdigit():
                kind += f"; rate={rate}"
            return content, kind

    def _refused(self, status: int, body: object) -> _Failure:
        """Explain a status other than 200, after the retries of the SDK."""
        said = server_message(body)
        remedy = _REMEDIES.get(status, _CHECK)
        if status == 401 and self._key() == NO_KEY:
            remedy = (
                "no key was sent: put this server's key into an environment variable, and name it as the option key_env"
            )
        elif status == 401:
            remedy = f"put a valid key into the environment variable {self.key_env}"
        elif status == 400 and "too_long" in f"{body} {said}":
            remedy = "give the option long_text: split"
        elif 300 <= status < 400:
            remedy = "the server has moved: give its new address as base_url"
        return _Failure(f"answered {status}{f': {said}' if said else ''}", remedy, False)

    def _sdk(self, retries: int) -> Any:
        """Return an openai client that counts its requests and shares its connections with the others."""
        import openai

        sdk = openai.OpenAI(
            api_key=self._key(),
            base_url=self.base_url,
            timeout=self.limits.timeout,
            max_retries=retries,
            http_client=self._http,
        )
        sdk.organization = sdk.project = None  # OpenAI's, from the environment: they do not concern other servers
        return sdk

    @cached_property
    def _http(self) -> Any:
        import openai

        # Redirects would send text and key to another address. A proxy cannot reach this machine.
        return openai.DefaultHttpxClient(
            follow_redirects=False,
            trust_env=not self.loopback,
            timeout=self.limits.timeout,
            event_hooks={"request": [self._count], "response": [self._limit]},
        )

    def _count(self, _request: object) -> None:
        """Count a request that is about to be sent, and wait for the interval.

        Raises
        ------
        HarnessError
            If the process has sent `max_requests`.
        """
        with _lock:
            limit = self.limits.max_requests
            if limit is not None and _sent[self.base_url] >= limit:
                raise HarnessError(f"this process has sent {_sent[self.base_url]} requests to {self.host}, the limit of max_requests",
                                   remedy="raise the option max_requests; cached answers cost nothing")  # fmt: skip
            _sent[self.base_url] += 1
            self.spent.requests += 1
            self.spent.retries += self._call.tries > 0
            now = time.monotonic()
            wait = self._next - now
            self._next = max(now, self._next) + self.limits.min_interval
        self._call.tries += 1
        if wait > 0:
            sleep(wait)
        self._call.begun = time.monotonic()

    def _elapsed(self) -> float:
        return time.monotonic() - self._call.begun

    def _limit(self, response: Any) -> None:
        """Limit the time until the end of a body. Read the body of a refusal, which the SDK retries or reports, and show it."""
        response.stream = _stream_until(response.stream, self._call.begun + self.limits.timeout)
        if response.status_code >= 300:
            content = response.read()
            self._show(response, content, self._elapsed(), self._elapsed())

    def _show(self, response: Any, content: bytes, first: float, last: float) -> None:
        """Show an exchange to the watchers, with stars for the key, which a server may have repeated."""
        key, request = self._key(), response.request
        sent, back = (
            {str(name).lower(): _without(key, str(value)) for name, value in headers.items()}
            for headers in (request.headers, response.headers)
        )
        if key != NO_KEY:
            content = content.replace(key.encode(), STARS.encode())
        body = bytes(request.content)
        exchange = Exchange(
            request.method, str(request.url), sent, body, response.status_code, back, content, first, last
        )
        for watcher in tuple(self._watchers):
            watcher(exchange)

    def _key(self) -> str:
        if not self.key_env or (self.loopback and self.key_env == BOSON_KEY):
            return NO_KEY
        key = os.environ.get(self.key_env, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise HarnessError(f"the environment variable {self.key_env} holds no key: it has characters other than printable ASCII",
                               remedy="copy the key again")  # fmt: skip
        return key or NO_KEY


def _without(key: str, text: str) -> str:
    """Return the text without the key, and without the keys that environment variables hold."""
    return without_secrets(text, {**os.environ, "SENT_KEY": "" if key == NO_KEY else key})


def _stream_until(stream: Any, end: float) -> Any:
    """Return the same stream, which times out at `end`. The SDK limits the time of each read, but not the number of reads."""
    import httpx2

    class LimitedStream(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            for part in stream:
                if time.monotonic() > end:
                    raise httpx2.ReadTimeout("the body does not end")
                yield part

        def close(self) -> None:
            stream.close()

    return LimitedStream()
