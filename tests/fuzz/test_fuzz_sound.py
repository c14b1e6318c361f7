"""Headers of audio files from anywhere, and of audio that a server sends."""

import io

import numpy as np
import soundfile
from attack import attack, mutated, read_or_refused
from hypothesis import strategies as st

from harness.audio import MAX_SECONDS, AudioError, read_audio
from harness.engines.openai_speech.answers import decode

RATE = 24000
TONE = (0.4 * np.sin(np.arange(RATE // 4) * 0.06)).astype(np.float32)
HEADER = 60  # bytes in which most mutations are: decoders trust them


def encoded(kind: str, subtype: str | None, channels: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.column_stack([TONE] * channels), RATE, format=kind, subtype=subtype)
    return buffer.getvalue()


WAVS = [encoded("WAV", *kind) for kind in (("PCM_16", 1), ("FLOAT", 2), ("PCM_U8", 1))]
FILES = [*WAVS, *(encoded(kind, None, 1) for kind in ("FLAC", "OGG", "MP3"))]


@st.composite
def sounds(draw):
    content = draw(st.sampled_from(FILES))
    if draw(st.booleans()):
        return mutated(draw, content)
    head = bytearray(content[:HEADER])
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, HEADER - 1))
        head[at : at + 1] = draw(st.sampled_from([b"\x00", b"\xff", b"\x7f", b"\x01"]))
    return bytes(head) + content[HEADER : draw(st.sampled_from([len(content), HEADER, len(content) // 2]))]


@attack("audio files", sounds())
def test_audio_file(tally, folder, content):
    """A clip of finite samples, or an error that names the file."""
    if clip := read_or_refused(tally, folder / "clip.wav", content, read_audio):
        assert clip.samples.ndim == 1 and np.isfinite(clip.samples).all() and 0 < clip.seconds <= MAX_SECONDS


@attack(
    "audio that a server sends",
    sounds(),
    st.sampled_from(["wav", "pcm", "mp3", "flac", "opus"]),
    st.sampled_from(["", "audio/wav", "audio/pcm; rate=24000", "text/html", "application/json"]),
)
def test_server_audio(tally, folder, content, asked, kind):
    """A clip that can be speech of the text, or an error with the reason."""
    try:
        clip = decode(content, kind, asked=asked, pcm_rate=RATE, characters=40)
    except AudioError as error:
        tally.refused(error)
        return
    assert np.isfinite(clip.samples).all() and 0 < clip.seconds <= 60
    tally.count("accepted")
