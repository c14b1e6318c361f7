"""One look for all figures: colour-blind safe, readable on a light and on a dark page."""

from __future__ import annotations

import base64
import io
import textwrap
from html import escape
from typing import Any

from harness.publish.html import as_code
from harness.publish.looks import PALETTE

DPI = 110
WIDTH = 7.0  # inches: 770 pixels, the page's column on a wide screen, so that type is as large as it says
TITLE_CHARACTERS = 66  # of a title that fits into one line
SMALL = 9.5  # points: the smallest type in a figure


def use_style() -> None:
    """Set matplotlib and seaborn up; every figure function calls it."""
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


def folded(text: str, width: int = TITLE_CHARACTERS) -> str:
    """A long title in lines of at most `width` characters."""
    return "\n".join(textwrap.wrap(text, width))


class Figure:
    """A matplotlib figure that a notebook shows as PNG with an ``alt`` text.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Closed after it was drawn, so that notebooks do not show it twice.
    alt : str
        What the figure shows, in a sentence or two, for people who cannot see it.
    caption : str
        The line below it: what to look at, with figures from the results. Text between backticks is code.
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
