"""Audio as bytes: WAV, MP3, FLAC, Ogg Opus, or raw samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soundfile

from harness.audio import MPEG_RATES, Audio, encoded, resample
from harness.errors import HarnessError

DEFAULT_RATE = 24000  # rate of OpenAI's and Boson's audio, which clients assume for pcm, since it has no header
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)  # RFC 6716, section 2


@dataclass(frozen=True)
class Format:
    """One audio format.

    Parameters
    ----------
    media_type : str
    container, subtype : str
        Names of libsndfile; empty for raw samples.
    rates : tuple of int
        Sampling rates in Hz that a client can choose from.
    """

    media_type: str
    container: str = ""
    subtype: str = ""
    rates: tuple[int, ...] = MPEG_RATES


FORMATS = {
    "mp3": Format("audio/mpeg", "MP3", "MPEG_LAYER_III"),
    "wav": Format("audio/wav", "WAV", "PCM_16"),
    "flac": Format("audio/flac", "FLAC", "PCM_16"),
    "opus": Format("audio/ogg; codecs=opus", "OGG", "OPUS", _OPUS_RATES),
    "pcm": Format("audio/pcm"),
}


def rate_of(name: str, asked: int | None) -> int:
    """Return the sampling rate to write: the one asked for, or 24 kHz.

    Raises
    ------
    HarnessError
        If the format does not support the rate asked for.
    """
    if asked is None:
        return DEFAULT_RATE
    if asked not in FORMATS[name].rates:
        raise HarnessError(f"{name} does not support a sample rate of {asked} Hz",
                           remedy=f"choose {', '.join(map(str, FORMATS[name].rates))}, or leave sample_rate out")  # fmt: skip
    return asked


def encode(audio: Audio, name: str, rate: int = DEFAULT_RATE) -> bytes:
    """Return a clip as a file, or as 16-bit signed little-endian samples for "pcm".

    Parameters
    ----------
    audio : Audio
    name : str
        One of `FORMATS`.
    rate : int
        Sampling rate in Hz; see `rate_of`.

    Raises
    ------
    HarnessError
        If the audio is empty, contains NaN, or cannot be written in this format.
    """
    if not len(audio.samples) or not np.isfinite(audio.samples).all():
        raise HarnessError("the engine made no audio, or audio that contains NaN", remedy="try another text")
    samples = resample(audio.samples, audio.sample_rate, rate)
    if name == "pcm":
        return np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    form = FORMATS[name]
    try:
        return encoded(samples, rate, form.container, form.subtype)
    except soundfile.LibsndfileError as error:
        raise HarnessError(f"the engine made audio that cannot be written as {name}: {error.error_string}") from error
