"""Time to the first and the last byte of an answer, streamed and whole, for texts of several lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.engines.base import SpeechRequest
from harness.engines.openai_speech.engine import OpenAISpeechEngine
from harness.tagged import TaggedText


def first_sounds(texts: Sequence[str], *, repeats: int = 5, **options: Any) -> list[dict[str, Any]]:
    """Ask for each text as a stream of pcm and as a whole wav file, in turn.

    Parameters
    ----------
    texts : sequence of str
        Tagged texts.
    repeats : int
        Number of timed rounds, after a first round that warms the connection up and is not counted.
    **options
        Options of `OpenAISpeechEngine`, except those that this function sets. Nothing is taken from the cache.

    Returns
    -------
    list of dict
        For each text and way: ``words``, ``way`` ("streamed" or "whole"), ``audio`` in seconds, and the lists ``first`` and ``last``
        with the seconds to the first and the last byte in each round.

    Raises
    ------
    HarnessError
        As `OpenAISpeechEngine.speak`.
    """
    ways = {
        "streamed": OpenAISpeechEngine(**{**options, "cache": None, "response_format": "pcm", "stream": True}),
        "whole": OpenAISpeechEngine(**{**options, "cache": None, "response_format": "wav", "stream": False}),
    }
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for turn in range(repeats + 1):
        for text in texts:
            tagged = TaggedText.parse(text)
            for way, engine in ways.items():
                with engine.watched() as seen:
                    audio = engine.speak(SpeechRequest(tagged, seed=turn)).audio
                row = rows.setdefault((text, way), {"words": len(tagged.words), "way": way, "audio": audio.seconds,
                                                    "first": [], "last": []})  # fmt: skip
                if turn:
                    row["first"].append(seen[-1].first)
                    row["last"].append(seen[-1].last)
    return list(rows.values())
