"""What a server sent, as audio: files of every kind, also such as were written into a pipe, and answers that hold none."""

import json

import numpy as np
import pytest

from harness.audio import AudioError
from harness.chapters.ch09_higgs_api import faulty_server as faulty
from harness.engines.openai_speech.answers import decode, from_chat

SAID = faulty.tone(2.0)


def read(content, asked="wav", characters=20, **more):
    return decode(content, asked=asked, pcm_rate=24000, characters=characters, **more)


def test_a_streamed_wav_is_read_to_its_end():
    whole = faulty.encoded(SAID)
    for length in (b"\xff\xff\xff\xff", bytes(4)):
        content = whole[:4] + length + whole[8:40] + length + whole[44:]
        np.testing.assert_array_equal(read(content).samples, read(whole).samples)


def test_a_streamed_mp3_is_read_to_its_end():
    whole = faulty.encoded(SAID, kind="mp3")
    streamed = whole[whole.index(b"\xff", whole.index(b"LAME")) :]  # without the first frame, which holds the length
    assert read(whole, "mp3").seconds == 2
    assert read(streamed, "mp3").seconds == pytest.approx(2.1, abs=0.05)
    with pytest.raises(AudioError, match="truncated"):
        read(whole[: len(whole) // 2], "mp3")


def test_no_more_is_decoded_than_can_be_speech_of_the_text(monkeypatch):
    """Ten minutes of silence are a few kilobytes of FLAC."""
    monkeypatch.setattr("harness.audio._BLOCK", 24000)
    content = faulty.encoded(np.tile(SAID, 300), kind="flac")
    with pytest.raises(AudioError, match=r"lasts 61 s or more for 20 characters; at most 60 s is plausible"):
        read(content, "flac")
    assert read(content, "flac", characters=1000).seconds == 600


def test_a_chat_with_a_long_transcript_is_read():
    answer = {"choices": [{"message": {"audio": {"data": "UklGRg==", "transcript": "one, [two], " * 400}}}]}
    assert from_chat(json.dumps(answer).encode()) == b"RIFF"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"[" * 100_000, "something else came back instead of JSON"),
        (b'{"choices": [{"mess', "the JSON of the answer is cut off"),
        (b'{"detail": "no such model"}', "the answer holds no audio: no such model"),
        (b'{"choices": [{"finish_reason": "length", "message": {"audio": {"data": ""}}}]}', "limit of tokens"),
    ],
)
def test_a_chat_without_audio_is_explained(answer, message):
    with pytest.raises(AudioError, match=message):
        from_chat(answer)


@pytest.mark.parametrize(
    ("content", "content_type", "message"),
    [
        (b'{"detail": ["a", "b"]}', "", r'JSON \(\["a", "b"\]\) came back'),
        (b"not json", "application/json", "broken JSON came back"),
        (b"please wait", "text/plain", r"text \(please wait\) came back"),
    ],
)
def test_text_instead_of_audio_is_quoted(content, content_type, message):
    with pytest.raises(AudioError, match=message):
        read(content, content_type=content_type)
