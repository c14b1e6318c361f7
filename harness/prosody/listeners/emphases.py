"""Word prominence as listeners hear it, by the network of the package emphases.

Morrison, Pawar, Pruyne, Cole & Pardo (2024), "Crowdsourced and Automatic Speech Prominence Estimation", arXiv 2310.08464: several people
marked the emphasised words of LibriTTS utterances, and the network predicts the share of them who marked a word.

The package is installed without its dependencies (aligners, annotation tools), so it cannot be imported. Its wheel holds the weights;
the input and the network are written here with torch, after its training code, `emphases.data.preprocess.mels` and
`emphases.model`. Tests compare them with that code. (`emphases.preprocess`, its own inference, pads the audio by 432 samples before it
slices it by word times, so words are judged 27 ms late. This is not done here.)
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio, resample
from harness.errors import NotAvailable
from harness.prosody.features import check_words
from harness.prosody.listeners.base import needs_torchaudio
from harness.records import WordTime
from harness.registry import Requirements

if TYPE_CHECKING:
    import torch

# From emphases/config/defaults.py of emphases 0.0.2.
RATE = 16000  # Hz
HOP = 160  # samples
WINDOW = 1024  # samples
MELS = 80
LAYERS = 6
_BLOCK = 8192  # frames of a spectrogram that are in memory at once: 82 s, 34 MB


class EmphasesListener:
    """Prominence of each word from 0 to 1: the share of listeners who would mark it (emphases 0.0.2)."""

    requirements: ClassVar[Requirements] = Requirements(packages=("torch", "emphases"), check=needs_torchaudio)
    name = "emphases"
    unit: Literal["word", "clip"] = "word"
    revision = "emphases 0.0.2"

    def __init__(self) -> None:
        import torch

        self.weights: dict[str, torch.Tensor] = torch.load(checkpoint(), map_location="cpu", weights_only=True)["model"]

    def judge(self, audio: Audio, words: Sequence[WordTime]) -> NDArray[np.float64]:
        """Return the prominence of each word, shape (n,), from 0 to 1; NaN for a word without a length.

        Raises
        ------
        DataError
            If no word has a length, or word times are out of order or beyond the clip.
        """
        import torch

        check_words(audio, words)
        spans = segments(words)
        with torch.inference_mode():
            frames = self._layers(self._convolve(mels(audio), "input_layer"), "frame_encoder")
            last = frames.shape[-1]
            sums = [frames[:, min(start, last - 1) : max(end, start + 1)].sum(dim=1) for start, end, _ in spans]
            heard = self._layers(torch.stack(sums, dim=1), "word_decoder")
            prominence = torch.sigmoid(self._convolve(heard, "output_layer"))[0].numpy()
        scores = np.full(len(words), np.nan)
        for value, (_, _, word) in zip(prominence, spans, strict=True):
            scores[word] = value
        return scores

    def _convolve(self, x: torch.Tensor, layer: str) -> torch.Tensor:
        from torch.nn.functional import conv1d

        return conv1d(x, self.weights[f"{layer}.weight"], self.weights[f"{layer}.bias"], padding="same")

    def _layers(self, x: torch.Tensor, block: str) -> torch.Tensor:
        for layer in range(LAYERS):
            x = self._convolve(x, f"{block}.{2 * layer}").relu()
        return x


def checkpoint() -> Path:
    """Return the file with the weights, in the installed package.

    Raises
    ------
    NotAvailable
        If the package is not installed.
    """
    found = find_spec("emphases")
    for folder in (found and found.submodule_search_locations) or ():
        if (file := Path(folder) / "assets" / "checkpoints" / "checkpoint.pt").is_file():
            return file
    raise NotAvailable("the weights of emphases are not installed", remedy="call `make env`")


def mels(audio: Audio) -> torch.Tensor:
    """Return the input of the network, shape (80, frames), one frame every 10 ms.

    It is the logarithm of a magnitude spectrogram on Slaney's mel scale, 0 to 8 kHz, as in ``emphases.data.preprocess.mels``.
    """
    import torch

    from harness.higgs.codec import prepare_torchaudio

    prepare_torchaudio()
    from torchaudio.functional import melscale_fbanks

    basis = melscale_fbanks(WINDOW // 2 + 1, 0.0, RATE / 2, MELS, RATE, norm="slaney", mel_scale="slaney").T
    samples = torch.from_numpy(np.ascontiguousarray(resample(audio.samples, audio.sample_rate, RATE)))
    edge = (WINDOW - HOP) // 2
    padded = torch.nn.functional.pad(samples[None], (edge, edge), mode="reflect")[0]
    window = torch.hann_window(WINDOW)
    blocks = []
    for frames in padded.unfold(0, WINDOW, HOP).split(_BLOCK):
        spectrum = torch.fft.rfft(frames * window).abs()
        magnitude = torch.sqrt(spectrum.square() + 1e-6)
        blocks.append(torch.log(torch.clamp(basis @ magnitude.T, min=1e-5)))
    return torch.cat(blocks, dim=1)


def segments(words: Sequence[WordTime]) -> list[tuple[int, int, int]]:
    """Return the first frame, the frame after the last, and the index of each word; tokens that are not spoken have no segment.

    Frames are rounded down as in ``pypar.Alignment.word_bounds``. In training, silences between words counted as words
    (``silences=True``). Here they are left out, because a forced aligner finds short ones in one clip and not in its twin, and each
    shifts the words that the decoder sees as neighbours. On 45 training sentences of espeak (en-us) with one `<emph>` each, the
    tagged word rises most in 40 without silences, in 32 with all, and in 39 with those of at least 0.1 s.
    """
    rate = RATE / HOP
    return [
        (int(word.start * rate), int(word.end * rate), index)
        for index, word in enumerate(words)
        if word.end > word.start
    ]
