"""What the two Higgs engines do, in numbers. Each function runs in the process of one stack, and returns what JSON can hold.

>>> call("boson", "harness.chapters.ch08_higgs_engine.measure:codes", texts=["Go."])  # doctest: +SKIP
"""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.audio import write_wav
from harness.engines.base import SpeechRequest, make_engine
from harness.engines.higgs.stream import clean
from harness.higgs.convert import convert
from harness.higgs.stacks import BOSON, here
from harness.tagged import TaggedText


def engine_of(**options: Any) -> Any:
    """The Higgs engine of this process' stack."""
    if here() == BOSON:
        from harness.engines.higgs.boson import BosonInProcess

        return BosonInProcess(**options)
    from harness.engines.higgs.native import HiggsNativeEngine

    return HiggsNativeEngine(**options)


def codes(texts: Sequence[str], *, batch: int = 1, **options: Any) -> list[dict[str, Any]]:
    """The codes that an engine makes of tagged texts.

    Parameters
    ----------
    texts : sequence of str
    batch : int
        Texts at a time; the serve engine can take one only.
    **options
        Of the engine.

    Returns
    -------
    list of dict
        For each text ``codes`` (codebooks, frames) and ``stopped``.
    """
    engine = engine_of(**options)
    found = [one for group in _grouped(texts, batch) for one in _generate(engine, _requests(group))]
    return [{"codes": one.codes.tolist(), "stopped": one.stopped} for one in found]


def speed(texts: Sequence[str], *, batches: Sequence[int] = (1,), repeats: int = 3, **options: Any) -> dict[str, Any]:
    """How fast codes are made and decoded.

    Parameters
    ----------
    texts : sequence of str
    batches : sequence of int
        Sizes of batches to try. The serve engine takes one text at a time, whatever the size.
    repeats : int
        The first call, which loads the model, comes on top and is not counted.
    **options
        Of the engine.

    Returns
    -------
    dict
        ``batches``: for each size its ``frames`` and ``seconds``, one of each a repeat; ``decoding``: seconds of audio and
        seconds spent on decoding it; ``peak_mb`` of the process.
    """
    engine = engine_of(**options)
    requests = _requests(texts)
    made = _generate(engine, requests[:1])
    found: dict[str, Any] = {"batches": {}}
    for batch in batches:
        frames, seconds = [], []
        for _ in range(repeats):
            begun = time.perf_counter()
            made = [one for group in _grouped(requests, batch) for one in _generate(engine, group)]
            seconds.append(time.perf_counter() - begun)
            frames.append(sum(one.codes.shape[1] for one in made))
        found["batches"][str(batch)] = {"frames": frames, "seconds": seconds}
    codec = engine.codec
    longest = clean(max(made, key=lambda one: one.codes.shape[1]).codes, codec.codebook_size)
    codec.decode(longest)
    begun = time.perf_counter()
    samples = codec.decode(longest)
    found["decoding"] = {"audio": len(samples) / 24000, "seconds": time.perf_counter() - begun}
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def streaming(text: str, *, piece_frames: int = 12, **options: Any) -> dict[str, Any]:
    """When a stream's pieces come, and whether they are the whole.

    Returns
    -------
    dict
        ``pieces``: for each the seconds since the request and the seconds of audio so far; ``whole``: the same of a request
        that is not streamed; ``difference``: the largest between samples of both, which should be nearly none if the engine
        does not draw at random.
    """
    engine = engine_of(**options)
    request = _requests([text])[0]
    engine.speak(request)
    begun = time.perf_counter()
    whole = engine.speak(request).audio
    took = time.perf_counter() - begun
    heard: list[np.ndarray] = []
    pieces = []
    begun = time.perf_counter()
    for piece in engine.stream(request, piece_frames=piece_frames):
        heard.append(piece.samples)
        pieces.append([time.perf_counter() - begun, sum(map(len, heard)) / piece.sample_rate])
    joined = np.concatenate(heard)
    same = len(joined) == len(whole.samples)
    return {
        "pieces": pieces,
        "whole": [took, whole.seconds],
        "difference": float(np.abs(joined - whole.samples).max()) if same else None,
    }


def equal_share(one: Any, other: Any) -> float:
    """Share of equal codes in two arrays of shape (codebooks, frames); frames that only one has count as unequal."""
    a, b = np.asarray(one), np.asarray(other)
    shared = min(a.shape[1], b.shape[1])
    return float((a[:, :shared] == b[:, :shared]).sum() / max(a.size, b.size))


def agreement(boson: Mapping[str, Any], native: Mapping[str, Any]) -> dict[str, Any]:
    """How far two engines said the same codes, both without chance; arguments are items of `codes`.

    Returns
    -------
    dict
        ``frames``: of each; ``stopped``: whether both ended by themselves; ``compared``: frames that were, those without the
        columns in which the end may have begun; ``equal``: share of equal codes in them.
    """
    a, b = np.asarray(boson["codes"]), np.asarray(native["codes"])
    stopped = boson["stopped"] or native["stopped"]
    compared = max(0, min(a.shape[1], b.shape[1]) - (a.shape[0] if stopped else 0))
    equal = float((a[:, :compared] == b[:, :compared]).mean()) if compared else 0.0
    return {"frames": [a.shape[1], b.shape[1]], "stopped": stopped, "compared": compared, "equal": equal}


def record(text: str, engine: str, path: str) -> None:
    """Let an engine speak a text into a WAV file: for a process whose own environment lacks it."""
    write_wav(Path(path), make_engine(engine).speak(SpeechRequest(TaggedText.parse(text))).audio)


def converted(source: str, target: str) -> None:
    """`harness.higgs.convert.convert`, unless the folder is there already."""
    if not Path(target).is_dir():
        convert(Path(source), Path(target))


def _requests(texts: Sequence[str]) -> list[SpeechRequest]:
    return [SpeechRequest(TaggedText.parse(text)) for text in texts]


def _grouped(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _generate(engine: Any, requests: Sequence[SpeechRequest]) -> list[Any]:
    if here() == BOSON:
        return [engine.generate(request) for request in requests]
    return engine.generate(requests)
