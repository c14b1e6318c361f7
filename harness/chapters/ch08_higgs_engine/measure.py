"""Measurements of the two Higgs engines. Each function runs in a process of one stack, and returns JSON values.

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
from harness.engines.higgs.settings import TINY
from harness.engines.higgs.stream import clean
from harness.higgs.convert import convert
from harness.processes.stacks import BOSON, here
from harness.tagged import TaggedText


def engine_of(**options: Any) -> Any:
    """Return the Higgs engine of the stack of this process, by default with random weights, which both stacks have."""
    options = {"checkpoint": TINY, **options}
    if here() == BOSON:
        from harness.engines.higgs.boson import BosonInProcess

        return BosonInProcess(**options)
    from harness.engines.higgs.native import HiggsNativeEngine

    return HiggsNativeEngine(**options)


def codes(texts: Sequence[str], *, batch: int = 1, **options: Any) -> list[dict[str, Any]]:
    """Return the codes that an engine generates for tagged texts.

    Parameters
    ----------
    texts : sequence of str
    batch : int
        Texts per batch; the serve engine always takes one at a time.
    **options
        Options of the engine.

    Returns
    -------
    list of dict
        For each text ``codes`` (codebooks, frames) and ``stopped``.
    """
    engine = engine_of(**options)
    found = [one for group in _grouped(texts, batch) for one in _generate(engine, _requests(group))]
    return [{"codes": one.codes.tolist(), "stopped": one.stopped} for one in found]


def speed(texts: Sequence[str], *, batches: Sequence[int] = (1,), repeats: int = 3, **options: Any) -> dict[str, Any]:
    """Measure how fast codes are generated and decoded.

    Parameters
    ----------
    texts : sequence of str
    batches : sequence of int
        Batch sizes. The serve engine always takes one text at a time.
    repeats : int
        Number of measurements, after a first call that loads the model.
    **options
        Options of the engine.

    Returns
    -------
    dict
        ``batches``: ``frames`` and ``seconds`` of each repeat, by batch size; ``decoding``: seconds of audio, and seconds
        spent on decoding it; ``peak_mb`` of the process.
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
    """Measure when the pieces of a stream arrive, and whether together they equal the whole.

    Returns
    -------
    dict
        ``pieces``: seconds since the request and seconds of audio so far, for each piece; ``whole``: the same for a request
        without streaming; ``difference``: largest difference between their samples, close to 0 unless the engine samples.
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
    """Return the share of equal codes in two arrays of shape (codebooks, frames); missing frames count as unequal."""
    a, b = np.asarray(one), np.asarray(other)
    shared = min(a.shape[1], b.shape[1])
    return float((a[:, :shared] == b[:, :shared]).sum() / max(a.size, b.size))


def agreement(boson: Mapping[str, Any], native: Mapping[str, Any]) -> dict[str, Any]:
    """Compare the codes of two engines that do not sample; the arguments are items of `codes`.

    Returns
    -------
    dict
        ``frames`` of each; ``stopped``: whether either ended by itself; ``compared``: number of frames compared, without the
        columns in which the end may have begun; ``equal``: share of equal codes in them.
    """
    a, b = np.asarray(boson["codes"]), np.asarray(native["codes"])
    stopped = boson["stopped"] or native["stopped"]
    compared = max(0, min(a.shape[1], b.shape[1]) - (a.shape[0] if stopped else 0))
    equal = float((a[:, :compared] == b[:, :compared]).mean()) if compared else 0.0
    return {"frames": [a.shape[1], b.shape[1]], "stopped": stopped, "compared": compared, "equal": equal}


def agreement_rows(texts: Sequence[str], agreed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows for a table of the results of `agreement`."""
    return [
        {
            "text": text,
            "frames, boson": one["frames"][0],
            "frames, native": one["frames"][1],
            "ends by itself": "yes" if one["stopped"] else "no",
            "compared": one["compared"],
            "equal": f"{one['equal']:.1%}",
        }
        for text, one in zip(texts, agreed, strict=True)
    ]


def record(text: str, engine: str, path: str) -> None:
    """Let an engine speak a text into a WAV file, for a process whose environment lacks the engine."""
    write_wav(Path(path), make_engine(engine).speak(SpeechRequest(TaggedText.parse(text))).audio)


def converted(source: str, target: str) -> None:
    """Run `harness.higgs.convert.convert`, unless the folder exists already."""
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
