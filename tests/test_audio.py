import tracemalloc

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


def test_samples_without_a_header_are_no_audio_file(tmp_path):
    path = tmp_path / "clip.raw"
    path.write_bytes(bytes(32000))
    with pytest.raises(DataError, match=r"clip\.raw: not readable as audio"):
        read_audio(path)


def test_a_header_that_promises_days_costs_no_memory(tmp_path):
    """A FLAC says in 36 bits how many samples it holds; they were all allocated before the first was read."""
    path = tmp_path / "liar.flac"
    soundfile.write(path, TONE, 16000)
    content = bytearray(path.read_bytes())
    content[21:26] = bytes(
        [content[21] | 0x0F, 0xFF, 0xFF, 0xFF, 0xFF]
    )  # STREAMINFO: its last 36 bits before the checksum
    path.write_bytes(content)
    with soundfile.SoundFile(path) as file:
        assert file.frames > 10**10
    tracemalloc.start()
    with pytest.raises(DataError, match=r"liar\.flac: (the audio file is truncated|not readable as audio)"):
        read_audio(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6


def test_a_small_file_that_unfolds_to_hours_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.audio.MAX_SECONDS", 10)
    path = tmp_path / "long.flac"
    soundfile.write(path, np.tile(TONE, 11), 16000)
    with pytest.raises(DataError, match=r"long\.flac: the audio is longer than"):
        read_audio(path)
    soundfile.write(path, np.tile(TONE, 10), 16000)
    assert read_audio(path).seconds == 10


def test_blocks_join_without_a_seam(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).uniform(-1, 1, (10_001, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", noise, 16000, subtype="FLOAT")
    whole = read_audio(tmp_path / "a.wav").samples
    monkeypatch.setattr("harness.audio._BLOCK", 64)
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav").samples, whole)
    np.testing.assert_array_equal(whole, noise.mean(axis=1))
