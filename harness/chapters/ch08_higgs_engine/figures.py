"""Draw the figures of chapter 08: columns of codes, waveforms, and speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio
from harness.publish.style import BLUE, GREY, INK, SMALL, VERMILLION, WIDTH, Figure, folded, look, note, subplots

_BEGIN, _END = "#BBBBBB", VERMILLION


def code_column_grid(columns: NDArray[np.integer], bos: int, eos: int, title: str, *, edge: int = 14) -> Figure:
    """Draw generated columns, shape (codebooks, steps): codes by shade, begin and end of stream by colour."""
    import matplotlib.pyplot as plt
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    codebooks, steps = columns.shape
    whole = steps <= 2 * edge
    kept = columns if whole else np.hstack([columns[:, :edge], columns[:, -edge:]])
    shades = plt.get_cmap("viridis")(kept.clip(0, bos - 1) / (bos - 1))[..., :3]
    shades[kept == bos], shades[kept == eos] = to_rgb(_BEGIN), to_rgb(_END)
    if not whole:
        shades = np.concatenate([shades[:, :edge], np.ones((codebooks, 1, 3)), shades[:, edge:]], axis=1)
    figure, axis = subplots(height=3.1)
    axis.imshow(shades, aspect="auto")
    axis.grid(visible=False)
    last = shades.shape[1] - 1
    axis.set_xticks([0, last] if whole else [0, edge - 1, edge + 1, last],
                    ["0", str(steps - 1)] if whole else ["0", str(edge - 1), str(steps - edge), str(steps - 1)])  # fmt: skip
    axis.set_yticks(range(codebooks))
    axis.set(xlabel="step" if whole else "step (the middle is left out)", ylabel="codebook", title=title)
    axis.legend(handles=[Patch(color=_BEGIN, label="begin of stream"), Patch(color=_END, label="end of stream"),
                         Patch(color=plt.get_cmap("viridis")(0.5), label="a code, 0 (dark) to 1023")],
                loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=3, fontsize=SMALL, columnspacing=1)  # fmt: skip
    begins, ends = int((columns == bos).sum()), int((columns == eos).sum())
    codes = columns.size - begins - ends
    return Figure(
        figure,
        f"{title}: {codebooks} codebooks by {steps} steps, slanted by the delay; {begins} cells are begin of "
        f"stream, {ends} are end of stream, the rest are codes.",
        f"{codebooks} codebooks by {steps} steps: {codes:,} codes, {begins} marks of the beginning and {ends} of the end. Each codebook "
        "starts one step after the one above.",
    )


def waveform_and_spectrogram(audio: Audio, title: str) -> Figure:
    """Draw the waveform and spectrogram of a clip."""
    figure, (wave, spectrum) = subplots(2, 1, height=4.4, sharex=True, height_ratios=[1, 1.6])
    wave.plot(np.arange(len(audio.samples)) / audio.sample_rate, audio.samples, color=BLUE, linewidth=0.4)
    wave.set(title=folded(title), ylabel="amplitude")
    spectrum.specgram(audio.samples + 1e-9, NFFT=512, Fs=audio.sample_rate, noverlap=256, cmap="cividis")
    spectrum.set(xlabel="time (s)", ylabel="frequency (Hz)")
    spectrum.grid(visible=False)
    peak = float(np.abs(audio.samples).max())
    level = float(np.sqrt(np.mean(np.square(audio.samples, dtype=float))))
    return Figure(
        figure,
        f"Waveform and spectrogram of {title}: {audio.seconds:.1f} s, peak {peak:.2f} of full scale.",
        f"{audio.seconds:.1f} s at {audio.sample_rate:,} Hz; peak {peak:.2f}, root mean square {level:.2f} of full scale. Speech would "
        "show gaps, and bands that move; noise shows neither.",
    )


def frames_per_second_bars(speeds: Mapping[str, Mapping[str, Sequence[float]]], real_time: float, title: str) -> Figure:
    """Draw frames per second by stack and batch size: the median as a bar, each repeat as a dot.

    Parameters
    ----------
    speeds : mapping
        Stack -> batch size -> frames a second, one for each repeat.
    real_time : float
        Frames a second of speech.
    """
    rows = [(stack, batch, list(values)) for stack, by_batch in speeds.items() for batch, values in by_batch.items()]
    figure, axis = subplots(height=0.45 * len(rows) + 1.3)
    said = []
    for place, (stack, batch, values) in enumerate(reversed(rows)):
        middle = float(np.median(values))
        axis.barh(place, middle, color=look(stack).colour, alpha=0.55)
        axis.plot(values, [place] * len(values), "o", color=INK, markersize=4)
        note(axis, f"{middle:,.0f}", (max(values), place))
        said.append(f"{stack}, {_texts(batch)}: {middle:,.0f}")
    axis.axvline(real_time, color=INK, linestyle="--", linewidth=1)
    axis.grid(visible=False, axis="y")
    axis.set_yticks(range(len(rows)), [f"{stack}, {_texts(batch)}" for stack, batch, _ in reversed(rows)])
    axis.set(xscale="log", xlabel=f"frames a second; dashed: {real_time:g}, real time", title=title)
    axis.set_xlim(real_time / 2, 2.5 * max(max(values) for _, _, values in rows))
    medians = {(stack, batch): float(np.median(values)) for stack, batch, values in rows}
    (slow, few), least = min(medians.items(), key=lambda item: item[1])
    (fast, many), most = max(medians.items(), key=lambda item: item[1])
    return Figure(
        figure,
        f"{title}. Frames a second, median: " + "; ".join(reversed(said)),
        f"Bars are medians, dots single runs, the scale is logarithmic. Slowest: `{slow}`, {_texts(few)}, {least:,.0f} frames a second, "
        f"{least / real_time:.1f} times real time. Fastest: `{fast}`, {_texts(many)}, {most:,.0f}.",
    )


def _texts(batch: str) -> str:
    return "one text at a time" if int(batch) == 1 else f"{batch} texts at a time"


def audio_arrival_steps(streams: Mapping[str, Mapping[str, Any]], title: str) -> Figure:
    """Draw the seconds of audio received over the time since the request, streamed and whole.

    Parameters
    ----------
    streams : mapping
        Stack -> what `harness.chapters.ch08_higgs_engine.measure.streaming` returned.
    """
    figure, axes = subplots(1, len(streams), height=3.7, width=WIDTH if len(streams) > 1 else 5, squeeze=False)
    said, told = [], []
    for axis, (stack, one) in zip(axes.flat, streams.items(), strict=True):
        times, audio = np.array([[0.0, 0.0], *one["pieces"]]).T
        colour = look(stack).colour
        axis.step(times, audio, where="post", color=colour, label="streamed")
        took, seconds = one["whole"]
        longest = max(took, times[-1])
        axis.step([0, took, longest], [0, seconds, seconds], "--", where="post", color=INK, label="whole")
        axis.plot([0, longest], [0, longest], color=GREY, linewidth=1.2, linestyle=":", label="real time")
        axis.set(title=f"{stack}: first after {times[1]:.2f} s", xlabel="seconds since the request")
        axis.set_ylabel("seconds of audio")
        told.append(f"`{stack}` {times[1]:.2f} s instead of {took:.2f} s")
        said.append(
            f"{stack}: first piece after {times[1]:.2f} s, the whole clip of {seconds:.1f} s after {took:.2f} s"
        )
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=SMALL + 0.5)
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    return Figure(
        figure,
        f"{title}. " + "; ".join(said),
        f"Above the dotted line the next piece arrives in time. Streamed, the first sound comes after: {', '.join(told)}. "
        "One request each, so there is no interval.",
    )
