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

from harness.errors import DataError, HarnessError
from harness.paths import is_file

if TYPE_CHECKING:
    from soundfile import SoundFile

MIN_SECONDS = 0.05  # shorter than any word; nothing in it can be measured
MAX_SECONDS = 3600  # a clip is a sentence or a passage, but a small file can decode to days
SILENCE_PEAK = 10 ** (-60 / 20)  # a clip whose loudest sample is below -60 dBFS holds no speech
_BLOCK = 1 << 22  # samples of all channels that are decoded at once: 16 MB
_NO_LENGTH = 2**63 - 1  # the number of frames that libsndfile reports if the header does not say
_STREAMED = 0x7FFFF000  # a length in a WAV header from here on, or 0, was written before the length was known
_KINDS = "give a WAV, FLAC, OGG or MP3 file"


@dataclass(frozen=True)
class Audio:
    """One clip.

    Parameters
    ----------
    samples : array of float32, shape (n,)
        Mono samples; full scale is 1.
    sample_rate : int
        Rate in Hz.
    """

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


class AudioError(HarnessError):
    """Audio that cannot be used: not decodable, truncated, silent, too short, or not finite."""


class NotAudio(AudioError):
    """A file or bytes that no decoder can read."""


def read_audio(path: str | Path) -> Audio:
    """Read a WAV, FLAC, OGG or MP3 file to its end; channels are averaged.

    Raises
    ------
    DataError
        If the file is missing, not audio, truncated, empty, longer than `MAX_SECONDS`, holds NaN, or is silent; the message
        names it.
    """
    path = Path(path)
    if not is_file(path):
        raise DataError("audio file is missing, or not a file", path=path, remedy="paths are relative to the manifest")
    try:
        audio = decode_audio(path)
    except AudioError as error:
        raise DataError(error.message, path=path, remedy=error.remedy) from error
    if audio.seconds > MAX_SECONDS:
        raise DataError(
            f"the audio is longer than {MAX_SECONDS / 3600:.0f} h", path=path, remedy="cut it into sentences"
        )
    return audio


def decode_audio(source: Path | bytes, longest: float | None = None) -> Audio:
    """Decode a file, or the bytes of one, to its end, whether or not its header gives its length.

    libsndfile decodes everything except MP3 and FLAC without a length. It would read nothing of them, or only as much as it
    guesses from the first frame, so miniaudio decodes these.

    Parameters
    ----------
    source : Path or bytes
    longest : float, optional
        Seconds after which decoding stops, `MAX_SECONDS` by default. Longer sound is returned in part, with more than `longest`
        seconds, so that the caller can refuse it.

    Raises
    ------
    NotAudio
        If it cannot be read.
    AudioError
        If it is truncated, or `check_audio` raises one.
    """
    import soundfile

    longest = MAX_SECONDS if longest is None else longest
    try:
        with soundfile.SoundFile(str(source) if isinstance(source, Path) else io.BytesIO(source)) as file:
            kind, promised, rate = file.format, file.frames, file.samplerate
            known = kind != "MP3" and 0 < promised < _NO_LENGTH
            samples = _read_mono(file, longest) if known else np.zeros(0, np.float32)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError, MemoryError) as error:  # TypeError: x.raw
        reason = getattr(error, "error_string", "") or str(error).removeprefix(f"Error opening {str(source)!r}: ")
        raise NotAudio(f"not readable as audio: {reason}", remedy=_KINDS) from error
    if not known:
        content = source.read_bytes() if isinstance(source, Path) else source
        if kind in ("MP3", "FLAC"):
            samples, promised, rate = _read_by_miniaudio(content, kind, longest)
            if kind == "FLAC" and len(samples) <= longest * rate and _is_cut_flac(content):
                raise AudioError("the audio file is truncated or damaged: the checksum at its end is wrong")
        elif (whole := _with_length(content)) is not None:
            return decode_audio(whole, longest)
    if len(samples) <= longest * rate and (len(samples) < promised or _is_cut_wav(source)):
        raise AudioError("the audio file is truncated: its header promises more samples than it holds")
    return check_audio(Audio(samples, rate))


def check_audio(audio: Audio) -> Audio:
    """Return the audio if it can hold speech.

    Raises
    ------
    AudioError
        If it holds NaN, is shorter than `MIN_SECONDS`, or is silent.
    """
    # No copy of the samples is made: an hour at 48 kHz has 690 MB.
    low, high = (audio.samples.min(), audio.samples.max()) if len(audio.samples) else (0.0, 0.0)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise AudioError("the audio holds NaN or infinite samples")
    if audio.seconds < MIN_SECONDS:
        raise AudioError(f"the audio is empty or shorter than {MIN_SECONDS * 1000:.0f} ms")
    if max(-low, high) < SILENCE_PEAK:
        raise AudioError("the audio is silent")
    return audio


def _read_mono(file: SoundFile, longest: float) -> NDArray[np.float32]:
    """Decode in blocks: memory then depends on what is in the file, not on what its header promises."""
    samples, frames = np.zeros(0, np.float32), max(1, _BLOCK // file.channels)
    while len(samples) <= longest * file.samplerate and len(
        block := file.read(frames, dtype="float32", always_2d=True)
    ):
        samples = _extended(samples, block.mean(axis=1))
    return samples


def _extended(samples: NDArray[np.float32], more: NDArray[np.float32]) -> NDArray[np.float32]:
    """Append to an array in place, which takes half the memory of putting the parts together at the end."""
    before = len(samples)
    samples.resize(before + len(more), refcheck=False)
    samples[before:] = more
    return samples


def _read_by_miniaudio(content: bytes, kind: str, longest: float) -> tuple[NDArray[np.float32], int, int]:
    """Return the samples of an MP3 or FLAC file, the number of samples that its header or its frames promise, and their rate."""
    import miniaudio

    inspect = {"MP3": miniaudio.mp3_get_info, "FLAC": miniaudio.flac_get_info}[kind]
    samples = np.zeros(0, np.float32)
    try:
        info = inspect(content)
        channels, rate = info.nchannels, info.sample_rate
        blocks = miniaudio.stream_memory(content, miniaudio.SampleFormat.FLOAT32, channels, rate, _BLOCK // channels)
        while len(samples) <= longest * rate and (block := next(blocks, None)) is not None:
            samples = _extended(samples, np.array(block, np.float32).reshape(-1, channels).mean(axis=1))
    except miniaudio.MiniaudioError as error:
        raise NotAudio(f"not readable as audio: {error}", remedy=_KINDS) from error
    return samples, info.num_frames, rate


def _with_length(content: bytes) -> bytes | None:
    """Return a streamed WAV file with its lengths filled in; None if it holds no samples, or is not a WAV file."""
    riff = int.from_bytes(content[4:8], "little")
    if content[:4] != b"RIFF" or (0 < riff < _STREAMED and riff + 8 >= len(content)):
        return None
    place, size = 12, int.from_bytes(content[16:20], "little")
    while content[place : place + 4] not in (b"data", b""):
        place += 8 + size + size % 2
        size = int.from_bytes(content[place + 4 : place + 8], "little")
    start = place + 8
    if size or start >= len(content):
        return None
    lengths = [min(len(content) - first, _STREAMED).to_bytes(4, "little") for first in (8, start)]
    return b"".join((content[:4], lengths[0], content[8 : start - 4], lengths[1], content[start:]))


def _is_cut_wav(source: Path | bytes) -> bool:
    """Return whether a RIFF file is shorter than its header says; libsndfile reads such files without complaint."""
    if isinstance(source, Path):
        with source.open("rb") as handle:
            head, length = handle.read(8), source.stat().st_size
    else:
        head, length = source[:8], len(source)
    promised = int.from_bytes(head[4:8], "little")
    # One byte of padding may be missing.
    return head[:4] == b"RIFF" and 0 < promised < _STREAMED and promised + 8 > length + 1


def _is_cut_flac(content: bytes) -> bool:
    """Return whether a FLAC file ends inside a frame, or a frame is damaged.

    Each frame ends with its CRC-16, so the CRC-16 of any number of complete frames is 0.
    """
    if content[:4] != b"fLaC":
        return False  # FLAC in another container
    place, last = 4, False  # metadata blocks come before the frames
    while not last and place < len(content):
        last = content[place] >= 0x80
        place += 4 + int.from_bytes(content[place + 1 : place + 4])
    table = np.arange(256) << 8
    for _ in range(8):
        table = np.where(table & 0x8000, table << 1 ^ 0x8005, table << 1) & 0xFFFF
    steps, crc = table.tolist(), 0
    for byte in content[place:]:
        crc = (crc << 8 & 0xFF00) ^ steps[crc >> 8 ^ byte]
    return crc != 0


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


MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # the rates of MPEG-1, 2 and 2.5 audio
_PAGE_RATE = 24000


def resample(samples: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """Return the same sound at another rate, through a polyphase filter.

    Parameters
    ----------
    samples : array of float32, shape (n,)
    rate, wanted : int
        Rates in Hz. Samples that already have the wanted rate are returned unchanged.
    """
    if rate == wanted or not len(samples):
        return samples
    from scipy.signal import resample_poly  # takes 0.7 s to import

    common = gcd(wanted, rate)
    return resample_poly(samples, wanted // common, rate // common).astype(np.float32)


def data_uri(samples: NDArray[np.float32], rate: int, compression: float | None = None) -> str:
    """Return a clip as MP3 in a data URI, a tenth of the size of WAV. Its loudness is kept, because loudness is a cue.

    Parameters
    ----------
    samples : array of float32, shape (n,)
    rate : int
        Rate in Hz. Rates that MP3 does not have become 24 kHz.
    compression : float, optional
        Compression level from 0 to 1; the default of libsndfile if omitted.
    """
    import soundfile

    if rate not in MPEG_RATES:
        samples, rate = resample(samples, rate, _PAGE_RATE), _PAGE_RATE
    mp3, buffer = "MP3" in soundfile.available_formats(), io.BytesIO()  # since libsndfile 1.1; all browsers play it
    settings = {"format": "MP3", "compression_level": compression} if mp3 else {"format": "WAV"}
    soundfile.write(buffer, np.clip(samples, -1, 1), rate, **settings)
    return f"data:audio/{'mpeg' if mp3 else 'wav'};base64,{base64.b64encode(buffer.getvalue()).decode()}"
