"""The answer in one figure, for the landing page: what the note claims, and what was measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from harness.benchmark.rows import select
from harness.publish.style import SMALL, Figure, dot, look, subplots
from harness.publish.tables import Rate, interval, rate_of

_BAND = "#F0E442"
_TAGGERS = (
    ("gpt2 by the note's recipe", "gpt2", "GPT-2, the note's recipe"),
    ("rules", "rules", "rules, written by hand"),
    ("hand_features", "hand_features", "the best tagger trained here"),
)  # name in the suite, look, words


class Measured(NamedTuple):
    """A measured rate: what it is of, and whose look it has in figures."""

    what: str
    drawn: str
    rate: Rate


class Answer(NamedTuple):
    """The range that the note claims for one stage, and what was measured."""

    stage: str
    low: float
    high: float
    rows: Sequence[Measured]


def answers(
    suite: Sequence[Mapping[str, Any]], end_to_end: Mapping[str, Any], obey: Mapping[str, Any], tagger: str, engine: str
) -> list[Answer]:
    """Return the three figures of the note with what was measured for each.

    Parameters
    ----------
    suite : sequence of mapping
        Rows of `harness.benchmark.suite.load`.
    end_to_end : mapping
        ``end_to_end.json`` of chapter 11.
    obey : mapping
        Fields of ``data/results/obey.json``.
    tagger, engine : str
        Tagger and engine of chapter 11.
    """
    scored = {row["parameters"]["tagger"]: row["figures"]["micro"] for row in select(suite, "set", examples="heldout")}
    joint = {name: found["readings"] for name, found in end_to_end["joint"].items()}
    heard = {title: found["end_to_end"]["gold"]["readings"]["hit rate"] for title, found in obey["engines"].items()}
    return [
        Answer("tags placed", 0.85, 0.85, [
            Measured(words, name, rate_of(scored[full], "f1")) for full, name, words in _TAGGERS
        ]),
        Answer("tags heard", 0.30, 0.50, [
            Measured(f"{engine}, a synthesiser", engine, Rate(*joint["gold"]["hit rate"])),
            *(Measured(f"{title}, made to obey", title, Rate(*rate)) for title, rate in heard.items()),
        ]),
        Answer("placed and heard", 0.60, 0.70, [
            Measured(f"{name}, spoken by {engine}", name, Rate(*joint[name]["joint recall"])) for name in dict.fromkeys([tagger, "rules"])
        ]),
    ]  # fmt: skip


def answer_dots(found: Sequence[Answer]) -> Figure:
    """Draw each claim as a band and what was measured for it as marks with intervals."""
    lines = sum(len(answer.rows) + 1 for answer in found)
    figure, axis = subplots(height=0.36 * lines + 0.9)
    y, ticks, said = lines - 1.0, [], []
    for answer in found:
        claimed = f"{answer.low:.0%}" if answer.low == answer.high else f"{answer.low:.0%} to {answer.high:.0%}"
        axis.text(0.0, y, f"{answer.stage}: {claimed} claimed", fontweight="bold", va="center")
        axis.fill_betweenx(
            [y - len(answer.rows) - 0.4, y - 0.5],
            answer.low - 0.006,
            answer.high + 0.006,
            color=_BAND,
            alpha=0.55,
            linewidth=0,
        )
        for place, one in enumerate(answer.rows, start=1):
            dot(axis, one.rate, y - place, look(one.drawn))
            ticks.append((y - place, one.what))
        listed = ", ".join(f"{one.what} {interval(*one.rate)}" for one in answer.rows)
        said.append(f"{answer.stage.capitalize()}, {claimed} claimed: {listed}")
        y -= len(answer.rows) + 1
    axis.set_yticks([place for place, _ in ticks], [words for _, words in ticks], fontsize=SMALL + 1)
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.6, lines - 0.4), xlabel="share of tags, 95 % interval; yellow: the claim")
    axis.grid(visible=False, axis="y")
    return Figure(
        figure,
        f"Claims and measurements. {'. '.join(said)}.",
        "Placed: micro-F1 on held-out sentences that a language model labelled. Heard: found by detectors, not by people. "
        "Higgs itself did not run here.",
    )
