"""A slider over doses of one change: the clip that was rendered with each dose, what was measured in it, and the verdict.

Everything is in a table, which needs no script. The script shows the slider and takes its texts and clips from the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from harness.audio import Audio, data_uri
from harness.prosody.detectors import DETECTORS
from harness.publish.html import Html, as_code
from harness.publish.run_tables import wrong_way
from harness.publish.tables import table
from harness.records import Outcome, Verdict

_COMPRESSION = 0.9  # of `harness.audio.data_uri`: so many clips must not make the page slow
# A clip plays by itself only after the reader has started one.
_SCRIPT = """
for (const figure of document.querySelectorAll(".dose-slider:not([data-ready])")) {
  const [slider, said, player] = ["input", "output", "audio"].map((name) => figure.querySelector(name));
  const rows = figure.querySelectorAll("tbody tr");
  let started = false;
  const show = () => {
    const row = rows[slider.value];
    const [dose, measured, verdict] = [...row.cells].map((cell) => cell.textContent);
    slider.setAttribute("aria-valuetext", dose);
    said.textContent = `${dose} asked, ${measured} measured: ${verdict}`;
    player.src = row.querySelector("a").href;
    if (started) player.play();
  };
  slider.addEventListener("input", show);
  player.addEventListener("play", () => { started = true; });
  show();
  figure.querySelector(".dose-controls").hidden = false;
  figure.dataset.ready = "";
}
"""


def dose_slider(label: str, doses: Mapping[float, tuple[Audio, Outcome]]) -> Html:
    """Return the slider, with the table for readers without scripts.

    Parameters
    ----------
    label : str
        What the slider changes.
    doses : mapping of float to (Audio, Outcome)
        Dose, in the unit of the tag's detector -> the clip, and the verdict by the floor; ascending.
    """
    [tag] = {outcome.tag for _, outcome in doses.values()}
    detector = DETECTORS[tag]
    unit = detector.unit
    rows = [
        {
            "dose": f"{dose:g} {unit}",
            "measured": "nothing" if outcome.value is None else f"{outcome.value:+.2f} {unit}",
            "verdict": wrong_way(tag.value) if outcome.verdict is Verdict.WRONG_DIRECTION else outcome.verdict.value,
            "clip": Html(f'<a download href="{data_uri(clip.samples, clip.sample_rate, _COMPRESSION)}">download</a>'),
        }
        for dose, (clip, outcome) in doses.items()
    ]
    name, title = f"dose-{tag.bare}", escape(label)
    floor = f"`{tag.value}` needs at least {detector.floor:g} {unit}."
    hint = f"{floor} Play a clip once; after that, each move of the slider plays the next one."
    return Html(
        f'<figure class="dose-slider"><figcaption>{as_code(hint)}</figcaption><div class="dose-controls" hidden>'
        f'<label for="{name}">{title}</label><input type="range" id="{name}" min="0" max="{len(rows) - 1}" value="0">'
        f'<output for="{name}" aria-live="polite"></output>'
        f'<audio controls preload="none" aria-label="{title}, at the dose of the slider"></audio></div>'
        f"<details><summary>All {len(rows)} doses</summary>{table(rows, f'{label}: doses and verdicts').html}</details>"
        f"<script>{_SCRIPT}</script></figure>"
    )
