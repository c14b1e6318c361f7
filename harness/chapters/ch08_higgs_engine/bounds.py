"""Upper bounds on the speed of Higgs Audio v2: each column of codes takes one read of the weights that it passes.

When the model speaks one text at a time, each matrix is used for one vector: its numbers are read from memory, used once, and
the arithmetic waits for them. So memory bandwidth divided by the size of these weights is an upper bound on columns per second
(the memory roof of Williams et al. 2009, "Roofline", doi:10.1145/1498765.1498785). Keys, values, the codec and all overhead
come on top, so the bound is not a forecast.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from harness.higgs.codec import FRAME_SAMPLES, RATE


@dataclass(frozen=True)
class Device:
    """A GPU or another processor.

    Parameters
    ----------
    name : str
    memory : float
        Memory in GB.
    bandwidth : float
        Memory bandwidth in GB/s, as the manufacturer states it.
    """

    name: str
    memory: float
    bandwidth: float


# NVIDIA's data sheets, quoted from memory.
GPUS = (
    Device("T4", 16, 320),
    Device("L4", 24, 300),
    Device("RTX 4080 Super", 16, 736),
    Device("RTX 4090", 24, 1008),
    Device("A100 80 GB SXM", 80, 2039),
    Device("H100 SXM", 80, 3350),
)
# Reported by a user on 2025-07-23 in issue 17 of boson-ai/higgs-audio: one speaker, voice cloned, on an RTX 4080 Super.
REPORTED = {"RTX 4080 Super": 29 / 7.87}  # seconds of audio per second


def columns_per_second(device: Device, parameters: int, bytes_each: int) -> float:
    """Return the upper bound on columns per second, for the number of parameters that an audio token passes."""
    return device.bandwidth * 1e9 / (parameters * bytes_each)


def times_real_time(device: Device, parameters: int, bytes_each: int) -> float:
    """Return the bound in seconds of audio per second."""
    return columns_per_second(device, parameters, bytes_each) * FRAME_SAMPLES / RATE


def this_machine(megabytes: int = 512, repeats: int = 5) -> Device:
    """Measure the bandwidth of this processor: one thread reads more numbers than its caches can hold."""
    numbers = np.ones(megabytes * 2**18, np.float32)
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        numbers.max()
        taken.append(time.perf_counter() - begun)
    return Device("this processor, one thread", 0, numbers.nbytes / min(taken) / 1e9)


def bound_rows(processor: Device, passed: int, measured: float | None, card: str) -> list[dict[str, str]]:
    """Return rows for a table: the bound of each device, and what was measured and reported for it.

    Parameters
    ----------
    processor : Device
        This machine's processor, from `this_machine`; its bound is for float32, that of the GPUs for 16 bits a weight.
    passed : int
        Number of parameters that an audio token passes.
    measured : float, optional
        Measured speed of the real weights in seconds of audio per second; None if they did not run here.
    card : str
        Name of the GPU that was measured; empty for the processor.
    """

    def row(device: Device, memory: str, bandwidth: str, bound: str, here: bool) -> dict[str, str]:
        return {
            "device": device.name,
            "memory": memory,
            "bandwidth": bandwidth,
            "at most, times real time": bound,
            "measured here": "not run here" if measured is None or not here else f"{measured:.2f}",
            "reported by a user": f"{REPORTED[device.name]:.1f}" if device.name in REPORTED else "–",
        }

    return [
        row(processor, "–", f"{processor.bandwidth:.0f} GB/s, measured",
            f"{times_real_time(processor, passed, 4):.2f} (float32)", not card),
        *(row(gpu, f"{gpu.memory:g} GB", f"{gpu.bandwidth:,} GB/s", f"{times_real_time(gpu, passed, 2):.1f}", gpu.name in card)
          for gpu in GPUS),
    ]  # fmt: skip
