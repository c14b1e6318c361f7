"""Audio in memory and on disk: mono float32 samples and their rate."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.audio_headers import after_id3, begins_mp3, is_cut_flac, is_cut_ogg, log_tells_cut, with_length
from harness.errors import DataError, HarnessError
from harness.paths import is_file
from harness.store import write_atomic

if TYPE_CHECKING:
    from soundfile import SoundFile

MIN_SECONDS = 0.05  # shorter than any word; nothing in it can be measured
MAX_SECONDS = 3600  # a clip is a sentence or a passage, but a small file can decode to days
SILENCE_PEAK = 10 ** (-60 / 20)  # a clip whose loudest sample is below -60 dBFS holds no speech
_BLOCK = 1 << 22  # samples of all channels that are decoded at once: 16 MB
_NO_LENGTH = 2**63 - 1  # the number of frames that libsndfile reports if the header does not say
_MP3_FRAME = 1152  # samples of a frame, at most
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
    if begins_mp3(source):
        with suppress(NotAudio):  # an ID3 tag may also precede FLAC
            return _decode_mp3(source, longest)
    try:
        with soundfile.SoundFile(str(source) if isinstance(source, Path) else io.BytesIO(source)) as file:
            kind, promised, rate = file.format, file.frames, file.samplerate
            known = 0 < promised < _NO_LENGTH
            samples = _read_mono(file, longest) if known else np.zeros(0, np.float32)
            is_cut = log_tells_cut(file.extra_info) or (kind == "OGG" and is_cut_ogg(source))
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError, MemoryError) as error:  # TypeError: x.raw
        if (whole := with_length(source)) is not None:
            return decode_audio(whole, longest)
        with suppress(NotAudio):  # something may precede the first frame of MP3
            return _decode_mp3(source, longest)
        reason = getattr(error, "error_string", "") or str(error).removeprefix(f"Error opening {str(source)!r}: ")
        raise NotAudio(f"not readable as audio: {reason}", remedy=_KINDS) from error
    if not known:
        if kind == "FLAC":
            content = source.read_bytes() if isinstance(source, Path) else source
            samples, promised, rate = _read_by_miniaudio(content, kind, longest)
            if len(samples) <= longest * rate and is_cut_flac(content):
                raise AudioError("the audio file is truncated or damaged: the checksum at its end is wrong")
        elif (whole := with_length(source)) is not None:
            return decode_audio(whole, longest)
    return _complete(samples, rate, promised, longest, is_cut=is_cut)


def _complete(samples: NDArray[np.float32], rate: int, promised: int, longest: float, *, is_cut: bool = False) -> Audio:
    if len(samples) <= longest * rate and (len(samples) < promised or is_cut):
        raise AudioError("the audio file is truncated: its header promises more samples than it holds")
    return check_audio(Audio(samples, rate))


def _decode_mp3(source: Path | bytes, longest: float) -> Audio:
    """Decode MP3 by miniaudio, which looks for the first frame and, unlike libsndfile, reads to the end without a length."""
    content = source.read_bytes() if isinstance(source, Path) else source
    samples, promised, rate = _read_by_miniaudio(after_id3(content), "MP3", longest)
    if not len(samples):
        raise NotAudio("not readable as audio: no frame of MP3", remedy=_KINDS)
    if promised - 2 * _MP3_FRAME <= len(samples) < promised:
        samples = _read_by_libsndfile(content, longest)
    return _complete(samples, rate, promised, longest)


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


def _read_by_libsndfile(content: bytes, longest: float) -> NDArray[np.float32]:
    """Decode an MP3 whose last frame miniaudio leaves out, because tags or zeros follow it."""
    import soundfile

    with _silent_stderr(), suppress(soundfile.LibsndfileError), soundfile.SoundFile(io.BytesIO(content)) as file:
        return _read_mono(file, longest)
    return np.zeros(0, np.float32)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Discard what a C library writes to standard error: libmpg123 warns there of every inexact length."""
    try:
        kept = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


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


def format_of(path: str | Path) -> tuple[str, str]:
    """Return container and subtype, as libsndfile calls them, for the suffix of a file; WAV if it has none.

    Raises
    ------
    DataError
        If there is no such format.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise DataError(f"audio cannot be written in the format {suffix!r}", path=path,
                        remedy=f"choose a name that ends in {', '.join(filter(None, FORMATS))}")  # fmt: skip
    return FORMATS[suffix]


def write_audio(path: str | Path, audio: Audio) -> None:
    """Write mono audio in the format of the suffix (see `format_of`), all at once; samples beyond full scale are clipped.

    WAV and FLAC have 16 bits. A rate that MP3 does not have becomes 24 kHz.

    Raises
    ------
    DataError
        If there is no such format, or the file cannot be written.
    """
    container, subtype = format_of(path)
    samples, rate = audio.samples, audio.sample_rate
    if container == "MP3" and rate not in MPEG_RATES:
        samples, rate = resample(samples, rate, _PAGE_RATE), _PAGE_RATE
    remedy = "check that the folder exists and has room"
    try:
        write_atomic(path, encoded(samples, rate, container, subtype))
    except RuntimeError as error:  # of libsndfile
        raise DataError(f"the audio file cannot be written: {error}", path=path, remedy=remedy) from error
    except DataError as error:
        raise DataError(f"the audio file {error.message}", path=path, remedy=remedy) from error


def encoded(samples: NDArray[np.float32], rate: int, container: str, subtype: str) -> bytes:
    """Return samples as the bytes of a mono file, by libsndfile; samples beyond full scale are clipped."""
    import soundfile

    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, 1, subtype, format=container) as file:
        for start in range(0, len(samples), _WRITTEN):
            file.write(np.clip(samples[start : start + _WRITTEN], -1, 1))
    return buffer.getvalue()


FORMATS = {
    "": ("WAV", "PCM_16"),
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}  # container and subtype of each suffix
_WRITTEN = 65536  # samples encoded at once: libsndfile's Ogg encoders keep a block on the stack
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
