"""Tables and sentences of chapter 05 about the leak of overlapping windows and the note's recordings, from what the page measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.benchmark import suite
from harness.benchmark.rows import select
from harness.chapters.ch05_data.leakage import SHARED
from harness.publish.html import Html
from harness.publish.tables import f1_of, interval, table, verdict_on_difference

NOT_HERE = "not run here"
_NOT_MEASURED = "The note's windows are not on this machine, so this page did not look for a leak in them."


def leak_table(rows: Sequence[Mapping[str, Any]], caption: str) -> Html:
    """Return random and grouped folds for each tagger, and their difference, from rows of `leakage.leak`."""
    return table(
        [
            {
                "tagger": row["tagger"],
                **({"overlap": f"{row['shared']:.0%}"} if "shared" in row else {}),
                "windows": row["examples"],
                "random folds": interval(*row["random"]),
                "grouped folds": interval(*row["grouped"]),
                "the leak": _leak(*row["difference"]),
            }
            for row in rows
        ],
        caption,
    )


def _leak(value: float, low: float, high: float) -> str:
    return verdict_on_difference(value, low, high, better="higher", worse="lower")


def leak_found(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what the overlap of windows did to the scores of random and grouped folds."""
    least, most = min(row["shared"] for row in rows), max(row["shared"] for row in rows)
    grouped = {(row["tagger"], row["shared"]): row["grouped"][0] for row in rows}
    apart = [
        row["tagger"]
        for row in rows
        if row["shared"] == least and not row["difference"][1] <= 0 <= row["difference"][2]
    ]
    higher = [row["tagger"] for row in rows if row["shared"] == most and row["difference"][1] > 0]
    drift, drifted = max((abs(grouped[name, most] - grouped[name, least]), name) for name, _ in grouped)
    return (
        f"At {least:.0%} overlap, random and grouped folds differ for: {', '.join(apart) or 'no tagger'}. At {most:.0%} overlap, random "
        f"folds score higher for: {', '.join(higher) or 'no tagger'}. With grouped folds, the score of any tagger moved by at most "
        f"{drift:.2f} ({drifted}), however many windows were cut from the same text. So the taggers did not learn more: random folds put "
        "parts of the test windows into the training set."
    )


def state_of_groups(own: Sequence[Mapping[str, Any]]) -> str:
    """Return whether groups by `SHARED` words leak: "leaks", "clean" or "not measured"; `own` are rows of `leakage.leak`."""
    memory = {row["tagger"]: row["grouped"] for row in own}.get("memory")
    if memory is None:
        return "not measured"
    return "leaks" if (memory[1] or 0.0) > 0 else "clean"


def groups_found(own: Sequence[Mapping[str, Any]]) -> str:
    """Return what a tagger that only remembers says about groups by `SHARED` words."""
    state = state_of_groups(own)
    if state == "not measured":
        return _NOT_MEASURED
    memory = {row["tagger"]: row["grouped"] for row in own}["memory"]
    look = f"Look at `memory` with grouped folds: {interval(*memory)}. It should have nothing to remember there."
    if state == "clean":
        return f"{look} Groups by {SHARED} shared words keep these windows apart, as far as this page can tell."
    return (
        f"{look} Two windows are in one group if they share {SHARED} words in a row. Windows that share fewer are not, and that is enough "
        "for a leak. A tagger that cannot generalise is a good detector of leaks."
    )


def strict_table(strict: Mapping[int, Mapping[str, Any]]) -> Html:
    """Return F1 by the number of words in a row that put two windows into one group."""
    return table(
        [
            {"words in a row that bind": n, "groups": row["groups"]}
            | {name: interval(*row[name]) for name in ("memory", "logistic")}
            for n, row in strict.items()
        ],
        "The note's windows, grouped folds: F1 by strictness of the grouping",
    )


def gpt2_found(own: Sequence[Mapping[str, Any]]) -> str:
    """Return what the benchmark measured for GPT-2 on the note's windows, with random and with grouped folds."""
    rows = select(suite.load(), "crossval", data="seed-examples", tagger="gpt2")
    stored = {row["parameters"]["grouped"]: f1_of(row["figures"]["micro"]) for row in rows}
    after = {
        "not measured": "",
        "clean": "The table above shows no leak in such groups.",
        "leaks": "The table above shows that such groups still leak, so even the second figure is too high rather than too low.",
    }
    return (
        "For GPT-2, `harness benchmark suite` measured the difference (chapter 07). With random folds, F1 is "
        f"{stored.get(False, NOT_HERE)}; with folds grouped by {SHARED} words, it is {stored.get(True, NOT_HERE)}. "
        f"{after[state_of_groups(own)]}"
    )


def theirs_found(shared: Mapping[str, Any] | None, strict: Mapping[int, Mapping[str, Any]], missing: str) -> str:
    """Return what was found in the note's own windows, or `missing` if they are not here."""
    if not shared:
        return missing
    closed = [str(n) for n, row in strict.items() if row["memory"][1] <= 0]
    return (
        f"Of the note's own {shared['examples']} windows, {shared['sharing']:.0%} share six words in a row with another. Grouped by "
        f"{SHARED} words, they still give a tagger that only remembers {interval(*strict[SHARED]['memory'])}. Groups by this many words in "
        f"a row leave it nothing: {', '.join(closed) or 'none that was tried'}."
    )


def recordings_found(matches: Mapping[str, Sequence[int]], clips: int) -> str:
    """Return which place of the transcript the recogniser heard; `matches`: place -> content words in common with each clip."""
    if not clips:
        return "The note's recordings are not on this machine."
    own, half, control = (sum(matches[name]) for name in ("own text", "half the time", "control"))
    found = (
        f"Of the content words that a recogniser hears in {clips} of the note's clips, {own} are in the clip's own text, {half} in the "
        f"text at half the time, and {control} in a control place."
    )
    if half > max(own, control):
        found += (
            " The clips were cut at the wrong times, so a model trained on these pairs would have learned mismatches."
        )
    return found
