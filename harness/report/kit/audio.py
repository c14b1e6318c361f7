"""An audio player for notebooks: compressed, labelled, usable from the keyboard."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np

from harness.audio import Audio
from harness.report.kit.diffs import Html


def player(audio: Audio, label: str) -> Html:
    """A labelled player with the clip inside the page, as MP3 (a tenth of the size of WAV)."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(audio.samples, -1, 1), audio.sample_rate, format="MP3")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return Html(
        f'<figure class="clip"><figcaption>{escape(label)} ({audio.seconds:.1f} s)</figcaption>'
        f'<audio controls preload="none" aria-label="{escape(label, quote=True)}" '
        f'src="data:audio/mpeg;base64,{encoded}"></audio></figure>'
    )
