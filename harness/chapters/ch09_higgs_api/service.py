"""The server that the page talks to: the one that was named, or one of our own in the background."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from harness.chapters.ch09_higgs_api.background import Background
from harness.engines.base import SpeechRequest
from harness.engines.dialects import DIALECTS
from harness.engines.openai_speech.client import BOSON_KEY, NO_KEY, Limits, SpeechClient, Spent
from harness.engines.openai_speech.engine import BOSON_MODEL, BOSON_URL, OpenAISpeechEngine
from harness.publish.markup import code
from harness.tagged import TaggedText

DIRECT = 3  # requests that the page sends with the openai client itself: they are taken off the limit of the engine
_LOCAL = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Service:
    """A speech server, and how the page addresses it.

    Parameters
    ----------
    url : str
        Address without ``/audio/speech``.
    model : str
        Name of the model on the server.
    voice : str, optional
        Name of a voice on the server; None leaves the choice to the server.
    dialect : str
        How the server reads tags, one of `harness.engines.dialects.DIALECTS`.
    key_env : str
        Environment variable that holds the key.
    max_requests : int
        Number of requests that the page may send.
    own : bool
        Whether the server is the one in the background.
    named : str
        Address that was asked for; it differs from `url` if its key is missing.
    server : Background
        The server in the background, which also answers where the page needs a server of its own.
    """

    url: str
    model: str
    voice: str | None
    dialect: str
    key_env: str
    max_requests: int
    own: bool
    named: str
    server: Background

    @property
    def key(self) -> str:
        """The key, or a placeholder for a server that needs none. Boson's key is never sent to this machine."""
        if SpeechClient(self.url, self.key_env, Limits()).loopback and (self.own or self.key_env == BOSON_KEY):
            return NO_KEY
        return os.environ.get(self.key_env, "").strip() or NO_KEY

    @property
    def who(self) -> str:
        """Model and server, for captions."""
        return f"{self.model} on our own server" if self.own else f"{self.model} at {self.url}"

    @property
    def options(self) -> dict[str, Any]:
        """Options of `OpenAISpeechEngine`."""
        return {
            "base_url": self.url,
            "model": self.model,
            "voice": self.voice,
            "dialect": self.dialect,
            "key_env": self.key_env,
            "max_requests": self.max_requests - DIRECT,
        }

    @property
    def command(self) -> str:
        """The command that asks a service with a key."""
        return f'make chapter N=09 ARGS="-p base_url {self.named or BOSON_URL}"'

    def spell(self, text: str) -> str:
        """Return a tagged text as the server reads it."""
        return DIALECTS[self.dialect].render(TaggedText.parse(text))

    def asked(self, spent: Spent, seconds: float) -> dict[str, Any] | None:
        """Return what was asked of the server that was named, for the verdict; None if our own server answered.

        Parameters
        ----------
        spent : Spent
            What the page's engine has spent.
        seconds : float
            Length of the clip that came back.
        """
        if self.own:
            return None
        return {"host": self.url, "model": self.model, "requests": spent.requests + DIRECT, "seconds": seconds}

    def note(self) -> str:
        """Return Markdown that says which server was asked, and how to ask the service."""
        if not self.own:
            return f"The service at {code(self.url)} was asked."
        if not self.named:
            return f"Not run here: Boson's service. With a key: {code(self.command)}."
        return (
            f"**Not run here:** {code(self.named)} needs a key, and the environment variable {code(self.key_env)} is not set. "
            f"With a key: {code(self.command)}. Our own server answers instead, and every figure says so."
        )


def choose(
    base_url: str, model: str, voice: str, dialect: str, key_env: str, served_engine: str, max_requests: int
) -> Service:
    """Return the server that the parameters name, or our own if they name none or its key is missing.

    Our own server is started in either case. A remote server is asked once by the engine, whose error messages
    never contain the key; the openai client's may quote it.

    Raises
    ------
    HarnessError
        If the address is invalid, our own server does not start, or a remote server gives no speech.
    """
    missing = bool(base_url) and not SpeechClient(base_url, key_env, Limits()).has_key()
    own = missing or not base_url
    server = Background(served_engine)
    _bypass_proxy()
    service = Service(
        url=server.url if own else base_url,
        model=served_engine if own else model or BOSON_MODEL,
        voice=None if missing else voice or None,
        dialect=dialect if dialect != "auto" else ("prompted" if own else "higgs_v3"),
        key_env=key_env,
        max_requests=max_requests,
        own=own,
        named=base_url,
        server=server,
    )
    if not own:
        OpenAISpeechEngine(**service.options, cache=None).speak(SpeechRequest(TaggedText.parse("Hello")))
    return service


def _bypass_proxy() -> None:
    """Let clients of this process reach this machine: a proxy cannot."""
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name, ""), *_LOCAL]))
