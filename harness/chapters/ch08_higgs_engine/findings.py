"""What chapter 8 found, in sentences and figures that its measurements decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.chapters.ch08_higgs_engine.bounds import GPUS, times_real_time

Speeds = Mapping[str, Mapping[str, Sequence[float]]]  # stack -> batch size -> frames a second, one for each repeat


def frames_per_second(measured: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Return the speeds of each stack by batch size, from the results of `harness.chapters.ch08_higgs_engine.measure.speed`."""
    return {
        stack: {
            batch: [frames / seconds for frames, seconds in zip(one["frames"], one["seconds"], strict=True)]
            for batch, one in found["batches"].items()
        }
        for stack, found in measured.items()
    }


def findings(
    speeds: Speeds,
    agreed: Sequence[Mapping[str, Any]],
    failed: Sequence[Mapping[str, str]],
    streams: Mapping[str, Mapping[str, Any]],
    passed: int,
    tiny: bool,
) -> dict[str, str]:
    """Return the sentences of "What we found" by name.

    Parameters
    ----------
    speeds : mapping
        Frames a second, from `frames_per_second`.
    agreed : sequence of mapping
        Results of `harness.chapters.ch08_higgs_engine.measure.agreement`, one for each text; empty if nothing was compared.
    failed : sequence of mapping
        Rows of `harness.chapters.ch08_higgs_engine.failures.failures`.
    streams : mapping
        Stack -> result of `harness.chapters.ch08_higgs_engine.measure.streaming`.
    passed : int
        Number of parameters that an audio token passes.
    tiny : bool
        Whether the weights are tiny and random.
    """
    silent = sum(row["serve engine"].startswith(("hangs", "loads")) for row in failed)
    stream = streams["boson"]
    difference = max(one["difference"] or 0 for one in streams.values())
    source = (
        "The weights are tiny and random, so the audio is noise, and the speeds above say nothing about the real model."
        if tiny
        else "The weights are those of the checkpoint that you named."
    )
    if agreed:
        same = (
            f"With the same weights, both engines produce the same codes in {min(one['equal'] for one in agreed):.0%} of the "
            f"comparisons, over {len(agreed)} texts. They end the speech of an untrained model differently."
        )
    else:
        same = "Whether both engines agree was not run here."
    if "native" in speeds:
        pace = (
            f"transformers makes {_ratio(speeds):.1f} times as many frames a second as the package. "
            f"With eight texts at a time it makes {_batched(speeds):.1f} times as many again."
        )
    else:
        pace = "The native engine was not run here."
    return {
        "source": source,
        "same": same,
        "failures": f"We tried {len(failed)} requests that it cannot serve. It answers {len(failed) - silent} of them with a Python error "
        f"that does not say what to do, and {silent} with nothing. "
        "With a few checks, each of them becomes a readable error, or cannot happen.",
        "stream": f"With `boson`, a stream gives its first sound after {stream['pieces'][0][0]:.2f} s, against {stream['whole'][0]:.2f} s "
        f"for the whole clip. But streaming takes longer in total. The joined pieces equal the whole clip to {difference:.1g}.",
        "pace": pace,
        "bound": "With one text at a time, memory bandwidth limits the real model. The bounds are "
        f"{times_real_time(GPUS[1], passed, 2):.1f} times real time on an {GPUS[1].name}, and "
        f"{times_real_time(GPUS[-1], passed, 2):.0f} on an {GPUS[-1].name}. These are computed, not measured.",
    }


def numbers(
    speeds: Speeds, agreed: Sequence[Mapping[str, Any]], streams: Mapping[str, Mapping[str, Any]], passed: int
) -> dict[str, Any]:
    """Return the figures that other pages quote; see `findings` for the parameters."""
    native = "native" in speeds
    return {
        "ratio": f"{_ratio(speeds):.1f}" if native else "–",
        "batched": f"{_batched(speeds):.1f}" if native else "–",
        "first_sound": f"{streams['boson']['pieces'][0][0]:.2f}",
        "whole": f"{streams['boson']['whole'][0]:.2f}",
        "passed": f"{passed / 1e9:.2f}",
        "equal": f"{min(one['equal'] for one in agreed):.0%}" if agreed else "–",
    }


def _ratio(speeds: Speeds) -> float:
    return float(np.median(speeds["native"]["1"]) / np.median(speeds["boson"]["1"]))


def _batched(speeds: Speeds) -> float:
    return float(np.median(speeds["native"]["8"]) / np.median(speeds["native"]["1"]))
