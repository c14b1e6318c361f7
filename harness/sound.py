"""Samples at another rate, and as bytes inside a page."""

from __future__ import annotations

import base64
import io
from math import gcd

import numpy as np
from numpy.typing import NDArray

MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # those of MPEG-1, 2 and 2.5 audio
_PAGE_RATE = 24000


def resample(samples: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """The same sound at another rate, through a polyphase filter.

    Parameters
    ----------
    samples : array of float32, shape (n,)
    rate, wanted : int
        In Hz. Samples that have the rate already, or that are none, come back as they are.
    """
    if rate == wanted or not len(samples):
        return samples
    from scipy.signal import resample_poly  # takes 0.7 s to import

    common = gcd(wanted, rate)
    return resample_poly(samples, wanted // common, rate // common).astype(np.float32)


def data_uri(samples: NDArray[np.float32], rate: int, compression: float | None = None) -> str:
    """A clip as MP3 in a data URI, a tenth of the size of WAV; loudness is left alone, because it is a cue.

    Parameters
    ----------
    samples : array of float32, shape (n,)
    rate : int
        In Hz; one that MP3 cannot have becomes 24 kHz.
    compression : float, optional
        From 0 to 1; libsndfile's own otherwise.
    """
    import soundfile

    if rate not in MPEG_RATES:
        samples, rate = resample(samples, rate, _PAGE_RATE), _PAGE_RATE
    mp3, buffer = "MP3" in soundfile.available_formats(), io.BytesIO()  # since libsndfile 1.1; every browser plays it
    settings = {"format": "MP3", "compression_level": compression} if mp3 else {"format": "WAV"}
    soundfile.write(buffer, np.clip(samples, -1, 1), rate, **settings)
    return f"data:audio/{'mpeg' if mp3 else 'wav'};base64,{base64.b64encode(buffer.getvalue()).decode()}"
