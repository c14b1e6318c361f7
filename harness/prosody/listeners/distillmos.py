"""How good a clip sounds, by the network of the package distillmos.

Stahl & Gamper (2025), "Distillation and Pruning for Scalable Self-Supervised Representation-Based Speech Quality Assessment",
arXiv 2502.05356: a small network that imitates a large one, which was trained on listeners' ratings of speech. It judges the sound
of a voice, not whether its prosody fits the text.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio, check_audio, resample
from harness.errors import DataError, HarnessError
from harness.prosody.listeners.base import needs_torchaudio
from harness.records import WordTime
from harness.registry import Requirements

if TYPE_CHECKING:
    import torch

RATE = 16000  # Hz
SAMPLES = 122880  # of a window: 7.68 s; distillmos.sqa.SEQ_LEN
HOP = 16000  # samples between windows, at most; distillmos.sqa.MAX_HOP_LEN
_STEP = 320  # samples of a frame of the convolutions' result: two steps of 10 ms
_REACH = 16  # frames next to the end of the sound that it still changes: seven layers of reach one, and the spectrum's window


class DistillMosListener:
    """Quality of a clip from 1 (bad) to 5 (excellent), the mean opinion score that listeners would give (distillmos 0.9.1).

    The level of a clip makes no difference: the network divides each window by its peak.
    """

    requirements: ClassVar[Requirements] = Requirements(
        packages=("torch", "distillmos", "xls_r_sqa"), check=needs_torchaudio
    )
    name = "distillmos"
    unit: Literal["word", "clip"] = "clip"
    revision = "distillmos 0.9.1"

    def __init__(self) -> None:
        import torch

        from harness.higgs.codec import prepare_torchaudio

        prepare_torchaudio()
        from distillmos import ConvTransformerSQAModel

        with contextlib.redirect_stdout(io.StringIO()):  # it prints the path of its weights
            self.model = ConvTransformerSQAModel(segmenting_in_forward=False).eval()
        with torch.inference_mode():
            self.silence = self.model.cnn(torch.zeros(1, SAMPLES))

    def judge(self, audio: Audio, words: Sequence[WordTime] = ()) -> NDArray[np.float64]:
        """Return the quality of a clip, shape (1,), from 1 to 5. The words are not used.

        Windows are placed as ``distillmos`` itself places them, and judged one after the other, so that a long clip needs no more
        memory than a short one.

        Raises
        ------
        DataError
            If the clip is too short, silent, or not finite.
        """
        import torch

        try:
            check_audio(audio)
        except HarnessError as error:
            raise DataError(error.message) from error
        samples = torch.from_numpy(np.ascontiguousarray(resample(audio.samples, audio.sample_rate, RATE)))
        spare = max(0, len(samples) - SAMPLES)
        starts = np.linspace(0, spare, int(np.ceil(spare / HOP)) + 1).astype(int)
        with torch.inference_mode():
            scores = [self._window(samples[start : start + SAMPLES]) for start in starts]
        return np.array([np.mean(scores)])

    def _window(self, samples: torch.Tensor) -> float:
        """Return the quality of at most 7.68 s; silence fills the rest.

        The convolutions take most of the time, and their result for silence is known. So they see only the frames that the sound
        can change, and as many again that are left out because the shorter input ends there.
        """
        import torch

        samples = samples / (samples.abs().max() + 1e-8)
        frames = len(samples) // _STEP + _REACH
        seen = (frames + _REACH) * _STEP
        pad = torch.nn.functional.pad
        if seen < SAMPLES:
            sound = self.model.cnn(pad(samples, (0, seen - len(samples)))[None])[..., :frames]
            features = torch.cat([sound, self.silence[..., frames:]], dim=-1)
        else:
            features = self.model.cnn(pad(samples, (0, SAMPLES - len(samples)))[None])
        return float(1 + 4 * self.model.transformer_pool_attn(features.permute(0, 2, 1)))
