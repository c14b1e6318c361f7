"""The protocol of listeners, audio and word times in and scores out, and the check of what a listener returns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio
from harness.errors import HarnessError
from harness.records import WordTime
from harness.registry import Registry, Requirements, explained


class Listener(Protocol):
    """A model of people's judgements of speech. Implementations register with ``@register_listener("name")``.

    Attributes
    ----------
    name : str
        Name in results.
    unit : "word" or "clip"
        Whether `judge` returns a score for each word, or one for the clip.
    revision : str
        Changes when the scores change; results with another revision are measured again.
    requirements : Requirements
        What it needs in order to run.
    """

    name: str
    unit: Literal["word", "clip"]
    revision: str
    requirements: ClassVar[Requirements]

    def judge(self, audio: Audio, words: Sequence[WordTime]) -> NDArray[np.float64]:
        """Return the scores of a clip.

        Parameters
        ----------
        audio : Audio
        words : sequence of WordTime
            Words in order, not overlapping, in seconds. A listener of unit "clip" ignores them.

        Returns
        -------
        array, shape (len(words),) or (1,)
            One score for each word, or one for the clip; higher is more prominent, or better. NaN where a word cannot be judged,
            such as a token that is not spoken.

        Raises
        ------
        DataError
            If the clip cannot be judged.
        """
        ...


LISTENERS: Registry[Listener] = Registry(
    kind="listener",
    entry_points="harness.listeners",
    builtin={
        "distillmos": "harness.prosody.listeners.distillmos:DistillMosListener",
        "dummy": "harness.prosody.listeners.dummy:DummyListener",
        "emphases": "harness.prosody.listeners.emphases:EmphasesListener",
        "heard_words": "harness.prosody.listeners.heard_words:HeardWordsListener",
    },
)
register_listener = LISTENERS.register


def needs_torchaudio() -> list[str]:
    """Return that torchaudio is missing, if it is neither on the path nor in the folder beside it (`harness.higgs.codec`)."""
    from harness.higgs.codec import ASIDE

    return [] if find_spec("torchaudio") or (ASIDE / "torchaudio").is_dir() else ["package torchaudio"]


LISTENER_HAS = ("name", "unit", "revision", "judge")


def load_listener(name: str) -> Listener:
    """Return the listener called `name`, or the one that "package.module:Class" names.

    Raises
    ------
    HarnessError
        If there is none, or what it needs is missing, or it lacks an attribute of `Listener`.
    """
    factory = LISTENERS.find(name)
    if lacks := getattr(factory, "requirements", Requirements()).missing():
        raise HarnessError(f"the listener {name!r} lacks {', '.join(lacks)}", remedy="install it: make env")
    listener = LISTENERS.make(name)
    if missing := [attribute for attribute in LISTENER_HAS if not hasattr(listener, attribute)]:
        raise HarnessError(f"the listener {name!r} lacks {', '.join(missing)}",
                           remedy=f"a listener has: {', '.join(LISTENER_HAS)}")  # fmt: skip
    if listener.unit not in ("word", "clip"):
        raise HarnessError(f"the listener {name!r} has the unit {listener.unit!r}", remedy='use "word" or "clip"')
    return listener


@cache
def listeners_of(names: tuple[str, ...]) -> tuple[tuple[str, Listener], ...]:
    """Return listeners with the names they were asked for by; each is loaded once in each process."""
    return tuple((name, load_listener(name)) for name in names)


def judge(listener: Listener, audio: Audio, words: Sequence[WordTime]) -> NDArray[np.float64]:
    """Let a listener judge a clip, and check what it returns.

    Returns
    -------
    array, shape (len(words),) or (1,)
        As `Listener.judge`.

    Raises
    ------
    DataError
        If the clip cannot be judged.
    HarnessError
        If the listener raises anything else, or its scores have another shape or are infinite.
    """
    what = f"the listener {listener.name!r}"
    with explained(what):
        scores = np.asarray(listener.judge(audio, words), dtype=np.float64)
    wanted = (len(words) if listener.unit == "word" else 1,)
    if scores.shape != wanted:
        raise HarnessError(f"{what} returned scores of shape {scores.shape}, expected {wanted}",
                           remedy="return one score for each word, or one for the clip, as its unit says")  # fmt: skip
    if np.isinf(scores).any():
        raise HarnessError(f"{what} returned an infinite score", remedy="return NaN where a word cannot be judged")
    return scores
