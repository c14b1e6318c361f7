"""An audio player for notebooks: compressed, labelled, usable from the keyboard."""

from __future__ import annotations

from html import escape

from harness.audio import Audio, data_uri
from harness.publish.html import Html


def player(audio: Audio, label: str) -> Html:
    """A labelled player with the clip inside the page."""
    return Html(
        f'<figure class="clip"><figcaption>{escape(label)} ({audio.seconds:.1f} s)</figcaption>'
        f'<audio controls preload="none" aria-label="{escape(label, quote=True)}" '
        f'src="{data_uri(audio.samples, audio.sample_rate)}"></audio></figure>'
    )
