"""What chapter 9 found, in sentences and figures that its measurements decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from harness.engines.openai_speech.client import Spent

Rows = Sequence[Mapping[str, Any]]
WAYS = ("streamed", "whole")


def first_bytes(timed: Rows) -> dict[str, dict[int, float]]:
    """Return the median time to the first byte in ms, by way of sending and number of words, shortest text first.

    Parameters
    ----------
    timed : sequence of mapping
        Rows from `harness.chapters.ch09_higgs_api.timing.first_sounds`.
    """
    ordered = sorted(timed, key=lambda row: row["words"])
    return {way: {row["words"]: median(row["first"]) * 1000 for row in ordered if row["way"] == way} for way in WAYS}


def first_sound(timed: Rows, own: bool) -> str:
    """Return how the time to the first byte grows with the text; `own` says whether our own server was asked."""
    times = first_bytes(timed)
    shortest, longest = min(times["whole"]), max(times["whole"])
    growth = {way: times[way][longest] / times[way][shortest] for way in WAYS}
    seconds = max(row["audio"] for row in timed)
    said = (
        f"For {longest} words ({seconds:.0f} s of speech), the first byte of the file came after {times['whole'][longest]:.0f} ms, "
        f"and the first byte of the stream after {times['streamed'][longest]:.0f} ms. From {shortest} words to {longest}, "
        f"the wait for the stream grew by a factor of {growth['streamed']:.1f}, and the wait for the file by {growth['whole']:.1f}."
    )
    if own:
        said += (
            " Our server speaks sentence by sentence, and sends each sentence as soon as it is spoken. "
            "The speed of the hosted model was not measured here."
        )
    return said


def lost_tags(losses: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the tags that have no control tag, from the rows of `harness.engines.higgs_v3.loss_table`."""
    return [row["tag"] for row in losses if row["reach"] == "lost"]


def findings(
    who: str,
    timed: Rows,
    trials: Rows,
    losses: Sequence[Mapping[str, str]],
    spent: tuple[Spent, Spent],
    reached: Mapping[str, Any],
) -> dict[str, str]:
    """Return the sentences of "What we found" by name.

    Parameters
    ----------
    who : str
        Model and server.
    timed, trials : sequence of mapping
        Rows from `timing.first_sounds` and `faults.try_faults`.
    losses : sequence of mapping
        Rows of `harness.engines.higgs_v3.loss_table`.
    spent : tuple of (Spent, Spent)
        What was spent before and after three repeats.
    reached : mapping
        The endpoints that were asked.
    """
    times, lost = first_bytes(timed), lost_tags(losses)
    longest = max(times["whole"])
    recovered = sum(row["heard"] for row in trials)
    before, after = spent
    asked = (
        "This page asked once whether each endpoint is there; that cannot show that it always is."
        if reached
        else "This page did not ask whether the service is there."
    )
    return {
        "tags": f"The control tags of today's model have no counterpart for {len(lost)} of the seven tags "
        f"({', '.join(f'`{tag}`' for tag in lost)}), and they set pitch for whole sentences only. "
        "The emphasis in the note's own example has no control tag.",
        "streaming": f"With streaming, the first sound of {longest} words came after {times['streamed'][longest]:.0f} ms "
        f"instead of {times['whole'][longest]:.0f} ms ({who}).",
        "faults": f"Of {len(trials)} faults, {recovered} ended in speech after a retry. "
        f"The other {len(trials) - recovered} ended in an error that says what to do.",
        "cache": f"Asking for the same clip again costs nothing. Three repeats sent {after.requests - before.requests} requests, "
        f"and {after.cache_hits - before.cache_hits} answers came from the cache. The times above were measured without the cache.",
        "there": asked,
    }


def numbers(who: str, timed: Rows, trials: Rows, losses: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return the figures that other pages quote; see `findings` for the parameters."""
    times = first_bytes(timed)
    longest = max(times["whole"])
    return {
        "speaker": who,
        "first_streamed": f"{times['streamed'][longest]:.0f}",
        "first_whole": f"{times['whole'][longest]:.0f}",
        "words": longest,
        "lost": len(lost_tags(losses)),
        "trials": len(trials),
        "recovered": sum(row["heard"] for row in trials),
    }
