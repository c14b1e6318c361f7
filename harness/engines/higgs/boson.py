"""Higgs Audio v2 as boson_multimodal's `HiggsAudioServeEngine` runs it.

The class itself is unchanged. The code around it checks files when they are loaded (the class ignores missing weights), refuses
requests that would fail inside it with a readable error, and keeps its stream from hanging.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest.mock import patch  # it restores what it replaces

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio, read_audio
from harness.engines.apart import EngineApart
from harness.engines.base import Speech, SpeechRequest, check_request
from harness.engines.higgs.base import BUSY_SECONDS, GPU, STREAM_TIMEOUT, WEIGHTS, HiggsEngine, readable_error
from harness.engines.higgs.loading import CACHE_LENGTHS, load
from harness.engines.higgs.settings import SMALL, TINY
from harness.engines.higgs.stream import Columns, pieces, turn
from harness.engines.higgs.tiny import small_folders, tiny_folders
from harness.errors import HarnessError, NotAvailable
from harness.higgs.codec import RATE, Codec
from harness.higgs.generate import Generated, finish
from harness.higgs.samples import prompt
from harness.processes.stacks import BOSON, here, python_of
from harness.registry import Requirements

# With <|audio_eos|>, as in the client of the 2025 hackathon: without it a second stretch of speech may follow, and the engine
# fails if that is too short to decode.
STOP = ["<|end_of_text|>", "<|eot_id|>", "<|audio_eos|>"]
RAS_WINDOW, RAS_REPEATS = 7, 2  # repetition-aware sampling, the engine's own defaults
_TURN = 40  # upper bound of the positions that the headers of two turns and the delay take


def _lacks() -> list[str]:
    try:
        python_of(BOSON)
    except NotAvailable:
        return ["the environment .venv-boson: make env"]
    return []


class HiggsBosonEngine(HiggsEngine):
    """Higgs Audio v2 in the serve engine of boson_multimodal, in a child process of the environment .venv-boson.

    It takes the options of `HiggsSettings`, and:

    Parameters
    ----------
    timeout : float
        Seconds that one request may take.

    Without a checkpoint it speaks with the project's small model, which knows a few dozen words; its weights are converted once.
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
            If the text has no words or is too long for the cache, the voice is another one, the speech ends before it
            begins, or the process ends or takes too long.
        """
        check_request(request, self)
        return self._apart.speak(request)

    def close(self) -> None:
        """End the process."""
        self._apart.close()


class BosonInProcess(HiggsEngine):
    """`HiggsBosonEngine` in this process, for code that runs in .venv-boson. It can also stream.

    It takes the options of `HiggsSettings`.

    Raises
    ------
    NotAvailable
        If boson_multimodal is not installed in this environment.
    """

    name = "higgs_boson"
    requirements: ClassVar[Requirements] = Requirements(packages=("boson_multimodal", "torch"))

    def __init__(self, **options: Any) -> None:
        if here() != BOSON:
            raise NotAvailable("boson_multimodal is not installed here", remedy="use .venv-boson, or HiggsBosonEngine")
        super().__init__("boson_multimodal", options)

    def speak(self, request: SpeechRequest) -> Speech:
        """Render one request, with the errors of `HiggsBosonEngine.speak`."""
        return Speech(Audio(self._response(request).audio.astype(np.float32), RATE))

    def columns(self, request: SpeechRequest) -> NDArray[np.int64]:
        """Return the columns that the model generates: delayed codes between begin and end of stream.

        The serve engine always decodes what it has generated; here it gets a codec that does not.

        Returns
        -------
        array of int, shape (codebooks, steps)
        """
        return self._response(request, decode=False).generated_audio_tokens.astype(np.int64)

    def generate(self, request: SpeechRequest) -> Generated:
        """Return the codes of a request."""
        return finish(self.columns(request), self._eos, self._steps(request))

    def stream(
        self, request: SpeechRequest, *, piece_frames: int = 25, timeout: float = STREAM_TIMEOUT
    ) -> Iterator[Audio]:
        """Render one request piece by piece; see `HiggsNativeEngine.stream`."""
        columns = Columns(timeout)
        limit = self.settings.frames(request.text, self.codec)
        yield from pieces(
            columns, lambda: asyncio.run(self._pump(request, columns)), self.codec, self._eos, limit, piece_frames
        )

    async def _pump(self, request: SpeechRequest, columns: Columns) -> None:
        """Pass on the columns of the serve engine's asynchronous stream, and raise the error of its thread."""
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
        """Let the thread that the serve engine starts end its stream when it fails, or when the consumer has left."""
        from boson_multimodal.serve.serve_engine import AsyncStoppingCriteria

        original = self.engine.model.generate

        def generate(*arguments: Any, streamer: Any, **more: Any) -> None:
            leave = [AsyncStoppingCriteria(columns.stopped)]
            try:
                original(*arguments, streamer=streamer, stopping_criteria=leave, **more)
            except Exception as error:
                failed.append(error)
                streamer.end()

        with patch.object(self.engine.model, "generate", generate):
            yield

    @property
    def engine(self) -> Any:
        """The `HiggsAudioServeEngine`, loaded at first use."""
        return self._loaded[0]

    @property
    def codec(self) -> Codec:
        """The codec of the engine."""
        return self._loaded[1]

    @cached_property
    def _loaded(self) -> tuple[Any, Codec, threading.Lock]:
        settings = self.settings
        if settings.checkpoint == TINY:
            model, codec = tiny_folders(BOSON, settings.seed)
        else:
            model, codec = small_folders(BOSON) if settings.checkpoint == SMALL else settings.folders()
        return load(model, codec, *settings.on())

    @property
    def _eos(self) -> int:
        return self.engine.model.config.audio_stream_eos_id

    def _steps(self, request: SpeechRequest) -> int:
        """Return the largest number of columns: the frames, and begin, end and the delay."""
        return self.settings.frames(request.text, self.codec) + self.engine.audio_num_codebooks + 1

    def _response(self, request: SpeechRequest, *, decode: bool = True) -> Any:
        arguments = self.arguments(request)
        try:
            with turn(self._loaded[2], BUSY_SECONDS), nullcontext() if decode else _without_codec(self.engine):
                return self.engine.generate(**arguments)
        except HarnessError:
            raise
        except Exception as error:  # the engine checks nothing, so it may raise anything
            raise readable_error("boson_multimodal", error) from error

    def arguments(self, request: SpeechRequest) -> dict[str, Any]:
        """Check a request, and return its arguments for the engine's ``generate`` and ``generate_delta_stream``."""
        from boson_multimodal.data_types import ChatMLSample

        check_request(request, self)
        settings = self.settings
        text = settings.rendered(request)
        steps = self._steps(request)
        prompt_length = len(self.engine.tokenizer.encode(prompt(text, settings.system))) + self._reference_length
        if prompt_length + steps > CACHE_LENGTHS[-1]:
            seconds = (CACHE_LENGTHS[-1] - prompt_length) * self.codec.frame_samples // RATE - 1
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
            # repetition-aware sampling draws at random even at temperature 0
            "ras_win_len": RAS_WINDOW if chance else None,
            "ras_win_max_num_repeat": RAS_REPEATS,
            "seed": request.seed,
        }

    def messages(self, text: str) -> list[Any]:
        """Return the conversation. The recording to clone appears in it as an earlier answer of the model."""
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
        """Upper bound of the positions that the reference takes; a bad file is found here, before the engine reads it."""
        if self.settings.reference_audio is None:
            return 0
        seconds = read_audio(self.settings.reference_audio).seconds
        words = len(self.engine.tokenizer.encode(self.settings.reference_text))
        return int(seconds * RATE / self.codec.frame_samples) + words + _TURN


@contextmanager
def _without_codec(engine: Any) -> Iterator[None]:
    """Let the serve engine decode everything to one sample; a stream that uses the codec itself is not affected."""
    codec = engine.audio_tokenizer
    silent = SimpleNamespace(
        encode=codec.encode, decode=lambda codes: np.zeros((1, 1, 1), np.float32), sampling_rate=codec.sampling_rate
    )
    with patch.object(engine, "audio_tokenizer", silent):
        yield
