"""Sentences of chapter 05 that say no more than its figures allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.chapters.ch05_data.leakage import SHARED
from harness.publish.tables import f1_of, interval


def memory_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the tagger that only remembers says about the groups of the note's windows.

    Parameters
    ----------
    rows : sequence of dict
        From `harness.chapters.ch05_data.leakage.leak`; empty where the windows were not measured.
    """
    found = next((row["grouped"] for row in rows if row["tagger"] == "memory"), None)
    if found is None:
        return "The note's windows were not measured here, so the question below has no answer on this page."
    if found[1] <= 0:
        return (
            f"With grouped folds `memory` has nothing to remember: {interval(*found)}. Groups by {SHARED} words keep these "
            "windows apart."
        )
    return (
        f"Look at `memory` with grouped folds: {interval(*found)}. It should have nothing to remember. Windows were put into one group "
        f"if they share {SHARED} words in a row. Those that share fewer were not, and that is enough. A tagger that cannot generalise is "
        "a good detector of leaks."
    )


def closing_words(strict: Mapping[int, Mapping[str, Any]]) -> str:
    """From what grouping on the memory finds nothing that the data can tell from nothing.

    Parameters
    ----------
    strict : mapping
        Words in a row that bind -> [value, low, high] of ``memory`` with grouped folds.
    """
    left = {n: strict[n]["memory"] for n in sorted(strict, reverse=True)}
    widest = next(iter(left))
    closed = next((n for n, found in left.items() if found[1] <= 0), None)
    if closed == widest:
        return f"Grouping by {widest} words leaves nothing to one who only remembers: {interval(*left[widest])}."
    still = f"Grouping by {widest} words does not close the leak: one who only remembers still has {interval(*left[widest])}."
    if closed is None:
        return f"{still} Nor does any other grouping that was tried."
    return f"{still} Grouping by {closed} does: {interval(*left[closed])}."


def gpt2_words(rows: Sequence[Mapping[str, Any]], strict: Mapping[int, Mapping[str, Any]]) -> str:
    """What the leak was worth for GPT-2 on the note's windows, from the benchmark's result file.

    Parameters
    ----------
    rows : sequence of dict
        Cross-validations of that tagger on the windows, by random and by grouped folds.
    strict : mapping
        As for `closing_words`; empty where the windows were not measured on this page.
    """
    scores = {row["parameters"]["grouped"]: f1_of(row["figures"]["micro"]) for row in rows if "figures" in row}
    if len(scores) < 2:
        return "GPT-2 on these windows: not run here (`harness benchmark suite`)."
    text = (
        f"For GPT-2 the difference was measured by `harness benchmark suite` (chapter 07): {scores[False]} with random folds, "
        f"{scores[True]} with folds grouped by {SHARED} words."
    )
    if strict and strict[SHARED]["memory"][1] > 0:
        text += " By the table above even the second is rather too high than too low."
    return text


def leak_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """What overlap did to the scores.

    Parameters
    ----------
    rows : sequence of dict
        From `harness.chapters.ch05_data.leakage.leak`, with ``shared``; the least overlap is the placebo.
    """
    least, most = (edge(row["shared"] for row in rows) for edge in (min, max))
    apart = [row["tagger"] for row in rows if row["shared"] == least and not _around_zero(row["difference"])]
    higher = [row["tagger"] for row in rows if row["shared"] == most and row["difference"][1] > 0]
    agree = f"differ for {', '.join(apart)}" if apart else "give no difference that the data can show"
    first = f"At {least:.0%} overlap the two kinds of folds {agree}."
    second = f"At {most:.0%} random folds are higher for {', '.join(higher) or 'no tagger'}."
    drift = max(
        (abs(_grouped(rows, name, most) - _grouped(rows, name, least)), name) for name in {r["tagger"] for r in rows}
    )
    third = (
        f"Grouped folds moved by at most {drift[0]:.2f} ({drift[1]}), however many windows were cut from the same text."
    )
    return f"{first} {second} {third} Nothing was learned in between: the exam questions had been handed out."


def _around_zero(difference: Sequence[float]) -> bool:
    return difference[1] <= 0 <= difference[2]


def _grouped(rows: Sequence[Mapping[str, Any]], tagger: str, shared: float) -> float:
    return next(row["grouped"][0] for row in rows if row["tagger"] == tagger and row["shared"] == shared)
