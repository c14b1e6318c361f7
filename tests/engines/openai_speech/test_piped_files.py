"""Files that were written into a pipe do not know their length; other servers make such."""

import io

import pytest
import soundfile

from harness.chapters.ch09_higgs_api import faulty_server as faulty
from harness.engines.openai_speech.decode import CutAudio, OtherAudio, decode
from harness.engines.openai_speech.mp3 import _frame, counted_seconds, says_its_length

SAID = faulty.tone(2.0)


def read(content, asked="mp3", **more):
    return decode(content, asked, pcm_rate=24000, characters=20, **more)


def mp3(mode, rate=24000):
    buffer = io.BytesIO()
    soundfile.write(buffer, faulty.tone(2.0, rate), rate, format="MP3", bitrate_mode=mode, compression_level=0.5)
    return buffer.getvalue()


def piped(content):
    """Without the first frame, which holds the length."""
    without = content[_frame(content[:4])[0] :]
    assert says_its_length(content) and not says_its_length(without)
    return without


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 44100, 48000])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_the_frames_of_an_mp3_are_counted(mode, rate):
    assert counted_seconds(mp3(mode, rate)) == pytest.approx(2.1, abs=0.15)  # two or three frames more than the sound
    assert counted_seconds(b"ID3\x04\0\0\0\0\x01\x01" + bytes(129) + mp3(mode, rate)) == counted_seconds(
        mp3(mode, rate)
    )


@pytest.mark.parametrize("content", [b"", b"RIFF", b"\xff\xf3", b"ID3", bytes(99), b"\xff\xff\xff\xff"])
def test_what_is_no_mp3_has_no_frames(content):
    assert counted_seconds(content) == 0 and not says_its_length(content)


def test_an_mp3_without_a_length_is_taken_if_all_of_it_can_be_read():
    assert read(piped(mp3("CONSTANT"))).seconds == pytest.approx(2, abs=0.1)


def test_an_mp3_of_which_only_the_beginning_can_be_read_is_refused():
    with pytest.raises(OtherAudio, match="only its beginning"):
        read(piped(mp3("VARIABLE")))


def test_an_mp3_that_says_its_length_must_have_it():
    whole = mp3("VARIABLE")
    assert read(whole).seconds == pytest.approx(2, abs=0.1)
    with pytest.raises(CutAudio):
        read(whole[: len(whole) // 2])


def test_a_flac_without_a_length_is_refused_in_words():
    content = bytearray(faulty.encoded(SAID, kind="flac"))
    content[21] &= 0xF0  # 36 bits of STREAMINFO: the number of samples, 0 if it is unknown
    content[22:26] = bytes(4)
    with pytest.raises(OtherAudio, match="does not say how long it is"):
        read(bytes(content), "flac")
    assert read(faulty.encoded(SAID, kind="flac"), "flac").seconds == 2


def test_samples_whose_header_names_another_rate_are_refused():
    content = faulty.encoded(SAID, kind="pcm")
    assert read(content, "pcm", content_type="audio/pcm; rate=24000").seconds == 2
    with pytest.raises(OtherAudio, match="16000 Hz"):
        read(content, "pcm", content_type="audio/pcm; rate=16000")
