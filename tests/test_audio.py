"""Audio files in and out: what is read, what is refused, and why."""

import io
import tracemalloc

import numpy as np
import pytest
import soundfile

from harness.audio import Audio, AudioError, decode_audio, read_audio, write_audio, write_wav
from harness.errors import DataError

TONE = (0.5 * np.sin(np.linspace(0, 2000, 16000))).astype(np.float32)


def encoded(kind, samples=TONE, rate=16000, **settings):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, **settings)
    return buffer.getvalue()


def test_a_clip_survives_the_disk(tmp_path):
    write_wav(tmp_path / "a.wav", Audio(TONE * 3, 16000))
    clip = read_audio(tmp_path / "a.wav")
    assert clip.sample_rate == 16000 and clip.seconds == 1
    np.testing.assert_allclose(clip.samples, np.clip(TONE * 3, -1, 1), atol=1e-4)


@pytest.mark.parametrize(("subtype", "channels"), [("PCM_U8", 1), ("PCM_16", 2), ("FLOAT", 1), ("PCM_24", 2)])
def test_other_widths_and_stereo_are_read(tmp_path, subtype, channels):
    soundfile.write(tmp_path / "a.wav", np.column_stack([TONE] * channels), 22050, subtype=subtype)
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav").samples, TONE, atol=0.01)


WAV = encoded("WAV", subtype="PCM_16")


@pytest.mark.parametrize(("name", "begins", "format_", "most"), [
    ("x.wav", b"RIFF", "WAV", 1e-4), ("x", b"RIFF", "WAV", 1e-4), ("x.FLAC", b"fLaC", "FLAC", 1e-4),
    ("x.ogg", b"OggS", "OGG", 0.2), ("x.y.mp3", b"\xff", "MP3", 0.2),
])  # fmt: skip
@pytest.mark.parametrize("rate", [16000, 22050, 17000])
def test_the_format_follows_the_suffix(tmp_path, name, begins, format_, most, rate):
    path, samples = tmp_path / name, np.tile(TONE, 5)
    path.write_bytes(b"old" * 10**6)
    write_audio(path, Audio(samples * 3, rate))
    assert path.read_bytes().startswith(begins) and soundfile.info(path).format == format_
    clip = read_audio(path)
    resampled = format_ == "MP3" and rate == 17000
    assert clip.sample_rate == (24000 if resampled else rate)
    assert clip.seconds == pytest.approx(5 * 16000 / rate, abs=0.001)
    if not resampled:
        assert np.abs(clip.samples - np.clip(samples * 3, -1, 1)).mean() < most


def test_a_wav_has_the_same_bytes_by_either_way(tmp_path):
    for write, name in ((write_audio, "a.wav"), (write_wav, "b.wav")):
        write(tmp_path / name, Audio(TONE * 3, 22050))
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


@pytest.mark.parametrize("name", ["x.m4a", "x.txt", "x.wav.gz", "x.TextGrid"])
def test_an_unknown_suffix_is_refused(tmp_path, name):
    with pytest.raises(DataError, match=r"cannot be written in the format .* ends in \.wav, \.flac, \.ogg, \.mp3"):
        write_audio(tmp_path / name, Audio(TONE, 16000))
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (encoded("WAV", TONE[:0]), "empty"),
        (encoded("WAV", TONE * 0), "silent"),
        (WAV[:9000], "truncated"),
        (b"this is not audio", "not readable as audio"),
        (b"\xff\xfb" + bytes(200), "not readable as audio"),
        (encoded("WAV", np.full(16000, np.nan, np.float32), subtype="FLOAT"), "NaN"),
    ],
)
def test_bad_files_are_named(tmp_path, content, message):
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_audio(path)
    assert message in str(caught.value) and str(path) in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "nothing.wav", tmp_path):
        with pytest.raises(DataError, match=rf"{path}: audio file is missing"):
            read_audio(path)


def test_samples_without_a_header_are_no_audio_file(tmp_path):
    path = tmp_path / "clip.raw"
    path.write_bytes(bytes(32000))
    with pytest.raises(DataError, match=r"clip\.raw: not readable as audio"):
        read_audio(path)


@pytest.mark.parametrize("riff", [0, 36, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("data", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wav_that_was_streamed_is_read_to_its_end(tmp_path, riff, data):
    content = bytearray(WAV)
    assert content[36:40] == b"data"
    content[4:8], content[40:44] = riff.to_bytes(4, "little"), data.to_bytes(4, "little")
    path = tmp_path / "streamed.wav"
    path.write_bytes(content)
    np.testing.assert_array_equal(read_audio(path).samples, decode_audio(WAV).samples)
    np.testing.assert_array_equal(decode_audio(bytes(content)).samples, decode_audio(WAV).samples)


def test_a_streamed_wav_may_have_other_chunks_before_its_samples():
    note = b"LIST\x05\0\0\0data!\0"  # an odd length is padded
    streamed = WAV[:4] + bytes(4) + WAV[8:36] + note + b"data" + bytes(4) + WAV[44:]
    np.testing.assert_array_equal(decode_audio(streamed).samples, decode_audio(WAV).samples)


def mp3(mode, rate, has_length):
    """Two seconds of a 200 Hz tone; without its first frame, which holds the length, as an MP3 that was streamed."""
    said = (0.3 * np.sin(2 * np.pi * 200 * np.arange(2 * rate) / rate)).astype(np.float32)
    content = encoded("MP3", said, rate, bitrate_mode=mode, compression_level=0.5)
    return content if has_length else content[content.index(b"\xff", 4 + content[4:].index(b"LAME")) :]


@pytest.mark.parametrize("rate", [8000, 24000, 44100])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_is_read_to_its_end_with_and_without_a_length(tmp_path, mode, rate):
    path = tmp_path / "said.mp3"
    for has_length, slack in ((True, 0), (False, 0.2)):  # without, the encoder's padding of two or three frames stays
        path.write_bytes(mp3(mode, rate, has_length))
        clip = read_audio(path)
        assert clip.seconds == pytest.approx(2, abs=slack) and clip.sample_rate == rate
        spectrum = np.abs(np.fft.rfft(clip.samples))
        assert np.argmax(spectrum) / clip.seconds == pytest.approx(200, abs=1)


def test_a_cut_mp3_is_found_by_its_length():
    content = mp3("VARIABLE", 24000, True)
    with pytest.raises(AudioError, match="truncated"):
        decode_audio(content[: len(content) // 2])


def flac_without_length():
    content = bytearray(encoded("FLAC"))
    content[21] &= 0xF0  # 36 bits of STREAMINFO: the number of samples, 0 if it is unknown
    content[22:26] = bytes(4)
    return bytes(content)


def test_a_flac_without_a_length_is_read_to_its_end():
    expected = decode_audio(encoded("FLAC")).samples
    np.testing.assert_array_equal(decode_audio(flac_without_length()).samples, expected)


@pytest.mark.parametrize("lost", [1, 500, 5000])
def test_a_cut_flac_without_a_length_is_found_by_its_checksum(lost):
    with pytest.raises(AudioError, match="truncated or damaged"):
        decode_audio(flac_without_length()[:-lost])


def test_a_header_that_claims_days_of_audio_costs_no_memory(tmp_path):
    """A FLAC says in 36 bits how many samples it holds; they were all allocated before the first was read."""
    content = bytearray(encoded("FLAC"))
    content[21:26] = bytes([content[21] | 0x0F, 0xFF, 0xFF, 0xFF, 0xFF])
    path = tmp_path / "liar.flac"
    path.write_bytes(content)
    with soundfile.SoundFile(path) as file:
        assert file.frames > 10**10
    tracemalloc.start()
    with pytest.raises(DataError, match=r"liar\.flac: (the audio file is truncated|not readable as audio)"):
        read_audio(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6


@pytest.mark.parametrize("kind", ["flac", "mp3"])
def test_a_small_file_that_decodes_to_hours_is_refused(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("harness.audio.MAX_SECONDS", 10)
    path = tmp_path / f"long.{kind}"
    soundfile.write(path, np.tile(TONE, 11), 16000)
    with pytest.raises(DataError, match=rf"long\.{kind}: the audio is longer than"):
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
