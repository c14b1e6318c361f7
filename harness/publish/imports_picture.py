"""Draw the picture of the architecture from the imports: which part of the package imports which."""

from __future__ import annotations

import tomllib
from collections import Counter
from functools import cache
from html import escape

from harness.paths import ROOT
from harness.publish.sources import import_graph

CELL, LABEL = 24, 118  # pixels


@cache
def floors() -> list[list[str]]:
    """Return the floors of ``pyproject.toml``, top floor first, with the parts of each in the order of their imports."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    [layers] = [one["layers"] for one in contracts if one["type"] == "layers"]
    return [[name.strip().removeprefix("harness.") for name in line.split(":")] for line in layers]


def imports() -> Counter[tuple[str, str]]:
    """Count the modules of one part that import from another: (importer, imported) -> count."""
    graph = import_graph()
    found: Counter[tuple[str, str]] = Counter()
    for module in graph.modules:
        targets = {_part(name) for name in graph.find_modules_directly_imported_by(module)} - {_part(module), ""}
        found.update((_part(module), target) for target in targets if _part(module))
    return found


def _part(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def picture() -> str:
    """Return the matrix of imports as SVG in the colours of the page; a row imports from the columns with a mark."""
    names = [name for floor in floors() for name in floor]
    level, counts = _levels(), imports()
    size = LABEL + CELL * len(names) + 6
    marks = []
    for row, name in enumerate(names):
        y = LABEL + CELL * row
        marks.append(f'<text x="{LABEL - 8}" y="{y + 16}" text-anchor="end">{level[name]} {escape(name)}</text>')
        marks.append(f'<text transform="translate({y + 16},{LABEL - 8}) rotate(-90)">{escape(name)}</text>')
        marks.append(
            f'<rect x="{y + 3}" y="{y + 3}" width="{CELL - 6}" height="{CELL - 6}" rx="3" fill="currentColor" opacity="0.18"/>'
        )
        for column, other in enumerate(names):
            if count := counts[name, other]:
                x = LABEL + CELL * column
                marks.append(
                    f'<g><title>{escape(name)} imports {escape(other)}: {count} modules</title>'
                    f'<circle cx="{x + CELL / 2}" cy="{y + CELL / 2}" r="{min(4 + count**0.5, CELL / 2 - 2):.1f}" fill="currentColor"/></g>'
                )  # fmt: skip
    listed = "; ".join(", ".join(floor) for floor in floors())
    words = f"Matrix of {len(names)} parts on {len(floors())} floors. {_counted()}. Floors from the top: {listed}"
    return (
        f'<svg class="imports" role="img" aria-label="{escape(words, quote=True)}" viewBox="0 0 {size} {size}" '
        f'xmlns="http://www.w3.org/2000/svg" font-size="12" fill="currentColor">{"".join(marks)}</svg>'
    )


def page() -> str:
    """Return the picture with an explanation, as Markdown that the architecture page includes."""
    return (
        f"Drawn from the imports when this page was built: {_counted()}. A row imports from the columns with a mark; a larger mark "
        "means more modules. No mark is left of the diagonal.\n\n"
        f'```{{raw}} html\n<figure class="harness-plot">{picture()}</figure>\n```\n'
    )


def _levels() -> dict[str, int]:
    """Return the floor of each part; the ground floor is 1."""
    return {name: len(floors()) - k for k, floor in enumerate(floors()) for name in floor}


def _counted() -> str:
    level = _levels()
    pairs = [(a, b) for a, b in imports() if a in level and b in level]
    below, beside = (sum(level[a] - level[b] > least for a, b in pairs) for least in (0, -1))
    return f"{len(pairs)} pairs of parts, {below} of them from a higher floor to a lower one and {beside - below} within a floor"
