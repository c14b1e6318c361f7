"""Audio in memory and on disk: mono float32 samples and their rate."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.paths import is_file

if TYPE_CHECKING:
    from soundfile import SoundFile

MIN_SECONDS = 0.05  # less than the shortest word; nothing in it can be measured
MAX_SECONDS = 3600  # a clip is a sentence or a passage; a small file can promise, or unfold to, days
SILENCE_PEAK = 10 ** (-60 / 20)  # a clip whose loudest sample is below -60 dBFS holds no speech
_BLOCK = 1 << 22  # samples of all channels that are decoded at once: 16 MB


@dataclass(frozen=True)
class Audio:
    """One clip.

    Parameters
    ----------
    samples : array of float32, shape (n,)
        Mono, full scale is 1.
    sample_rate : int
        In Hz.
    """

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


def read_audio(path: str | Path) -> Audio:
    """Read any file libsndfile knows (WAV, FLAC, OGG, MP3); channels are averaged.

    Raises
    ------
    DataError
        If the file is missing, not audio, truncated, empty, longer than `MAX_SECONDS`, holds NaN, or is silent; the message
        names it.
    """
    import soundfile

    path = Path(path)
    if not is_file(path):
        raise DataError("audio file is missing, or not a file", path=path, remedy="paths are relative to the manifest")
    try:
        with soundfile.SoundFile(str(path)) as file:
            promised, rate = file.frames, file.samplerate
            samples = read_mono(file, MAX_SECONDS)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError) as error:  # TypeError: x.raw
        raise DataError(f"not readable as audio: {str(error).removeprefix(f'Error opening {str(path)!r}: ')}", path=path,
                        remedy="give a WAV, FLAC, OGG or MP3 file") from error  # fmt: skip
    if len(samples) > MAX_SECONDS * rate:
        raise DataError(
            f"the audio is longer than {MAX_SECONDS / 3600:.0f} h", path=path, remedy="cut it into sentences"
        )
    if len(samples) < promised or _wav_is_cut(path):
        raise DataError("the audio file is truncated: its header promises more samples than it holds", path=path)
    if not np.isfinite(samples).all():
        raise DataError("the audio holds NaN or infinite samples", path=path)
    if len(samples) < MIN_SECONDS * rate:
        raise DataError(f"the audio is empty or shorter than {MIN_SECONDS * 1000:.0f} ms", path=path)
    if np.abs(samples).max() < SILENCE_PEAK:
        raise DataError("the audio is silent", path=path)
    return Audio(samples, rate)


def read_mono(file: SoundFile, seconds: float) -> NDArray[np.float32]:
    """Decode an open file, channels averaged, block by block: memory follows what is in the file, not what its header promises.

    Parameters
    ----------
    file : SoundFile
    seconds : float
        Nothing is read beyond the block in which they end.

    Returns
    -------
    array of float32, shape (n,)
        Longer than `seconds` where there is more: the caller tells by the length.
    """
    most, parts, found = seconds * file.samplerate, [np.zeros(0, np.float32)], 0
    frames = max(1, _BLOCK // file.channels)
    while found <= most and len(block := file.read(frames, dtype="float32", always_2d=True)):
        parts.append(block.mean(axis=1))
        found += len(block)
    return np.concatenate(parts)


def _wav_is_cut(path: Path) -> bool:
    """Whether a RIFF file is shorter than its header says; libsndfile reads such files without complaint."""
    with path.open("rb") as handle:
        head = handle.read(8)
    if head[:4] != b"RIFF":
        return False
    promised = int.from_bytes(head[4:8], "little")
    streamed = promised in (0, 0xFFFFFFFF) or promised >= 0x7FFFF000  # writers that did not know the length
    return not streamed and promised + 8 > path.stat().st_size + 1  # one byte of padding may be missing


def write_wav(path: str | Path, audio: Audio) -> None:
    """Write 16-bit mono WAV; samples beyond full scale are clipped.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    import soundfile

    samples = np.clip(audio.samples, -1, 1)
    try:
        soundfile.write(str(path), samples, audio.sample_rate, subtype="PCM_16", format="WAV")
    except (soundfile.LibsndfileError, OSError) as error:
        raise DataError("the audio file cannot be written", path=path,
                        remedy="check that the folder exists and has room") from error  # fmt: skip


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
