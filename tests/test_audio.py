import numpy as np
import pytest
import soundfile

from harness.audio import Audio, read_audio, write_wav
from harness.errors import DataError

TONE = (0.5 * np.sin(np.linspace(0, 2000, 16000))).astype(np.float32)


def test_a_clip_survives_the_disk(tmp_path):
    write_wav(tmp_path / "a.wav", Audio(TONE * 3, 16000))
    clip = read_audio(tmp_path / "a.wav")
    assert clip.sample_rate == 16000 and clip.seconds == 1
    np.testing.assert_allclose(clip.samples, np.clip(TONE * 3, -1, 1), atol=1e-4)


@pytest.mark.parametrize(("subtype", "channels"), [("PCM_U8", 1), ("PCM_16", 2), ("FLOAT", 1), ("PCM_24", 2)])
def test_other_widths_and_stereo_are_read(tmp_path, subtype, channels):
    soundfile.write(tmp_path / "a.wav", np.column_stack([TONE] * channels), 22050, subtype=subtype)
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav").samples, TONE, atol=0.01)


def make_empty(path):
    soundfile.write(path, TONE[:0], 16000)


def make_silent(path):
    soundfile.write(path, TONE * 0, 16000)


def make_truncated(path):
    soundfile.write(path, TONE, 16000)
    path.write_bytes(path.read_bytes()[:9000])


def make_text(path):
    path.write_text("this is not audio")


def make_nan(path):
    soundfile.write(path, np.full(16000, np.nan, dtype=np.float32), 16000, subtype="FLOAT")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_empty, "empty"),
        (make_silent, "silent"),
        (make_truncated, "truncated"),
        (make_text, "not readable as audio"),
        (make_nan, "NaN"),
        (lambda path: None, "missing"),
        (lambda path: path.mkdir(), "missing"),
    ],
)
def test_bad_files_are_named(tmp_path, make, message):
    path = tmp_path / "bad.wav"
    make(path)
    with pytest.raises(DataError) as caught:
        read_audio(path)
    assert message in str(caught.value) and str(path) in str(caught.value)
