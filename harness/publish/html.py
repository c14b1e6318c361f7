"""Text from data as HTML that a notebook shows."""

from __future__ import annotations

import re
from html import escape

from harness.audio import Audio, data_uri


class Html:
    """A piece of HTML that a notebook shows.

    Parameters
    ----------
    html : str
        Shown unchanged: text from data must be escaped already.
    """

    def __init__(self, html: str) -> None:
        self.html = html

    def _repr_html_(self) -> str:
        return self.html


def as_code(text: str) -> str:
    """Escape text, and show what is between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def player(audio: Audio, label: str) -> Html:
    """Return a labelled audio player that contains the clip, compressed; it can be used from the keyboard."""
    bar = bare_player(audio, label, compression=None).html
    return Html(f'<figure class="clip"><figcaption>{escape(label)} ({audio.seconds:.1f} s)</figcaption>{bar}</figure>')


def bare_player(audio: Audio, label: str, compression: float | None = 0.7) -> Html:
    """Return an audio player, for a cell of a table; only screen readers get the label. `compression` is that of `data_uri`."""
    return Html(
        f'<audio controls preload="none" aria-label="{escape(label, quote=True)}" '
        f'src="{data_uri(audio.samples, audio.sample_rate, compression)}"></audio>'
    )
