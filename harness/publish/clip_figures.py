"""Figures of single clips, and of the measured differences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.audio import Audio
from harness.prosody.align import align
from harness.prosody.detectors import DETECTORS, PAUSE_LONG_SECONDS
from harness.prosody.features import ClipFeatures, measure
from harness.prosody.scorer import difference
from harness.publish.style import GREY, INK, SMALL, WIDTH, Figure, folded, look, subplots
from harness.records import Arm, Outcome, WordTime
from harness.tagged import PAUSES, Tag, TaggedText

_NAME_LINE = 0.24  # of the wave's height: a line of type


def waveform_and_f0_pair(text: TaggedText, tagged: Audio, plain: Audio) -> Figure:
    """Draw waveform, words and F0 of a plain and a tagged clip on one time scale, with a dashed line at each tag."""
    figure, axes = subplots(4, 1, height=6.6, sharex=True, height_ratios=[1, 1.3, 1, 1.3])
    described, silences, measured = [], {}, {}
    for row, (arm, audio) in enumerate((("plain", plain), ("tagged", tagged))):
        words = align(audio, text.words)
        measured[arm] = features = measure(audio, words)
        wave, pitch = axes[2 * row], axes[2 * row + 1]
        times = np.arange(len(audio.samples)) / audio.sample_rate
        wave.plot(times, audio.samples, color=look(arm).colour, linewidth=0.4)
        wave.set(yticks=[])
        wave.set_title(folded(f"{arm}: {text if arm == 'tagged' else text.plain}"), fontsize=11)
        pitch.plot(features.track_times, features.track_hz, ".", color=look(arm).colour, markersize=3)
        pitch.set(ylabel="F0 (Hz)")
        for axis in (wave, pitch):
            _word_bands(axis, words)
            for slot, _ in text.tags if arm == "tagged" else ():
                at = words[slot].start if slot < len(words) else words[-1].end
                axis.axvline(at, color=INK, linestyle="--", linewidth=1.2)
        _word_names(wave, words)
        silences[arm] = (audio.seconds, float(max(features.pause[1:-1], default=0.0)))
        described.append(f"{arm} clip of {audio.seconds:.1f} s, longest inner silence {silences[arm][1]:.2f} s")
    limits = [axis.get_ylim() for axis in (axes[1], axes[3])]
    for axis in (axes[1], axes[3]):  # the same scale makes the two comparable
        axis.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    axes[-1].set_xlabel("time (s)")
    told = "; ".join(
        f"{arm} {seconds:.2f} s, longest inner silence {gap:.2f} s" for arm, (seconds, gap) in silences.items()
    )
    where = " A dashed line marks the tag." if text.tags else ""
    changes = _changes(text, measured["tagged"], measured["plain"])
    return Figure(
        figure,
        f"Waveforms, word boundaries and F0 of {'; '.join(described)}.{changes}",
        f"Length of each clip: {told}.{changes}{where}",
    )


def clip_f0(words: Sequence[WordTime], features: ClipFeatures, seconds: float, slot: int, tag: Tag) -> Figure:
    """Draw the words and the F0 of a clip, small, with a dashed line at the slot of one tag."""
    figure, axis = subplots(height=2.1, width=5.5)
    axis.plot(features.track_times, features.track_hz, ".", color=look("tagged").colour, markersize=3)
    _word_bands(axis, words)
    _word_names(axis, words)
    at = words[slot].start if slot < len(words) else words[-1].end
    axis.axvline(at, color=INK, linestyle="--", linewidth=1.2)
    axis.set(xlabel="time (s)", ylabel="F0 (Hz)", xlim=(0, seconds))
    return Figure(
        figure,
        f"F0 and words of a clip of {seconds:.1f} s; {tag.bare} is at {at:.2f} s.",
        f"F0 and word times; dashed: {tag.bare}, at {at:.2f} s.",
    )


def _changes(text: TaggedText, tagged: ClipFeatures, plain: ClipFeatures) -> str:
    """Return a sentence for each tag: what its detector measures, tagged minus plain."""
    said = ""
    for slot, tag in dict.fromkeys(text.tags):
        detector = DETECTORS[tag]
        place = detector.place(text, slot)
        if place is None:
            continue
        change = difference(detector.cue, text, tagged, [plain], place)
        shown = f"{change:+.2f} {detector.unit}" if np.isfinite(change) else "not measurable"
        said += f" {tag.bare}, {detector.what}: {shown}."
    return said


def tag_difference_strips(outcomes: Sequence[Outcome]) -> Figure:
    """Draw the measured difference of every tag and placebo, by tag, with the threshold as a dashed line."""
    measured = [o for o in outcomes if o.value is not None]
    tags = list(dict.fromkeys(o.tag for o in sorted(measured, key=lambda o: o.tag.value)))
    columns = min(max(len(tags), 1), 4)
    rows = -(-max(len(tags), 1) // columns)
    figure, axes = subplots(rows, columns, height=2.8 * rows + 0.3, width=WIDTH if columns > 2 else 4, squeeze=False)
    for axis in axes.flat[len(tags) :]:
        axis.set_visible(False)
    generator = np.random.default_rng(0)
    parts, beyond, drawn = [], 0, 0
    for axis, tag in zip(axes.flat, tags, strict=False):
        here = [o for o in measured if o.tag is tag]
        for place, arm in enumerate((Arm.TAGGED, Arm.PLACEBO)):
            values = np.array([o.value for o in here if o.arm is arm], dtype=float)
            spread = place + generator.uniform(-0.18, 0.18, len(values))
            drawn_as = look(arm.value)
            axis.plot(spread, values, drawn_as.marker, color=drawn_as.colour, markersize=4, alpha=0.6)
            if len(values):
                parts.append(f"{tag.bare} {arm.value}: median {np.median(values):.2f} {here[0].unit}, n={len(values)}")
        floor = here[0].threshold or 0.0
        sign = DETECTORS[tag].sign
        told = [o for o in here if o.arm is Arm.TAGGED]
        beyond, drawn = beyond + sum(sign * (o.value or 0.0) >= floor for o in told), drawn + len(told)
        axis.axhline(sign * floor, color=GREY, linestyle="--", linewidth=1)
        if tag in PAUSES:
            axis.axhline(PAUSE_LONG_SECONDS, color=GREY, linestyle=":", linewidth=1)
        axis.set_xticks([0, 1], ["tagged", "placebo"], fontsize=SMALL)
        axis.set(xlim=(-0.6, 1.6))
        axis.set_title(f"{tag.bare}\n({here[0].unit})", fontsize=11)
    for axis in axes[:, 0]:
        axis.set_ylabel("difference to plain")
    pauses = f" Dotted: {PAUSE_LONG_SECONDS} s, where a long pause begins." if PAUSES & set(tags) else ""
    return Figure(
        figure,
        "Differences to the plain clip by tag. " + "; ".join(parts),
        f"A mark is one tag or one placebo; dashed: the threshold. {beyond} of {drawn} tags reach it.{pauses}",
    )


def _word_bands(axis, words: Sequence[WordTime]) -> None:
    for number, word in enumerate(words):
        if number % 2 == 0:
            axis.axvspan(word.start, word.end, color="#000000", alpha=0.06, linewidth=0)


def _word_names(axis, words: Sequence[WordTime]) -> None:
    """Write the words above the wave, alternately on two lines, so that neighbours do not overlap."""
    low, high = axis.get_ylim()
    step = _NAME_LINE * (high - low)
    axis.set_ylim(low, high + 2 * step)
    for number, word in enumerate(words):
        axis.text((word.start + word.end) / 2, high + step * (number % 2 + 0.5), word.word, ha="center", va="center",
                  fontsize=SMALL)  # fmt: skip
