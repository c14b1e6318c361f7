"""What is found out before a run: whether servers answer, engines and taggers can be made, and tags would be dropped."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from harness.engines import make_engine
from harness.engines.base import ENGINES, SpeechEngine, check_engine, own_tags
from harness.engines.dialects import DIALECTS
from harness.errors import DataError
from harness.experiment.spec import GOLD, NEGATIVE, EngineSpec, Experiment
from harness.prosody.listeners import load_listener
from harness.tagged import TAGS, Tag
from harness.taggers.base import TAGGERS


def ask_servers(experiment: Experiment) -> None:
    """Send one request to each server, because a wrong address would cost every sentence its retries.

    Raises
    ------
    HarnessError
        If an engine has a method ``probe``, and it raises.
    """
    for spec in experiment.engines:
        if hasattr(ENGINES.find(spec.name), "probe"):
            make_engine(spec.name, **spec.options).probe()  # type: ignore[attr-defined]


def check_parts(experiment: Experiment, warn: Callable[[str], None] = lambda warning: None) -> None:
    """Raise at the start, not once per sentence, if a tagger, listener or engine cannot be created or has no such voice.

    Parameters
    ----------
    experiment : Experiment
    warn : callable
        Called with a line for each engine that would not be told some of the tags.
    """
    for tagger in experiment.taggers:
        if tagger.name != GOLD:
            TAGGERS.check(tagger.name, tagger.options)
    for name in experiment.listening:
        load_listener(name)
    asked = {tag for item in experiment.items() for _, tag in item.text.tags}
    for spec in experiment.engines:
        engine = make_engine(spec.name, **spec.options)
        check_engine(engine, spec.name)
        if spec.voice is not None and spec.voice not in (voices := engine.voices()):
            near = get_close_matches(spec.voice, voices, n=3) or voices[:3]
            raise DataError(
                f"the engine {spec.name!r} has no voice {spec.voice!r}", remedy=f"for instance: {', '.join(near)}"
            )
        if spec.role != NEGATIVE and (warning := dropped(spec, engine, asked)):
            warn(warning)


def dropped(spec: EngineSpec, engine: SpeechEngine, asked: set[Tag]) -> str:
    """Return a line about the tags in `asked` that an engine is not told, and the option that changes this; empty if it gets all."""
    told = DIALECTS[engine.dialect].expressible | own_tags(engine)
    lost = [tag.value for tag in TAGS if tag in asked - told]
    if not lost:
        return ""
    names = "all tags" if asked.isdisjoint(told) else ", ".join(lost)
    warning = f"{spec.title}: the dialect {engine.dialect!r} drops {names}, so they count as not expressible"
    if asked & told:
        return warning
    if "dialect" in ENGINES.option_types(spec.name):
        return f"{warning} (--option dialect=prompted sends them as they are written)"
    return f"{warning} (set `dialect` or `expressible` in the class)"
