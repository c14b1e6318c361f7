"""One style for all figures: colours, markers, type, and the marks that many of them share.

The colours are Okabe and Ito's (2008), which people with any kind of colour blindness can tell apart. Three of them are too pale
for a thin mark on white (contrast below 3 : 1, WCAG 2.1, criterion 1.4.11) and are darkened here: sky, orange (a brown) and grey.
There are eight colours. In a larger family, markers tell the members apart; colour alone never carries meaning.
"""

from __future__ import annotations

import base64
import io
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple
from zlib import crc32

from harness.publish.html import as_code

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, BROWN, GREY, INK = "#3E9BD6", "#7A4F00", "#737373", "#222222"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, SKY, BROWN, GREY, INK)
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*", "<", ">")
LINES = ("-", "--", ":", "-.")
# Text is read at a smaller contrast than a mark is seen: WCAG 2.1, criterion 1.4.3.
TEXT_CONTRAST = 4.5


class Look(NamedTuple):
    """Colour, marker and line of one engine, tagger or arm."""

    colour: str
    marker: str = "o"
    line: str = "-"


FAMILIES: dict[str, dict[str, Look]] = {
    "engines": {
        "espeak": Look(VERMILLION, "o"), "piper": Look(BLUE, "s"), "hibari": Look(GREEN, "D"),
        "higgs_native": Look(PURPLE, "^", "--"), "higgs_boson": Look(BROWN, "v"), "openai_speech": Look(INK, "P"),
    },
    "taggers": {
        "gold": Look(INK, "*"), "second pass": Look(PURPLE, "D"), "gpt2": Look(BLUE, "o"), "lm_slots": Look(SKY, "s"),
        "lm_features": Look(SKY, "^", "--"), "hand_features": Look(PURPLE, "^", "-."), "logistic": Look(VERMILLION, "P"),
        "majority": Look(GREEN, "v"), "rules": Look(BROWN, "s"), "random": Look(GREY, "X"), "none": Look(GREY, "<"),
    },
    "arms": {
        "tagged": Look(VERMILLION, "o"), "plain": Look(BLUE, "s"), "placebo": Look(GREY, "X"),
        "contrast": Look(PURPLE, "^"), "null": Look(INK, "D"), "stripped": Look(GREEN, "v"),
    },
}  # fmt: skip
KNOWN = {name: look for family in FAMILIES.values() for name, look in family.items()}
# The two stacks of chapters 03, 04 and 08 look like the engines that use them.
KNOWN |= {"boson": KNOWN["higgs_boson"], "native": KNOWN["higgs_native"]}


def look(name: str) -> Look:
    """Return how `name` is drawn.

    "espeak:en-us", "gpt2, espeak" and "lm_slots on SmolLM2-135M" look like the name at their beginning. An unknown
    name gets a look that is the same in every figure and on every machine.
    """
    for known in (name, re.split(r"[:,]| on | with ", name)[0].strip()):
        if known in KNOWN:
            return KNOWN[known]
    number = crc32(name.encode())
    return Look(PALETTE[number % len(PALETTE)], MARKERS[number // len(PALETTE) % len(MARKERS)])


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Return the looks for one figure; where two would share colour and marker, the later one gets another marker."""
    chosen: dict[str, Look] = {}
    for name in names:
        wanted = look(name)
        if any(one[:2] == wanted[:2] for one in chosen.values()):
            taken = [one.marker for one in chosen.values()]
            free = next((sign for sign in MARKERS if sign not in taken), wanted.marker)
            wanted = Look(wanted.colour, free, LINES[(LINES.index(wanted.line) + 1) % len(LINES)])
        chosen[name] = wanted
    return chosen


def contrast(colour: str, ground: str = "#FFFFFF") -> float:
    """Return the contrast of two colours, 1 to 21 (WCAG 2.1, relative luminance)."""
    from seaborn.utils import relative_luminance

    darker, lighter = sorted((relative_luminance(colour), relative_luminance(ground)))
    return (lighter + 0.05) / (darker + 0.05)


def ink(colour: str) -> str:
    """Return `colour`, darkened until text in it is readable on white."""
    from matplotlib.colors import to_hex, to_rgb

    while contrast(colour) < TEXT_CONTRAST:
        red, green, blue = to_rgb(colour)
        colour = to_hex((0.96 * red, 0.96 * green, 0.96 * blue))
    return colour


def on(ground: str) -> str:
    """Return white or nearly black, whichever is more readable on `ground`."""
    return max("#FFFFFF", INK, key=lambda colour: contrast(colour, ground))


# --- figures

DPI = 110
WIDTH = 7.0  # inches: 770 pixels, the page's column on a wide screen, so that type is as large as it says
TITLE_CHARACTERS = 66  # of a title that fits into one line
SMALL = 9.5  # points: the smallest type in a figure


def use_style() -> None:
    """Configure matplotlib and seaborn; `subplots` calls it."""
    import matplotlib as mpl
    import seaborn as sns

    sns.set_theme(context="notebook", style="whitegrid", font_scale=0.92, palette=list(PALETTE))
    mpl.rcParams.update(
        {
            "figure.dpi": DPI, "savefig.dpi": DPI, "figure.facecolor": "white", "savefig.facecolor": "white",
            "axes.spines.top": False, "axes.spines.right": False, "figure.constrained_layout.use": True,
            "axes.titlelocation": "left", "axes.titleweight": "bold", "legend.frameon": False,
        }
    )  # fmt: skip


def subplots(*shape: int, height: float, width: float = WIDTH, **options: Any) -> tuple[Any, Any]:
    """Return a new figure in the style of the book, and its axes.

    Parameters
    ----------
    *shape : int
        Number of rows and columns; one axis by default.
    height, width : float
        Size in inches; by default as wide as the page's column.
    **options
        Options of ``matplotlib.pyplot.subplots``.
    """
    import matplotlib.pyplot as plt

    use_style()
    return plt.subplots(*shape, figsize=(width, height), **options)


def note(axis: Any, text: str, at: tuple[float, float], move: tuple[float, float] = (8, 0), **options: Any) -> None:
    """Write small text at a point of the data, moved by some typographic points; `options` are those of ``annotate``."""
    options = {"va": "center", "fontsize": SMALL, **options}
    axis.annotate(text, at, xytext=move, textcoords="offset points", **options)


def folded(text: str, width: int = TITLE_CHARACTERS) -> str:
    """Break a long title into lines of at most `width` characters."""
    return "\n".join(textwrap.wrap(text, width))


class Figure:
    """A matplotlib figure that a notebook shows as PNG with an ``alt`` text.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn and then closed, so that notebooks do not show it twice.
    alt : str
        Description of the figure in a sentence or two, for people who cannot see it.
    caption : str
        Text below the figure: what to look at, with numbers from the results. Text between backticks is code.
    """

    def __init__(self, figure: Any, alt: str, caption: str) -> None:
        import matplotlib.pyplot as plt

        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        plt.close(figure)
        self.png = buffer.getvalue()
        self.alt, self.caption = alt, caption
        self._encoded = base64.b64encode(self.png).decode()

    def _repr_html_(self) -> str:
        return (
            f'<figure class="harness-plot"><img class="harness-figure" alt="{escape(self.alt, quote=True)}" '
            f'src="data:image/png;base64,{self._encoded}"><figcaption>{as_code(self.caption)}</figcaption></figure>'
        )


# --- marks with intervals

_MIDDLE = 0.5


def dot(
    axis: Any, rate: Sequence[float | None], y: float, drawn: str | Look, size: float = 7, label: str | None = None
) -> None:
    """Draw a value at height `y` with a bar for its interval, or nothing if there is no value; `label` is for a legend."""
    value, low, high = rate
    if value is None:
        return
    drawn = look(drawn) if isinstance(drawn, str) else drawn
    if low is not None and high is not None:
        axis.plot([low, high], [y, y], color=drawn.colour, linewidth=3, alpha=0.55, solid_capstyle="butt")
    axis.plot(value, y, drawn.marker, color=drawn.colour, markersize=size, markeredgecolor="white", markeredgewidth=0.6,
              label=label)  # fmt: skip


def beside(axis: Any, rate: Sequence[float | None], y: float, text: str, drawn: str | Look) -> None:
    """Label a mark next to its interval, on the side with more room on a scale from 0 to 1."""
    value, low, high = rate
    if value is None:
        return
    left = value > _MIDDLE
    edge = (low if left else high) if low is not None and high is not None else value
    drawn = look(drawn) if isinstance(drawn, str) else drawn
    note(axis, text, (edge, y), (-7 if left else 7, 0), ha="right" if left else "left", color=ink(drawn.colour))


def dot_rows(
    axis: Any,
    rows: Mapping[str, Mapping[str, Sequence[float | None]]],
    series: Mapping[str, tuple[str, str | Look]],
    spread: float = 0.6,
    legend: bool = False,
) -> None:
    """Draw rows of rates on a scale from 0 to 1, with one dot per series.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
    rows : mapping
        Name of the row -> series -> (value, low, high).
    series : mapping
        Series -> (label, look).
    spread : float
        Share of a row's height over which its dots are spread.
    legend : bool
        Whether the labels are for a legend of the figure. Otherwise they are next to the first dot of each series.
    """
    step = spread / max(len(series), 1)
    told: set[str] = set()
    for row, rates in enumerate(rows.values()):
        for number, (key, (words, drawn)) in enumerate(series.items()):
            rate = rates.get(key, (None, None, None))
            y = len(rows) - 1 - row + spread / 2 - step * (number + 0.5)
            first = key not in told and rate[0] is not None
            dot(axis, rate, y, drawn, label=words if first and legend else None)
            if first:
                told.add(key)
                if not legend:
                    beside(axis, rate, y, words, drawn)
    axis.set_yticks(range(len(rows)), list(rows)[::-1])
    axis.set(xlim=(-0.03, 1.03), ylim=(-0.6, len(rows) - 0.4))
