"""What every tagger is: text in, tagged text out, the words unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol, TypeVar

from harness.errors import HarnessError
from harness.tagged import TaggedText


class Tagger(Protocol):
    """Places tags. Implementations are registered by name with `register_tagger`."""

    name: str

    def tag(self, texts: Sequence[TaggedText]) -> list[TaggedText]:
        """Tag each text anew; tags already there are ignored.

        Parameters
        ----------
        texts : sequence of TaggedText
            Only their words are read.

        Returns
        -------
        list of TaggedText
            One for each input, in order.
        """
        ...


T = TypeVar("T")
ENTRY_POINTS = "harness.taggers"
# Built in, loaded when asked for: name -> "module:class".
_LAZY = {
    "none": "harness.taggers.simple:NoTags",
    "random": "harness.taggers.simple:RandomTagger",
    "rules": "harness.taggers.rules:RulesTagger",
    "majority": "harness.taggers.majority:MajorityTagger",
    "gpt2": "harness.taggers.gpt2.tagger:Gpt2Tagger",
}
_REGISTERED: dict[str, Callable[..., Tagger]] = {}


def register_tagger(name: str) -> Callable[[T], T]:
    """Class decorator: make a tagger available as `name` to the commands and notebooks."""

    def register(factory: T) -> T:
        _REGISTERED[name] = factory  # type: ignore[assignment]
        return factory

    return register


def tagger_names() -> list[str]:
    """Names that `make_tagger` knows: built in, registered, and from installed packages."""
    return sorted({*_LAZY, *_REGISTERED, *(point.name for point in entry_points(group=ENTRY_POINTS))})


def make_tagger(name: str, **options: Any) -> Tagger:
    """Build the tagger called `name`.

    Parameters
    ----------
    name : str
        One of `tagger_names()`. Outside packages add theirs through the entry point group
        ``harness.taggers``.
    **options
        Passed to the tagger, for instance ``seed`` or ``base_model``.

    Raises
    ------
    HarnessError
        If the name is unknown or an option does not fit.
    """
    if name not in _REGISTERED and name in _LAZY:
        module, attribute = _LAZY[name].split(":")
        _REGISTERED[name] = getattr(import_module(module), attribute)
    if name not in _REGISTERED:
        for point in entry_points(group=ENTRY_POINTS, name=name):
            _REGISTERED[name] = point.load()
    if name not in _REGISTERED:
        raise HarnessError(f"no tagger is called {name!r}", remedy=f"choose one of: {', '.join(tagger_names())}")
    try:
        return _REGISTERED[name](**options)
    except TypeError as error:
        raise HarnessError(f"the tagger {name!r} does not take these options: {error}") from error
