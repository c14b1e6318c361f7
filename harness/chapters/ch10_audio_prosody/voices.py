"""The voices that speak on the page: one is told the tags, two are not, and the same two read them aloud."""

from __future__ import annotations

from typing import Any

from harness.experiment.spec import LEAK, NEGATIVE, POSITIVE

NEURAL = ("piper", "hibari")
# Sentences for the voices whose rates the page takes from the control run. Of tags read aloud it only plays a clip.
HIBARI = {"quick": 3, "standard": 72}
READING = {"quick": 1, "standard": 30}


def voices(engine: str, voice: str, neural: bool, sentences: str, limit: int) -> list[dict[str, Any]]:
    """Return the `engines` of an experiment: who speaks, and which behaviour is expected of it.

    Parameters
    ----------
    engine, voice : str
        The engine that is told the tags.
    neural : bool
        Whether Piper and hibari take part.
    sentences : {"quick", "standard"}
        The sentence set.
    limit : int
        Number of sentences.
    """
    told: dict[str, Any] = {"name": engine, "voice": voice, "role": POSITIVE}
    if not neural:
        return [told]
    untold: list[dict[str, Any]] = [
        {"name": "piper", "role": NEGATIVE},
        {"name": "hibari", "options": {"dialect": "ignore"}, "role": NEGATIVE, "limit": min(limit, HIBARI[sentences])},
    ]
    reading: list[dict[str, Any]] = [
        {"name": name, "label": f"{name} reads tags", "options": {"dialect": "prompted"}, "role": LEAK,
         "limit": min(limit, READING[sentences])} for name in NEURAL
    ]  # fmt: skip
    return [told, *untold, *reading]
