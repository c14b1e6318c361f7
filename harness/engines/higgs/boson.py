"""Higgs Audio v2 as boson_multimodal's `HiggsAudioServeEngine` runs it.

The class itself is used, unchanged. Around it: files are checked when they are loaded (it ignores missing weights), requests
that would end in a bare error are refused in words, and its stream cannot hang.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio, read_audio
from harness.engines.apart import EngineApart
from harness.engines.base import Speech, SpeechRequest, check_request
from harness.engines.higgs.base import BUSY_SECONDS, GPU, STREAM_TIMEOUT, WEIGHTS, HiggsEngine, in_words
from harness.engines.higgs.loading import CACHE_LENGTHS, load
from harness.engines.higgs.settings import FRAMES_PER_SECOND, TINY
from harness.engines.higgs.stream import Columns, join, pieces, turn
from harness.engines.higgs.tiny import tiny_folders
from harness.errors import HarnessError, NotAvailable
from harness.higgs.codec import RATE, Codec
from harness.higgs.generate import Generated, finish
from harness.higgs.samples import prompt
from harness.higgs.stacks import BOSON, here, python_of
from harness.registry import Requirements

# <|audio_eos|> is among them, as the 2025 hackathon's client had it: without it, a second stretch of speech may follow, and
# the engine fails if that is too short to decode.
STOP = ["<|end_of_text|>", "<|eot_id|>", "<|audio_eos|>"]
RAS_WINDOW, RAS_REPEATS = 7, 2  # repetition-aware sampling, the engine's own defaults
_TURN = 40  # positions that two turns' headers and the delay take, at most


def _lacks() -> list[str]:
    try:
        python_of(BOSON)
    except NotAvailable:
        return ["the environment .venv-boson: make env"]
    return []


class HiggsBosonEngine(HiggsEngine):
    """Higgs Audio v2 in boson_multimodal's serve engine, in a process of the environment .venv-boson.

    Options are those of `HiggsSettings`, and:

    Parameters
    ----------
    timeout : float
        Seconds for one request.

    Without a checkpoint it has random weights, and speaks noise.
    """

    name = "higgs_boson"
    requirements: ClassVar[Requirements] = Requirements(weights=WEIGHTS, gpu=GPU, check=_lacks)

    def __init__(self, *, timeout: float = 600.0, **options: Any) -> None:
        super().__init__("boson_multimodal", options)
        self._apart = EngineApart(f"{__name__}:BosonInProcess", options, timeout=timeout, python=python_of(BOSON))

    def speak(self, request: SpeechRequest) -> Speech:
        """Render one request.

        Raises
        ------
        HarnessError
            For a text without words or too long for the cache, another voice than the engine's, speech that ends before it
            begins, or a process that ends or takes too long.
        """
        check_request(request, self)
        return self._apart.speak(request)

    def close(self) -> None:
        """End the process."""
        self._apart.close()


class BosonInProcess(HiggsEngine):
    """`HiggsBosonEngine` without a process of its own: for code that runs in .venv-boson. It can also stream.

    Options are those of `HiggsSettings`.

    Raises
    ------
    NotAvailable
        If this is another environment.
    """

    name = "higgs_boson"
    requirements: ClassVar[Requirements] = Requirements(packages=("boson_multimodal", "torch"))

    def __init__(self, **options: Any) -> None:
        if here() != BOSON:
            raise NotAvailable("boson_multimodal is not installed here", remedy="use .venv-boson, or HiggsBosonEngine")
        super().__init__("boson_multimodal", options)

    def speak(self, request: SpeechRequest) -> Speech:
        """Render one request; errors are those of `HiggsBosonEngine`."""
        return Speech(Audio(self._response(request).audio.astype(np.float32), RATE))

    def columns(self, request: SpeechRequest) -> NDArray[np.int64]:
        """What the model says to a request, shape (codebooks, steps): codes delayed, between begin and end of stream.

        The serve engine always decodes what it has generated; here it is given a codec that does not.
        """
        return self._response(request, decode=False).generated_audio_tokens.astype(np.int64)

    def generate(self, request: SpeechRequest) -> Generated:
        """Codes of a request."""
        return finish(self.columns(request), self._eos, self._steps(request))

    def stream(
        self, request: SpeechRequest, *, piece_frames: int = 25, timeout: float = STREAM_TIMEOUT
    ) -> Iterator[Audio]:
        """Render one request piece by piece; see `HiggsNativeEngine.stream`."""
        columns = Columns(timeout)
        thread = columns.run(lambda: asyncio.run(self._pump(request, columns)))
        try:
            yield from pieces(columns, self.codec, self._eos, self.settings.frames(request.text), piece_frames)
        finally:
            columns.stopped.set()
            join(thread, timeout)

    async def _pump(self, request: SpeechRequest, columns: Columns) -> None:
        """Columns out of the serve engine's asynchronous stream; its thread's error is raised here."""
        failed: list[Exception] = []
        arguments = self.arguments(request)
        with turn(self._loaded[2], BUSY_SECONDS), self._guarded(columns, failed):
            async for delta in self.engine.generate_delta_stream(**arguments):
                if delta.audio_tokens is not None:
                    columns.put(delta.audio_tokens)
        if failed:
            raise failed[0]

    @contextmanager
    def _guarded(self, columns: Columns, failed: list[Exception]) -> Iterator[None]:
        """While it lasts, the thread that the serve engine starts ends its stream when it fails, or when nobody listens."""
        from boson_multimodal.serve.serve_engine import AsyncStoppingCriteria

        model, original = self.engine.model, self.engine.model.generate

        def generate(*arguments: Any, streamer: Any, **more: Any) -> None:
            leave = [AsyncStoppingCriteria(columns.stopped)]
            try:
                original(*arguments, streamer=streamer, stopping_criteria=leave, **more)
            except Exception as error:
                failed.append(error)
                streamer.end()

        model.generate = generate
        try:
            yield
        finally:
            del model.generate

    @property
    def engine(self) -> Any:
        """The `HiggsAudioServeEngine`."""
        return self._loaded[0]

    @property
    def codec(self) -> Codec:
        """Its codec."""
        return self._loaded[1]

    @cached_property
    def _loaded(self) -> tuple[Any, Codec, threading.Lock]:
        tiny = self.settings.checkpoint == TINY
        model, codec = tiny_folders(BOSON, self.settings.seed) if tiny else self.settings.folders()
        return load(model, codec, *self.settings.on())

    @property
    def _eos(self) -> int:
        return self.engine.model.config.audio_stream_eos_id

    def _steps(self, request: SpeechRequest) -> int:
        """Columns at most: begin, end and the delay come on top of the frames."""
        return self.settings.frames(request.text) + self.engine.audio_num_codebooks + 1

    def _response(self, request: SpeechRequest, *, decode: bool = True) -> Any:
        arguments = self.arguments(request)
        try:
            with turn(self._loaded[2], BUSY_SECONDS), nullcontext() if decode else _without_codec(self.engine):
                return self.engine.generate(**arguments)
        except HarnessError:
            raise
        except Exception as error:  # the engine checks nothing, so what comes out may be anything
            raise in_words("boson_multimodal", error) from error

    def arguments(self, request: SpeechRequest) -> dict[str, Any]:
        """What the engine's ``generate`` and ``generate_delta_stream`` are given, checked beforehand."""
        from boson_multimodal.data_types import ChatMLSample

        check_request(request, self)
        settings = self.settings
        text = settings.rendered(request)
        steps = self._steps(request)
        prompt_length = len(self.engine.tokenizer.encode(prompt(text, settings.system))) + self._reference_length
        if prompt_length + steps > CACHE_LENGTHS[-1]:
            seconds = (CACHE_LENGTHS[-1] - prompt_length) // FRAMES_PER_SECOND - 1
            raise HarnessError(
                f"the prompt has {prompt_length} positions and {steps} may follow; the cache holds {CACHE_LENGTHS[-1]}",
                remedy="give a shorter text" + (f", or max_seconds: {seconds}" if seconds > 0 else ""),
            )
        chance = settings.temperature > 0
        return {
            "chat_ml_sample": ChatMLSample(messages=self.messages(text)),
            "max_new_tokens": steps,
            "temperature": settings.temperature,
            "top_k": settings.top_k,
            "top_p": settings.top_p,
            "stop_strings": STOP,
            "force_audio_gen": True,
            # its remedy against repetition draws at random, also where nothing else does
            "ras_win_len": RAS_WINDOW if chance else None,
            "ras_win_max_num_repeat": RAS_REPEATS,
            "seed": request.seed,
        }

    def messages(self, text: str) -> list[Any]:
        """The conversation. The recording to be cloned is an earlier answer of the model's own."""
        from boson_multimodal.data_types import AudioContent, Message

        messages = [Message(role="system", content=self.settings.system)]
        if self.settings.reference_audio is not None:
            messages += [
                Message(role="user", content=self.settings.reference_text),
                Message(role="assistant", content=AudioContent(audio_url=str(self.settings.reference_audio))),
            ]
        return [*messages, Message(role="user", content=text)]

    @cached_property
    def _reference_length(self) -> int:
        """Positions that the reference takes, at most; reading it here finds a bad file before the engine does."""
        if self.settings.reference_audio is None:
            return 0
        seconds = read_audio(self.settings.reference_audio).seconds
        words = len(self.engine.tokenizer.encode(self.settings.reference_text))
        return int(seconds * FRAMES_PER_SECOND) + words + _TURN


@contextmanager
def _without_codec(engine: Any) -> Iterator[None]:
    """While it lasts, the serve engine decodes everything to one sample; who decodes a stream meanwhile keeps the codec."""
    codec = engine.audio_tokenizer
    engine.audio_tokenizer = SimpleNamespace(
        encode=codec.encode, decode=lambda codes: np.zeros((1, 1, 1), np.float32), sampling_rate=codec.sampling_rate
    )
    try:
        yield
    finally:
        engine.audio_tokenizer = codec
