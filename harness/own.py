"""The gate before taggers and engines that anybody may have written: what they raise or return wrongly becomes an error in words."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb

import numpy as np

from harness.audio import Audio
from harness.engines.base import Speech, SpeechEngine, SpeechRequest
from harness.engines.dialects import DIALECTS
from harness.errors import HarnessError
from harness.tagged import TaggedText
from harness.taggers import Tagger

ENGINE_HAS = ("name", "dialect", "deterministic", "revision", "default_voice", "voices", "speak")
MAX_PEAK = 1.5  # of full scale; beyond it the samples were never divided by 32768


def own_source(name: str) -> Path | None:
    """The file behind a name of the form ``package.module:Class``; None for other names, and where there is none."""
    module, colon, _ = name.partition(":")
    try:
        found = importlib.util.find_spec(module) if colon else None
    except Exception:  # finding a module runs its packages; `make` will say what is wrong with them
        return None
    return Path(found.origin) if found and found.origin and Path(found.origin).is_file() else None


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn whatever another's code raises into a `HarnessError` that names the line.

    Parameters
    ----------
    what : str
        Whose code it is, for instance ``the tagger 'mine:Tagger'``.
    """
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:  # another's code may raise anything
        frame = extract_tb(error.__traceback__)[-1]
        raise HarnessError(
            f"{what} failed: {type(error).__name__}: {error}", remedy=f"in {frame.filename}, line {frame.lineno}"
        ) from error


def tag_all(tagger: Tagger, texts: Sequence[TaggedText], name: str) -> list[TaggedText]:
    """Ask a tagger, and look at what it gives: a `TaggedText` for each text.

    Raises
    ------
    HarnessError
        If it fails, or gives something else, or more or fewer.
    """
    what = f"the tagger {name!r}"
    with explained(what):
        tagged = list(tagger.tag(texts))
    odd = [type(one).__name__ for one in tagged if not isinstance(one, TaggedText)]
    if odd:
        raise HarnessError(
            f"{what} gave a {odd[0]}", remedy="give a TaggedText for each text; TaggedText.parse reads one"
        )
    if len(tagged) != len(texts):
        raise HarnessError(
            f"{what} gave {len(tagged)} texts for {len(texts)}", remedy="give one for each, in their order"
        )
    return tagged


def check_engine(engine: object, name: str) -> None:
    """Look whether an engine has what `SpeechEngine` asks for, before anything is spoken.

    Raises
    ------
    HarnessError
        Naming what is missing, or the dialects there are.
    """
    if missing := [attribute for attribute in ENGINE_HAS if not hasattr(engine, attribute)]:
        raise HarnessError(
            f"the engine {name!r} lacks {', '.join(missing)}", remedy=f"an engine has: {', '.join(ENGINE_HAS)}"
        )
    dialect = getattr(engine, "dialect", None)
    if dialect not in DIALECTS:
        raise HarnessError(
            f"the engine {name!r} has the dialect {dialect!r}", remedy=f"choose one of: {', '.join(DIALECTS)}"
        )


def speak(engine: SpeechEngine, request: SpeechRequest, name: str) -> Speech:
    """Ask an engine, and look at what it gives.

    Raises
    ------
    HarnessError
        If it fails, or gives no speech, or audio that cannot be written; see `check_audio`.
    """
    with explained(f"the engine {name!r}"):
        speech = engine.speak(request)
    if not isinstance(speech, Speech):
        raise HarnessError(
            f"the engine {name!r} gave a {type(speech).__name__}",
            remedy="speak() gives Speech(Audio(samples, rate), words)",
        )
    check_audio(speech.audio, name)
    return speech


def check_audio(audio: object, name: str) -> Audio:
    """Look whether an engine gave audio that can be written and scored.

    Raises
    ------
    HarnessError
        If it is none, is empty, or holds what no sound card plays.
    """
    what = f"the engine {name!r}"
    if not isinstance(audio, Audio):
        raise HarnessError(
            f"{what} gave a {type(audio).__name__}, not an Audio",
            remedy="speak() gives Speech(Audio(samples, rate), words)",
        )
    samples = np.asarray(audio.samples)
    if samples.ndim != 1:
        raise HarnessError(f"{what} gave samples of shape {samples.shape}", remedy="give one channel: shape (samples,)")
    if not samples.size:
        raise HarnessError(f"{what} gave no samples")
    if not np.isfinite(samples).all():
        raise HarnessError(f"{what} gave NaN or infinite samples")
    peak = float(np.abs(samples).max())
    if peak > MAX_PEAK:
        raise HarnessError(
            f"{what} gave samples up to {peak:.0f}",
            remedy="samples are floats from -1 to 1; divide 16-bit ones by 32768",
        )
    return audio
