"""Figures of single clips, and of the measured differences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.audio import Audio
from harness.prosody.align import align
from harness.prosody.detectors import DETECTORS
from harness.prosody.features import measure
from harness.records import Arm, Outcome, WordTime
from harness.report.style import Figure, colour, finish, use_style
from harness.tagged import TaggedText


def compare_clips(text: TaggedText, tagged: Audio, plain: Audio) -> Figure:
    """Waveform, words and F0 of a plain and a tagged clip, on one time scale; a dashed line where each tag stands."""
    import matplotlib.pyplot as plt

    use_style()
    figure, axes = plt.subplots(4, 1, figsize=(9.5, 6.5), sharex=True, height_ratios=[1, 1.3, 1, 1.3])
    described = []
    for row, (arm, audio) in enumerate((("plain", plain), ("tagged", tagged))):
        words = align(audio, text.words)
        features = measure(audio, words)
        wave, pitch = axes[2 * row], axes[2 * row + 1]
        times = np.arange(len(audio.samples)) / audio.sample_rate
        wave.plot(times, audio.samples, color=colour(arm), linewidth=0.4)
        wave.set(title=f"{arm}: {text if arm == 'tagged' else text.plain}", yticks=[])
        pitch.plot(features.track_times, features.track_hz, ".", color=colour(arm), markersize=3)
        pitch.set(ylabel="F0 (Hz)")
        for axis in (wave, pitch):
            _word_bands(axis, words)
            for slot, _ in text.tags if arm == "tagged" else ():
                at = words[slot].start if slot < len(words) else words[-1].end
                axis.axvline(at, color="#333333", linestyle="--", linewidth=1.2)
        _word_names(wave, words)
        described.append(
            f"{arm} clip of {audio.seconds:.1f} s, longest inner silence {features.pause[1:-1].max():.2f} s"
        )
    limits = [axis.get_ylim() for axis in (axes[1], axes[3])]
    for axis in (axes[1], axes[3]):  # one scale, or the eye compares nothing
        axis.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    axes[-1].set_xlabel("time (s)")
    return finish(figure, f"Waveforms, word boundaries and F0 of {'; '.join(described)}.")


def difference_strips(outcomes: Sequence[Outcome]) -> Figure:
    """The measured difference of every tag and placebo, by tag, with the floor as a dashed line."""
    import matplotlib.pyplot as plt

    use_style()
    measured = [o for o in outcomes if o.value is not None]
    tags = list(dict.fromkeys(o.tag for o in sorted(measured, key=lambda o: o.tag.value)))
    columns = min(max(len(tags), 1), 4)
    rows = -(-max(len(tags), 1) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.4 * columns + 1, 3.0 * rows + 0.3), squeeze=False)
    for axis in axes.flat[len(tags) :]:
        axis.set_visible(False)
    generator = np.random.default_rng(0)
    parts = []
    for axis, tag in zip(axes.flat, tags, strict=False):
        here = [o for o in measured if o.tag is tag]
        for place, arm in enumerate((Arm.TAGGED, Arm.PLACEBO)):
            values = np.array([o.value for o in here if o.arm is arm], dtype=float)
            spread = place + generator.uniform(-0.18, 0.18, len(values))
            axis.plot(spread, values, "o", color=colour(arm.value), markersize=4, alpha=0.6)
            if len(values):
                parts.append(f"{tag.bare} {arm.value}: median {np.median(values):.2f} {here[0].unit}, n={len(values)}")
        floor = here[0].threshold or 0.0
        sign = DETECTORS[tag].sign
        axis.axhline(sign * floor, color="#666666", linestyle="--", linewidth=1)
        axis.set_xticks([0, 1], ["tagged", "placebo"])
        axis.set(title=tag.bare, ylabel=f"difference ({here[0].unit})", xlim=(-0.6, 1.6))
    return finish(figure, "Differences to the plain clip by tag. " + "; ".join(parts))


def _word_bands(axis, words: Sequence[WordTime]) -> None:
    for number, word in enumerate(words):
        if number % 2 == 0:
            axis.axvspan(word.start, word.end, color="#000000", alpha=0.06, linewidth=0)


def _word_names(axis, words: Sequence[WordTime]) -> None:
    top = axis.get_ylim()[1]
    for word in words:
        axis.text((word.start + word.end) / 2, top, word.word, ha="center", va="top", fontsize=7, rotation=30)
