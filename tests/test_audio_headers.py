"""Audio files whose header has no length, or a wrong one, are read to their end; a file that was cut is refused."""

import io
import struct

import numpy as np
import pytest
import soundfile
from helpers import command

from harness.audio import AudioError, decode_audio, read_audio

RATE, SECONDS = 16000, 2
TONE = (0.3 * np.sin(2 * np.pi * 200 * np.arange(SECONDS * RATE) / RATE)).astype(np.float32)
PCM = (TONE * 32767).astype("<i2").tobytes()
NONE, MAXIMUM, SOX = 0, 0xFFFFFFFF, 0x7FFFFFFF


def encoded(kind, rate=RATE, channels=1, **settings):
    samples = (0.3 * np.sin(2 * np.pi * 200 * np.arange(SECONDS * rate) / rate)).astype(np.float32)
    buffer = io.BytesIO()
    soundfile.write(buffer, np.column_stack([samples] * channels), rate, format=kind, **settings)
    return buffer.getvalue()


def chunk(name, content, size=None):
    length = len(content) if size is None else size
    return name + struct.pack("<I", length) + content + b"\0" * (len(content) % 2)


FORMAT = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))
NOTE = chunk(b"LIST", b"INFOISFT\x05\0\0\0Lavf\0\0")


def wav(*chunks, size=None, name=b"RIFF"):
    body = b"WAVE" + b"".join(chunks)
    return name + struct.pack("<I", len(body) if size is None else size) + body


def ds64(riff, data):
    return chunk(b"ds64", struct.pack("<QQQI", riff, data, data // 2, 0))


def rf64(wide, data=MAXIMUM, name=b"RF64"):
    return wav(*wide, FORMAT, chunk(b"data", PCM, data), size=MAXIMUM, name=name)


KNOWN = [ds64(72 + len(PCM), len(PCM))]
WHOLE = {
    "RIFF correct, data 0": wav(FORMAT, chunk(b"data", PCM, NONE)),
    "RIFF correct, data maximum": wav(FORMAT, chunk(b"data", PCM, MAXIMUM)),
    "RIFF 36, data 0": wav(FORMAT, chunk(b"data", PCM, NONE), size=36),
    "ffmpeg": wav(FORMAT, NOTE, chunk(b"data", PCM, MAXIMUM), size=MAXIMUM),
    "sox": wav(FORMAT, chunk(b"data", PCM, SOX - 36), size=SOX),
    "RIFF 0, data correct": wav(FORMAT, chunk(b"data", PCM), size=NONE),
    "chunks after the samples": wav(FORMAT, chunk(b"data", PCM), NOTE, NOTE),
    "bytes after the end": wav(FORMAT, chunk(b"data", PCM)) + b"junk" * 99,
    "RF64": rf64(KNOWN),
    "RF64, lengths 0": rf64([ds64(0, 0)]),
    "RF64, lengths 0 and data 0": rf64([ds64(0, 0)], NONE),
    "RF64, lengths maximum": rf64([ds64(2**64 - 1, 2**64 - 1)]),
    "RF64 without lengths": rf64([]),
    "BW64": rf64(KNOWN, name=b"BW64"),
    "W64": encoded("W64", subtype="PCM_16"),
    "AIFF": encoded("AIFF", subtype="PCM_16"),
    "AU, unknown length": encoded("AU", subtype="PCM_16")[:8] + b"\xff" * 4 + encoded("AU", subtype="PCM_16")[12:],
}


@pytest.mark.parametrize("name", WHOLE)
def test_it_is_read_to_its_end(tmp_path, name):
    (tmp_path / "x.wav").write_bytes(WHOLE[name])
    for clip in (read_audio(tmp_path / "x.wav"), decode_audio(WHOLE[name])):
        assert len(clip.samples) == len(TONE)
        np.testing.assert_allclose(clip.samples, TONE, atol=1e-4)


@pytest.mark.parametrize("data", [NONE, MAXIMUM, None])
def test_an_odd_number_of_bytes_is_read(data):
    eight = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, RATE, 1, 8))
    content = wav(eight, chunk(b"data", bytes(np.uint8(128 + 99 * TONE))[:-1], data))
    for whole in (content, content[:-1]):  # with and without the byte of padding
        assert len(decode_audio(whole).samples) == (len(TONE) - 1 if data is None else len(whole) - 44)


@pytest.mark.parametrize("content", [
    WHOLE["chunks after the samples"][:40000], WHOLE["chunks after the samples"][:-40],
    wav(FORMAT, chunk(b"data", PCM))[:-2], wav(FORMAT, chunk(b"data", PCM), size=NONE)[:40000],
    wav(FORMAT, chunk(b"data", PCM), size=MAXIMUM)[:40000], wav(FORMAT, chunk(b"data", PCM[:40000], len(PCM))),
    WHOLE["RF64"][:40000], WHOLE["BW64"][:40000], WHOLE["W64"][:40000], WHOLE["AIFF"][:40000],
    encoded("AU", subtype="PCM_16")[:40000],
])  # fmt: skip
def test_a_known_length_beyond_the_end_is_a_cut_file(content):
    with pytest.raises(AudioError, match="truncated: its header promises more samples than it holds"):
        decode_audio(content)


@pytest.mark.parametrize("content", [wav(FORMAT, chunk(b"data", b"", NONE), *rest, size=size)
                                     for rest in ((), (NOTE,)) for size in (NONE, MAXIMUM, None)])  # fmt: skip
def test_a_file_without_samples_is_empty(content):
    with pytest.raises(AudioError, match="empty"):
        decode_audio(content)


# --- MP3 -------------------------------------------------------------------------------------------------------------


def mp3(rate=24000, channels=1, mode="VARIABLE"):
    return encoded("MP3", rate, channels, bitrate_mode=mode, compression_level=0.5)


def bare(content):
    """Without the first frame, which holds the length."""
    return content[content.index(content[:2], 4) :]


ID3 = b"ID3\x03\0\0\0\0\x10\0" + bytes(2048)
APE = (b"APETAGEX" + struct.pack("<IIII", 2000, 54, 1, 1 << 31) + bytes(8) + struct.pack("<II", 11, 0) + b"TITLE\0aaaaaaaa"
       + b"APETAGEX" + struct.pack("<IIII", 2000, 54, 1, 0) + bytes(8))  # fmt: skip


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 16000, 22050, 24000, 44100, 48000])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
def test_an_mp3_is_read_to_its_end(rate, channels, mode):
    whole = mp3(rate, channels, mode)
    clip = decode_audio(whole)
    assert clip.seconds == SECONDS and clip.sample_rate == rate
    clip = decode_audio(bare(whole))
    assert SECONDS <= clip.seconds <= SECONDS + 4 * 576 / min(rate, 24000) + 0.1  # the encoder's padding stays
    assert np.argmax(np.abs(np.fft.rfft(clip.samples))) / clip.seconds == pytest.approx(200, abs=1)


@pytest.mark.parametrize("before", [b"", ID3, ID3 * 2, bytes(700), b"HTTP/1.1 200 OK\r\n\r\n", bytes(range(250)) * 9])
@pytest.mark.parametrize("after", [b"", b"TAG" + bytes(125), APE, APE + b"TAG" + bytes(125), bytes(999), b"\n", ID3])
def test_tags_and_other_bytes_around_an_mp3_are_skipped(before, after, capfd):
    whole = mp3()
    if before in (b"", ID3, ID3 * 2):
        assert decode_audio(before + whole + after).seconds == SECONDS
    found = decode_audio(before + bare(whole) + after).seconds
    assert SECONDS <= found <= decode_audio(bare(whole)).seconds
    assert capfd.readouterr().err == "", "libmpg123 warns of inexact lengths"


@pytest.mark.parametrize("before", [b"", ID3])
def test_a_cut_mp3_of_known_length_is_refused(before, capfd):
    whole = mp3()
    for end in (len(whole) // 2, -2000, -200, -1):
        with pytest.raises(AudioError, match="truncated"):
            decode_audio(before + whole[:end])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_cut_ogg_is_refused(tmp_path, subtype):
    whole = encoded("OGG", rate=48000, subtype=subtype)
    (tmp_path / "x.ogg").write_bytes(whole)
    for source in (whole, whole + b"junk" * 99):
        assert decode_audio(source).seconds == pytest.approx(SECONDS, abs=0.01)
    assert read_audio(tmp_path / "x.ogg").seconds == pytest.approx(SECONDS, abs=0.01)
    for length in (len(whole) - 1, len(whole) * 2 // 3, whole.rfind(b"OggS")):
        with pytest.raises(AudioError):
            decode_audio(whole[:length])


def test_what_is_no_audio_is_not_taken_for_mp3():
    generator = np.random.default_rng(0)
    noise = [generator.integers(0, 256, size, dtype=np.uint8).tobytes() for size in (100, 5000, 300_000)]
    for content in (*noise, b"\xff" * 64000, b"\xff\xfb\x90\x00" * 4000, PCM, b"We pay. " * 9999, bytes(64000)):
        with pytest.raises(AudioError):
            decode_audio(content)


def test_every_command_reads_an_mp3_without_a_length(tmp_path):
    assert command("say", "We guarantee thirty percent savings", "-o", tmp_path / "a.mp3").returncode == 0
    (tmp_path / "b.mp3").write_bytes(bare((tmp_path / "a.mp3").read_bytes()))
    whole = read_audio(tmp_path / "a.mp3").seconds
    done = command("align", tmp_path / "b.mp3", "--text", "We guarantee thirty percent savings")
    assert done.returncode == 0 and read_audio(tmp_path / "b.mp3").seconds == pytest.approx(whole, abs=0.2)
    assert f"in {read_audio(tmp_path / 'b.mp3').seconds:.2f} s" in done.stdout.decode()
