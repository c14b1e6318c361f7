"""The map of the book: the way from a text to a verdict, with the chapters on it. Every chapter opens with it, its own box lit.

The picture is SVG inside the page, so that it follows the theme's colours, its boxes are links, and a screen reader reads its words.
"""

from __future__ import annotations

from html import escape

from harness.paths import NOTEBOOKS

STAGES = ("text", "tags", "voice", "sound", "verdict")
CHAPTERS = {  # stage, "" for Higgs itself -> number and label of each chapter
    "tags": (("05", "data"), ("06", "tagger"), ("07", "score")),
    "voice": (("08", "engine"), ("09", "API")),
    "sound": (("10", "heard?"),),
    "verdict": (("11", "both"), ("12", "claims")),
    "": (("01", "loading"), ("02", "inside"), ("03", "LoRA"), ("04", "training")),
}
_WIDTH, _HEIGHT, _COLUMN, _BOX, _ROW = 400, 236, 80, 70, 31
_TOP, _BOTTOM = 38, 196  # of the first chapter of a stage, and of the chapters about Higgs


def chapter_map(chapter: str) -> str:
    """Return the map as one line of HTML.

    Parameters
    ----------
    chapter : str
        Stem of the chapter whose box is lit, such as "07_tag_placement".
    """
    parts = [_stage(place, name) for place, name in enumerate(STAGES)]
    here = chapter[:2]
    for stage, chapters in CHAPTERS.items():
        for row, (number, label) in enumerate(chapters):
            x, y = (_left(STAGES.index(stage)), _TOP + row * _ROW) if stage else (_left(row + 1), _BOTTOM)
            parts.append(_chapter(x, y, number, label, lit=number == here))
    parts.append(f'<text x="{_left(0) + _BOX / 2}" y="{_BOTTOM + 17.5}" class="map-stage">Higgs</text>')
    middle = _left(2) + _BOX / 2
    parts.append(_arrow(f"M{middle} {_BOTTOM - 6}V{_TOP + 2 * _ROW + 4}"))
    parts.append(f'<text x="{middle + 8}" y="{_BOTTOM - 40}" class="map-note">is a voice that could</text>')
    parts.append(f'<text x="{middle + 8}" y="{_BOTTOM - 27}" class="map-note">learn to obey tags</text>')
    return (
        f'<nav class="chapter-map" aria-label="Map of the book"><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" xmlns="http://www.w3.org/2000/svg">'
        '<defs><marker id="map-tip" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="6" markerHeight="6" orient="auto">'
        f'<path d="M0 0L6 3L0 6z" class="map-tip"/></marker></defs>{"".join(parts)}</svg></nav>'
    )


def with_map(source: str, chapter: str) -> str:
    """Return the first cell of a chapter with the map below its title."""
    title, _, rest = source.partition("\n")
    return f"{title}\n\n{chapter_map(chapter)}\n{rest}"


def _left(column: int) -> int:
    return 5 + column * _COLUMN


def _stage(place: int, name: str) -> str:
    words = f'<text x="{_left(place) + _BOX / 2}" y="20" class="map-stage">{name}</text>'
    return words + (_arrow(f"M{_left(place) - 16} 15h12") if place else "")


def _arrow(path: str) -> str:
    return f'<path d="{path}" class="map-arrow" marker-end="url(#map-tip)" aria-hidden="true"/>'


def _chapter(x: float, y: float, number: str, label: str, *, lit: bool) -> str:
    page = next(NOTEBOOKS.glob(f"{number}_*.ipynb")).stem
    box = (
        f'<rect x="{x}" y="{y}" width="{_BOX}" height="26" rx="4"/>'
        f'<text x="{x + _BOX / 2}" y="{y + 17.5}">{number} {escape(label)}</text>'
    )
    here = ' class="map-lit" aria-current="page"' if lit else ""
    return f'<a href="{page}.html"{here}>{box}</a>'
