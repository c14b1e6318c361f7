"""Draw the figure of chapter 01: what each loader did with each checkpoint."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.publish.style import SMALL, Figure, subplots

if TYPE_CHECKING:
    from harness.higgs.probe import LoadOutcome, StackReport

# Status -> fill, edge, marker. Fill and marker differ too, so that nothing is said by colour alone.
_LOOKS = {"loads": ("#cfe8df", "#00664a", "o"), "fails": ("#f3f3f3", "#555555", "x")}
_HALF = ("#fbe0b8", "#8a4b00", "^")  # an object came back, but it is not what the checkpoint holds
_LINE = 18  # characters that fit into a cell


def loader_outcome_matrix(reports: Mapping[str, StackReport]) -> Figure:
    """Draw what each loader (row) did in each stack (column), with one panel per checkpoint.

    Parameters
    ----------
    reports : mapping
        Stack -> report, from `harness.higgs.probe.matrix`.
    """
    stacks = list(reports)
    labels = list(reports[stacks[0]].outcomes)
    loaders = [one.loader for one in reports[stacks[0]].outcomes[labels[0]]]
    height = (0.68 * len(loaders) + 0.9) * len(labels)
    figure, panels = subplots(len(labels), 1, height=height, squeeze=False)
    for axis, label in zip(panels[:, 0], labels, strict=True):
        for column, stack in enumerate(stacks):
            for row, one in enumerate(reports[stack].outcomes[label]):
                _draw(axis, column, row, one)
        axis.set(xlim=(-0.5, len(stacks) - 0.5), ylim=(len(loaders) - 0.5, -0.5))
        axis.set_title(f"checkpoint format: {label}")
        axis.set_xticks(range(len(stacks)), [stack.replace(" ", "\n", 1) for stack in stacks])
        axis.set_yticks(range(len(loaders)), ["\n".join(_folded(loader)) for loader in loaders], fontsize=10)
        axis.xaxis.tick_top()
        axis.tick_params(length=0)
        axis.grid(False)
        axis.spines[:].set_visible(False)
    return Figure(figure, _words(reports, labels), _caption(reports, labels))


def _draw(axis, column: int, row: int, outcome: LoadOutcome) -> None:
    from matplotlib.patches import FancyBboxPatch

    fill, edge, marker = _LOOKS.get(outcome.status, _HALF)
    box = FancyBboxPatch((column - 0.47, row - 0.44), 0.94, 0.88, boxstyle="round,pad=0,rounding_size=0.06",
                         facecolor=fill, edgecolor=edge, linewidth=1)  # fmt: skip
    axis.add_patch(box)
    axis.plot(column - 0.43, row - 0.32, marker, color=edge, markersize=4.5)
    axis.text(column, row + 0.02, "\n".join(cell_lines(outcome)), ha="center", va="center", fontsize=SMALL, color="#111111",
              linespacing=1.05)  # fmt: skip


def cell_lines(outcome: LoadOutcome) -> list[str]:
    """Return the text of a cell: the returned class or the exception, and a short reason if something is wrong."""
    lines = ["loads", *_folded(outcome.loaded)] if outcome.loaded else _folded(outcome.exception)
    trouble = outcome.reason if not outcome.loaded else "" if outcome.ok else outcome.status
    return [*lines, *textwrap.wrap(f"({trouble})", _LINE)] if trouble else lines


def _folded(name: str) -> list[str]:
    """Fold a CamelCase name into lines of at most `_LINE` characters, where its words allow."""
    lines = [""]
    for word in re.findall(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z0-9]+|.", name):
        if lines[-1] and len(lines[-1]) + len(word) > _LINE:
            lines.append("")
        lines[-1] += word
    return lines


def _caption(reports: Mapping[str, StackReport], labels: Sequence[str]) -> str:
    told = []
    for label in labels:
        found = [one for report in reports.values() for one in report.outcomes[label]]
        whole, half = sum(one.ok for one in found), sum(bool(one.loaded) and not one.ok for one in found)
        told.append(
            f"`{label}` loads in {whole} of {len(found)} cells{f' and returns something else in {half}' if half else ''}"
        )
    return f"Circle: loads; triangle: an object, but not what the checkpoint holds; cross: fails. {'; '.join(told)}."


def _words(reports: Mapping[str, StackReport], labels: Sequence[str]) -> str:
    parts = []
    for label in labels:
        for stack, report in reports.items():
            back = [one for one in report.outcomes[label] if one.loaded]
            named = ", ".join(f"{one.loader} ({one.loaded}{'' if one.ok else ', ' + one.status})" for one in back)
            parts.append(f"{label} in {stack}: {named or 'none'}")
    return f"Grid of what each loader did, by checkpoint format and stack. These return an object: {'; '.join(parts)}. " \
           "All others fail; the table below gives their messages."  # fmt: skip
