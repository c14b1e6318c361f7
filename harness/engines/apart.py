"""An engine in a child process: if it hangs or crashes, the run continues."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness.audio import Audio
from harness.engines.base import Speech, SpeechRequest, make_engine, own_tags
from harness.engines.secrets import without_secrets
from harness.errors import HarnessError
from harness.processes.remote import ChildTimeout, RemoteObject, Reply
from harness.records import WordTime
from harness.registry import Requirements
from harness.tagged import Tag, TaggedText

_DESCRIBED = ("name", "dialect", "deterministic", "revision", "default_voice", "expressible")


class EngineTimeout(HarnessError):
    """An engine gave no answer in time."""


class EngineApart:
    """A registered engine that speaks in a child process, which starts at first use.

    After a timeout or a crash the child is killed, with its own children, and the next request starts a new one.

    Parameters
    ----------
    name : str
        Registered name, or "package.module:Class". The child does not see what only this process registered.
    options : mapping, optional
        Options of the engine: JSON values.
    timeout : float
        Seconds that one request may take. Starting may take 60 s if that is more.
    python : path-like, optional
        Interpreter of the child, such as that of another environment; this one by default.
    """

    requirements: ClassVar[Requirements] = Requirements()
    name: str
    dialect: str
    deterministic: bool
    revision: str
    default_voice: str
    expressible: list[str]

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any] | None = None,
        *,
        timeout: float = 120.0,
        python: str | Path | None = None,
    ) -> None:
        self._what, self.timeout = f"the engine {name}", timeout
        self._child = RemoteObject(
            f"{__name__}:ServedEngine",
            {"engine": name, "options": dict(options or {})},
            what=self._what,
            timeout=timeout,
            python=python,
            clean=without_secrets,
        )

    def __getattr__(self, attribute: str) -> Any:  # called only for what is not there yet
        if attribute not in _DESCRIBED:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {attribute!r}")
        return self._description[attribute]

    @cached_property
    def _description(self) -> dict[str, Any]:
        return self._ask("describe")[0]

    def voices(self) -> list[str]:
        """Return the names of the voices that can be asked for."""
        return list(self._description["voices"])

    def speak(self, request: SpeechRequest) -> Speech:
        """Render one request.

        Raises
        ------
        EngineTimeout
            If the engine gives no answer in time.
        HarnessError
            If its process ends; or the error that the engine raised. Targets cannot be sent to it.
        """
        if request.targets is not None:
            raise HarnessError(f"{self._what} runs in a process of its own, which takes tags only")
        answer, samples = self._ask(
            "speak",
            text=request.text.format(),
            voice=request.voice,
            seed=int(request.seed),
            word_times=request.word_times,
        )
        words = None if answer["words"] is None else tuple(WordTime(**word) for word in answer["words"])
        return Speech(Audio(np.frombuffer(samples, "<f4").astype(np.float32), answer["sample_rate"]), words)

    def lost(self, text: TaggedText) -> dict[tuple[int, Tag], str]:
        """Return the tags that the engine itself cannot express, and why; none if it does not say."""
        answer, _ = self._ask("lost", text=text.format())
        return {(slot, Tag(tag)): why for slot, tag, why in answer["lost"]}

    def kill(self) -> None:
        """Kill the child now; a request that waits for it fails."""
        self._child.kill()

    def close(self) -> None:
        """End the child. Another request would start a new one."""
        self._child.close()

    def __enter__(self) -> EngineApart:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _ask(self, method: str, **arguments: Any) -> Reply:
        try:
            return self._child.ask(method, **arguments)
        except ChildTimeout as error:
            raise EngineTimeout(error.message, remedy="raise the `timeout` field of the experiment, or leave the engine "
                                                      "out") from None  # fmt: skip


class ServedEngine:
    """The engine in the child: what it is and what it says, as JSON and raw float32 little-endian samples."""

    def __init__(self, engine: str, options: Mapping[str, Any]) -> None:
        self._engine = make_engine(engine, **options)
        self._description = {
            "name": str(self._engine.name),
            "dialect": str(self._engine.dialect),
            "deterministic": bool(self._engine.deterministic),
            "revision": str(self._engine.revision),
            "default_voice": str(self._engine.default_voice),
            "expressible": sorted(tag.value for tag in own_tags(self._engine)),
            "voices": [str(voice) for voice in self._engine.voices()],
        }

    def describe(self) -> Reply:
        """Return the attributes of the engine, and its voices."""
        return self._description, b""

    def lost(self, text: str) -> Reply:
        """Return slot, tag and reason of each tag that the engine cannot express."""
        own = getattr(self._engine, "lost", None)
        lost = own(TaggedText.parse(text)) if own else {}
        return {"lost": [[slot, tag.value, why] for (slot, tag), why in lost.items()]}, b""

    def speak(self, text: str, voice: str | None, seed: int, word_times: bool) -> Reply:
        """Return the words, the sample rate and the samples of a request."""
        speech = self._engine.speak(SpeechRequest(TaggedText.parse(text), voice, seed, word_times))
        samples = np.asarray(speech.audio.samples, dtype="<f4")
        if samples.ndim != 1:
            raise ValueError(f"the samples have shape {samples.shape}; one dimension was expected")
        words = [word.model_dump() for word in speech.words] if word_times and speech.words is not None else None
        return {"sample_rate": int(speech.audio.sample_rate), "words": words}, samples.tobytes()
