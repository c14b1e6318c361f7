"""Files that were written into a pipe do not know their length; other servers make such."""

import numpy as np
import pytest

from harness.engines.openai_speech.decode import CutAudio, OtherAudio, decode
from harness.serve import faulty

SAID = faulty.tone(2.0)


def read(content, asked="mp3", **more):
    return decode(content, asked, pcm_rate=24000, characters=20, **more)


def piped_mp3():
    """Without the first frame, which holds the length."""
    content = faulty.encoded(SAID, kind="mp3")
    assert b"Info" in content[:200] or b"Xing" in content[:200]
    following = content.index(content[:2], 4)
    return content[following:]


def test_an_mp3_without_a_length_is_taken_as_it_comes():
    audio = read(piped_mp3())
    assert audio.seconds == pytest.approx(2, abs=0.1) and np.abs(audio.samples).max() == pytest.approx(0.3, abs=0.03)


def test_an_mp3_that_says_its_length_must_have_it():
    whole = faulty.encoded(SAID, kind="mp3")
    assert read(whole).seconds == pytest.approx(2, abs=0.1)
    with pytest.raises(CutAudio):
        read(whole[: len(whole) // 2])


def test_a_flac_without_a_length_is_refused_in_words():
    content = bytearray(faulty.encoded(SAID, kind="flac"))
    content[21] &= 0xF0  # 36 bits of STREAMINFO: the number of samples, 0 if it is unknown
    content[22:26] = bytes(4)
    with pytest.raises(OtherAudio, match=r"does not say how long it is.*"):
        read(bytes(content), "flac")
    assert read(faulty.encoded(SAID, kind="flac"), "flac").seconds == 2


def test_samples_whose_header_names_another_rate_are_refused():
    content = faulty.encoded(SAID, kind="pcm")
    assert read(content, "pcm", content_type="audio/pcm; rate=24000").seconds == 2
    with pytest.raises(OtherAudio, match="16000 Hz"):
        read(content, "pcm", content_type="audio/pcm; rate=16000")
