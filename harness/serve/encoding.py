"""Audio as bytes: WAV, MP3, FLAC, Ogg Opus, or bare samples."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from harness.audio import MPEG_RATES, Audio, resample
from harness.errors import HarnessError

DEFAULT_RATE = 24000  # of OpenAI's and Boson's audio: a client may count on it, for pcm says no rate itself
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)  # RFC 6716, section 2
_BLOCK = 65536  # frames written at once: libsndfile's Ogg encoders keep a block on the stack


@dataclass(frozen=True)
class Format:
    """One way to write audio.

    Parameters
    ----------
    media_type : str
    container, subtype : str
        As libsndfile calls them; empty for bare samples.
    rates : tuple of int
        Those it can have, in Hz; empty for any.
    """

    media_type: str
    container: str = ""
    subtype: str = ""
    rates: tuple[int, ...] = ()


FORMATS = {
    "mp3": Format("audio/mpeg", "MP3", "MPEG_LAYER_III", MPEG_RATES),
    "wav": Format("audio/wav", "WAV", "PCM_16"),
    "flac": Format("audio/flac", "FLAC", "PCM_16"),
    "opus": Format("audio/ogg; codecs=opus", "OGG", "OPUS", _OPUS_RATES),
    "pcm": Format("audio/pcm"),
}


def rate_of(name: str, asked: int | None) -> int:
    """The rate to write: the one asked for, else 24 kHz.

    Raises
    ------
    HarnessError
        If the format cannot have the rate asked for.
    """
    if asked is None:
        return DEFAULT_RATE
    rates = FORMATS[name].rates or MPEG_RATES
    if asked not in rates:
        raise HarnessError(f"{name} is not written at {asked} Hz",
                           remedy=f"choose {', '.join(map(str, rates))}, or leave sample_rate out")  # fmt: skip
    return asked


def encode(audio: Audio, name: str, asked_rate: int | None = None) -> tuple[bytes, int]:
    """Write a clip.

    Parameters
    ----------
    audio : Audio
    name : str
        One of `FORMATS`.
    asked_rate : int, optional
        In Hz; see `rate_of`.

    Returns
    -------
    tuple of (bytes, int)
        The bytes, and their rate in Hz.

    Raises
    ------
    HarnessError
        If the audio is empty, holds NaN, or cannot be written like that.
    """
    if not len(audio.samples) or not np.isfinite(audio.samples).all():
        raise HarnessError("the engine made no audio, or audio that holds NaN", remedy="try another text")
    rate = rate_of(name, asked_rate)
    samples = np.clip(resample(audio.samples, audio.sample_rate, rate), -1, 1)
    if name == "pcm":
        return _pcm(samples), rate
    form, out = FORMATS[name], io.BytesIO()
    try:
        with soundfile.SoundFile(out, "w", rate, 1, form.subtype, format=form.container) as file:
            for start in range(0, len(samples), _BLOCK):
                file.write(samples[start : start + _BLOCK])
    except soundfile.LibsndfileError as error:
        raise HarnessError(f"the engine made audio that cannot be written as {name}: {error.error_string}") from error
    return out.getvalue(), rate


def _pcm(samples: NDArray[np.float32]) -> bytes:
    """16-bit signed little-endian."""
    return np.round(samples * 32767).astype("<i2").tobytes()
