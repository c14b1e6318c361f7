"""Requests to a speech server: how many at a time, and how often again."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from typing import Any

from harness.audio import Audio
from harness.engines.openai_speech.deadline import Deadline, http_client, is_compressed
from harness.engines.openai_speech.decode import BadAudio, CutAudio, OtherAudio
from harness.engines.openai_speech.exchange import NO_KEY, Exchange
from harness.engines.openai_speech.limits import Limits, Spent, checked_url
from harness.engines.openai_speech.refusals import CHECK, LATER, LONGEST_WAIT, ODD, Failure, refused, shorten
from harness.engines.secrets import without_secrets
from harness.errors import HarnessError, NotAvailable

BOSON_KEY = "BOSON_API_KEY"
FIRST_WAIT = 0.5  # seconds before the first retry; each wait is twice the one before
MAX_BYTES = 256 * 2**20  # 50 minutes of 24 kHz samples in base64 are 190 MB
_LONGEST_MESSAGE = 300  # characters
sleep = time.sleep  # tests do not wait

_sent: Counter[str] = Counter()  # requests of this process by server, for max_requests
_lock = threading.Lock()


class SpeechClient:
    """The official ``openai`` client with counting, waiting and explanations around it.

    Parameters
    ----------
    base_url : str
        Address without ``/audio/speech``; https, or http on this machine (or where no key is sent).
    key_env : str or None
        Environment variable that holds the key; None or empty for a server that needs none. A server on this machine needs
        none either, and is never sent the key of Boson's API.
    limits : Limits

    Raises
    ------
    HarnessError
        If the address is none, or holds a password, or the key would be sent unencrypted.
    """

    def __init__(self, base_url: str, key_env: str | None, limits: Limits) -> None:
        self.base_url, self.key_env, self.limits = base_url.rstrip("/"), key_env, limits
        self.host, self.loopback, encrypted = checked_url(base_url)
        self.key_needed = bool(key_env) and not self.loopback
        if self.key_needed and not encrypted:
            raise HarnessError(f"the key would be sent to {self.host} unencrypted",
                               remedy="use https, or give key_env: null for a server that needs no key")  # fmt: skip
        self.spent = Spent()
        self._slots = threading.BoundedSemaphore(limits.max_concurrent)
        self._next = 0.0
        self._made: Any = None
        self._deadline = Deadline()
        self.watchers: list[Callable[[Exchange], object]] = []  # each is shown every exchange

    def __repr__(self) -> str:
        return f"SpeechClient({self.base_url!r}, key_env={self.key_env!r})"

    def has_key(self) -> bool:
        """Whether a request could be sent as far as the key is concerned."""
        return not self.key_needed or bool(os.environ.get(self.key_env or "", "").strip())

    def need_key(self) -> None:
        """Say what to do where a key is needed and there is none.

        Raises
        ------
        NotAvailable
            Naming the environment variable.
        """
        if not self.has_key():
            raise NotAvailable(f"{self.host} needs a key, and the environment variable {self.key_env} is not set",
                               remedy=f"export {self.key_env}=..., or give base_url and key_env of another server")  # fmt: skip

    def fetch(
        self,
        api: str,
        fields: Mapping[str, Any],
        read: Callable[[bytes, str], tuple[bytes, Audio]],
        *,
        characters: int = 0,
        seed: object = 0,
    ) -> tuple[bytes, str, Audio]:
        """Ask until an answer can be read.

        Parameters
        ----------
        api : {"speech", "chat"}
        fields : mapping
            Arguments of the openai client's ``create``.
        read : callable
            From body and content type to the bytes of the audio and the audio; raises `BadAudio`.
        characters : int
            Of the text, for `spent`.
        seed : object
            Of the jitter between tries.

        Returns
        -------
        tuple of (bytes, str, Audio)
            Bytes of the audio, content type of the answer, audio.

        Raises
        ------
        HarnessError
            If the server refuses, or does not recover within the limits.
        """
        self.need_key()
        jitter = random.Random(str(seed))
        allowed = {"never": 0, "once": min(1, self.limits.retries), "often": self.limits.retries}
        failed: Counter[str] = Counter()
        while True:
            answer = self._ask(api, fields, read, again=failed.total() > 0)
            if not isinstance(answer, Failure):
                with _lock:
                    self.spent.seconds += answer[2].seconds
                    self.spent.characters += characters
                return answer
            failed[answer.again] += 1
            tries = failed.total()
            if failed[answer.again] > allowed[answer.again] or tries > self.limits.retries:
                times = f" ({tries} requests)" if tries > 1 else ""
                # The key goes before the message is cut: half a key is a secret too.
                message = shorten(self.clean(f"{self.host}: {answer.message}"), _LONGEST_MESSAGE)
                raise HarnessError(message + times, remedy=answer.remedy)
            wait = FIRST_WAIT * 2 ** (tries - 1) * (1 + jitter.random())
            sleep(min(wait if answer.wait is None else answer.wait, LONGEST_WAIT))

    def totals(self) -> Spent:
        """What was spent so far, in a copy that does not change."""
        with _lock:
            return replace(self.spent)

    def count_hit(self) -> None:
        """Count an answer that was taken from the cache."""
        with _lock:
            self.spent.cache_hits += 1

    def clean(self, text: str) -> str:
        """The text without the key."""
        key = self._key()
        return without_secrets(text, {**os.environ, "SENT_KEY": "" if key == NO_KEY else key})

    def _ask(self, api: str, fields: Mapping[str, Any], read: Any, again: bool) -> tuple[bytes, str, Audio] | Failure:
        """One request. Errors of the client hold the request with its key: none of them leaves this method."""
        import openai

        late: tuple[type[Exception], ...] = (openai.APITimeoutError, TimeoutError, *_library("TimeoutException"))
        lost = _library("HTTPError")
        too_late = Failure(f"no whole answer within {self.limits.timeout:g} s", "raise the option timeout", "often")
        sender = self._client()
        with self._turn(again):
            try:
                content, content_type = self._body(sender, api, fields)
            except openai.APIStatusError as error:
                self._show(error.response, error.response.content, 0.0, 0.0)
                return refused(error.status_code, error.body, error.response.headers, self._key_sent())
            except late:
                return too_late
            except openai.APIConnectionError as error:
                if isinstance(error.__cause__, TimeoutError):
                    return too_late
                reason = type(error.__cause__).__name__ if error.__cause__ else "no reason given"
                return Failure(f"the connection failed ({reason})", f"check base_url and the network; {LATER}", "often")
            except lost:
                return Failure("the answer was cut off", LATER, "often")
            except BadAudio as error:
                return Failure(error.message, None, "once")
            except (openai.OpenAIError, UnicodeError, ValueError, TypeError) as error:
                return Failure(f"the request cannot be sent: {type(error).__name__}", CHECK, "never")
        try:
            audio_bytes, audio = read(content, content_type)
        except CutAudio as error:
            return Failure(error.message, error.remedy or LATER, "often")
        except OtherAudio as error:
            return Failure(error.message, error.remedy, "never")
        except BadAudio as error:
            return Failure(error.message, error.remedy or ODD, "once")
        return audio_bytes, content_type, audio

    def _body(self, sender: Any, api: str, fields: Mapping[str, Any]) -> tuple[bytes, str]:
        """All bytes of an answer, within the time: a server that drips is not waited for."""
        begun = time.monotonic()
        resource = sender.audio.speech if api == "speech" else sender.chat.completions
        parts: list[bytes] = []
        first, size = 0.0, 0
        with self._deadline.within(self.limits.timeout), resource.with_streaming_response.create(**fields) as response:
            if is_compressed(response):
                raise BadAudio("the answer is compressed, which was not asked for")
            for part in response.iter_bytes():
                first = first or time.monotonic() - begun
                parts.append(part)
                size += len(part)
                if size > MAX_BYTES:
                    raise BadAudio(f"more than {MAX_BYTES // 2**20} MB came back")
            content = b"".join(parts)
            self._show(response.http_response, content, first, time.monotonic() - begun)
            kind = response.headers.get("content-type", "").lower()
            if "rate=" not in kind and (rate := response.headers.get("x-sample-rate", "")).isdigit():
                kind += f"; rate={rate}"
            return content, kind

    def _show(self, response: Any, content: bytes, first: float, last: float) -> None:
        """Show an exchange to whoever watches."""
        if self.watchers:
            exchange = Exchange.of(response.request, response, content, first, last)
            if (key := self._key()) != NO_KEY:
                exchange = exchange.without(key)
            for watcher in tuple(self.watchers):
                watcher(exchange)

    @contextmanager
    def _turn(self, again: bool) -> Iterator[None]:
        """Wait for a free place and the interval, and count the request.

        Raises
        ------
        HarnessError
            If the process has sent as many as it may.
        """
        with self._slots:
            with _lock:
                limit = self.limits.max_requests
                if limit is not None and _sent[self.base_url] >= limit:
                    raise HarnessError(f"this process has sent {_sent[self.base_url]} requests to {self.host}, as many as it may",
                                       remedy="raise the option max_requests; what the cache holds costs none")  # fmt: skip
                _sent[self.base_url] += 1
                self.spent.requests += 1
                self.spent.retries += again
                now = time.monotonic()
                wait = self._next - now
                self._next = max(now, self._next) + self.limits.min_interval
            if wait > 0:
                sleep(wait)
            yield

    def _key_sent(self) -> str | None:
        """The variable of the key that is sent, if one is."""
        return self.key_env if self._key() != NO_KEY else None

    def _client(self) -> Any:
        with _lock:
            if self._made is None:
                import openai

                # A proxy cannot reach this machine.
                http = http_client(self.limits.timeout, self._deadline, trust_env=not self.loopback)
                made = openai.OpenAI(
                    api_key=self._key(),
                    base_url=self.base_url,
                    timeout=self.limits.timeout,
                    max_retries=0,
                    http_client=http,
                )
                made.organization = made.project = None  # of OpenAI, from the environment: no one else's business
                self._made = made
            return self._made

    def _key(self) -> str:
        if not self.key_env or (self.loopback and self.key_env == BOSON_KEY):
            return NO_KEY
        key = os.environ.get(self.key_env, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise HarnessError(f"the environment variable {self.key_env} holds no key: other characters than ASCII",
                               remedy="copy the key again")  # fmt: skip
        return key or NO_KEY


def _library(name: str) -> tuple[type[Exception], ...]:
    """An exception of the HTTP library below the client: httpx2, or httpx in older releases."""
    found = []
    for module in ("httpx2", "httpx"):
        with suppress(ImportError):
            found.append(getattr(import_module(module), name))
    return tuple(found)
