"""Failures of `HiggsAudioServeEngine`, compared with `BosonInProcess` in the same situations. Runs in .venv-boson."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from harness.engines.base import SpeechRequest
from harness.engines.higgs.boson import BosonInProcess
from harness.engines.higgs.loading import CACHE_LENGTHS
from harness.engines.higgs.settings import TINY
from harness.engines.higgs.tiny import tiny_folders
from harness.errors import HarnessError
from harness.processes.stacks import BOSON
from harness.tagged import TaggedText

SENTENCE = "We <emph> guarantee 30% savings"
_MESSAGE = 160  # characters


def failures(patience: float = 3.0, seed: int = 0) -> list[dict[str, str]]:
    """Provoke each failure, with random weights.

    Parameters
    ----------
    patience : float
        Seconds after which a stream counts as hanging.
    seed : int
        Random seed of the weights.

    Returns
    -------
    list of dict
        ``situation``; ``serve engine``: result of its own ``generate``; ``here``: result of this project's engine.
    """
    from boson_multimodal.data_types import ChatMLSample

    ours = BosonInProcess(checkpoint=TINY, seed=seed)
    bare = ours.engine
    text = _long_text(bare.tokenizer)
    short, long = (SpeechRequest(TaggedText.parse(one)) for one in (SENTENCE, text))
    asked = ours.arguments(short)
    beyond = {**asked, "chat_ml_sample": ChatMLSample(messages=ours.messages(text))}
    rows: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "fewer than ten new tokens": (
            lambda: bare.generate(**{**asked, "max_new_tokens": 9}), lambda: BosonInProcess(max_seconds=0.01)
        ),
        "the model writes instead of speaking": (
            lambda: bare.generate(**{**asked, "max_new_tokens": 40, "force_audio_gen": False}), lambda: ours.speak(short)
        ),
        "a text beyond the cache": (lambda: bare.generate(**beyond), lambda: ours.speak(long)),
        "the same, as a stream": (lambda: _drained(bare, beyond, patience), lambda: list(ours.stream(long))),
        "a codec file without its weights": (lambda: _hollow(bare=True), lambda: _hollow(bare=False)),
    }  # fmt: skip
    # One of the engine's threads is meant to die.
    with mock.patch.object(threading, "excepthook", lambda _: None):
        return [
            {"situation": situation, "serve engine": _outcome(theirs), "here": _outcome(own)}
            for situation, (theirs, own) in rows.items()
        ]


def _outcome(action: Callable[[], Any]) -> str:
    try:
        result = action()
    except HarnessError as error:
        return str(error)[: 2 * _MESSAGE]
    except TimeoutError:
        return "hangs: nothing more comes, and no error"
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"[:_MESSAGE]
    return result if isinstance(result, str) else "speaks"


def _long_text(tokenizer: Any) -> str:
    """Return a text that is longer than the largest cache."""
    unit = "word "
    return unit * (CACHE_LENGTHS[-1] // len(tokenizer.encode(unit, add_special_tokens=False)) + 10)


def _drained(engine: Any, arguments: dict[str, Any], patience: float) -> str:
    """Read a stream of the serve engine to its end, waiting `patience` seconds for each piece."""

    async def read() -> str:
        stream = engine.generate_delta_stream(**arguments)
        while True:
            try:
                await asyncio.wait_for(anext(stream), patience)
            except StopAsyncIteration:
                return "ends"

    with ThreadPoolExecutor(1) as pool:  # a notebook already runs an event loop
        return pool.submit(lambda: asyncio.run(read())).result()


def _hollow(*, bare: bool) -> str:
    """Load a codec from a file without any weights."""
    import shutil

    import torch
    from boson_multimodal.audio_processing.higgs_audio_tokenizer import load_higgs_audio_tokenizer

    from harness.higgs.codec import load_codec, semantic_model

    with TemporaryDirectory() as kept:
        folder = Path(kept) / "codec"
        shutil.copytree(tiny_folders(BOSON, 0)[1], folder)
        torch.save({}, folder / "model.pth")
        if bare:
            with semantic_model(folder):
                load_higgs_audio_tokenizer(str(folder), device="cpu")
            return "loads without a warning: all of it is random"
        try:
            load_codec(folder)
        except HarnessError as error:
            raise HarnessError(error.message, remedy=error.remedy) from error  # the path is a temporary one
        return "loads"
