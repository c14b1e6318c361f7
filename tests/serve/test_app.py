import asyncio
import base64
import io
import json
import socket
import time

import httpx
import numpy as np
import openai
import pytest
import soundfile
from server_process import refused

from harness.audio import Audio
from harness.engines.base import Speech, SpeechRequest, make_engine
from harness.serve.bodies import MAX_BODY, sentences
from harness.serve.pool import Pool
from harness.tagged import Tag, TaggedText

TEXT = "We <emph> guarantee 30% savings, <pause_long> don't we?"


@pytest.fixture(scope="module")
def client(espeak):
    with openai.OpenAI(base_url=espeak.url, api_key="not-needed", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def expected():
    return make_engine("espeak").speak(SpeechRequest(TaggedText.parse(TEXT))).audio


def same_sound(samples, rate, expected):
    assert len(samples) / rate == pytest.approx(expected.seconds, abs=0.05)
    energy = np.sqrt(np.mean(np.square(samples)))
    assert energy == pytest.approx(np.sqrt(np.mean(expected.samples**2)), rel=0.05)


# The official client


@pytest.mark.parametrize("name", ["mp3", "pcm"])
def test_speech(client, expected, name):
    answer = client.audio.speech.create(model="espeak", voice="default", input=TEXT, response_format=name)
    rate = int(answer.response.headers["x-sample-rate"])
    if name == "pcm":
        samples = np.frombuffer(answer.content, "<i2") / 32768
        assert rate == 24000
    else:
        samples, found = soundfile.read(io.BytesIO(answer.content))
        assert found == rate
    same_sound(samples, rate, expected)


def test_wav_is_what_the_engine_said(client, expected):
    answer = client.audio.speech.create(
        model="espeak",
        voice="en-us",
        input=TEXT,
        response_format="wav",
        extra_body={"sample_rate": expected.sample_rate},
    )
    samples, rate = soundfile.read(io.BytesIO(answer.content), dtype="float32")
    assert rate == expected.sample_rate and np.allclose(samples, expected.samples, atol=2e-4)
    assert answer.response.headers["content-type"] == "audio/wav"


def test_mp3_is_the_default(client):
    answer = client.audio.speech.create(model="espeak", voice="default", input="one")
    assert answer.response.headers["content-type"] == "audio/mpeg"
    assert soundfile.info(io.BytesIO(answer.content)).format == "MP3"
    with pytest.raises(openai.BadRequestError, match=r"line 2, column 4: unknown tag <loud>") as raised:
        client.audio.speech.create(model="espeak", voice="en-us", input="one\ntwo<loud> three")
    assert (raised.value.code, raised.value.param) == ("invalid_tag", "input")
    with pytest.raises(
        openai.BadRequestError, match=r"line 1, column 5: unknown tag <\|pause\|> .did you mean <pause_short>"
    ):
        client.audio.speech.create(model="espeak", voice="en-us", input="one <|pause|> two")


@pytest.mark.parametrize("name", ["wav", "pcm16"])
def test_chat(client, expected, name):
    parts = [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, {"type": "text", "text": TEXT}]
    answer = client.chat.completions.create(
        model="espeak",
        modalities=["text", "audio"],
        audio={"voice": "en-us", "format": name},
        messages=[{"role": "system", "content": "Speak slowly."}, {"role": "user", "content": parts}],
    )
    message = answer.choices[0].message
    assert message.role == "assistant" and answer.choices[0].finish_reason == "stop"
    assert message.content == message.audio.transcript == TaggedText.parse(TEXT).plain and message.audio.id
    assert abs(message.audio.expires_at - time.time()) < 10
    content = base64.b64decode(message.audio.data, validate=True)
    if name == "pcm16":
        same_sound(np.frombuffer(content, "<i2") / 32768, 24000, expected)
    else:
        same_sound(*soundfile.read(io.BytesIO(content)), expected)
    assert any("1 other messages" in warning for warning in answer.warnings)
    assert any("1 parts" in warning for warning in answer.warnings)


def test_streaming(client):
    text = "The first sentence is here. The second one follows <emph> it. And a third comes last."
    with client.audio.speech.with_streaming_response.create(
        model="espeak", voice="default", input=text, response_format="pcm", extra_body={"stream": True}
    ) as answer:
        assert answer.headers["transfer-encoding"] == "chunked" and "content-length" not in answer.headers
        parts = list(answer.iter_bytes())
    content = b"".join(parts)
    speak = make_engine("espeak").speak
    seconds = sum(speak(SpeechRequest(part)).audio.seconds for part in sentences(TaggedText.parse(text)))
    assert len(content) / 48000 == pytest.approx(seconds, abs=0.01) and len(parts) > 3


def test_a_stream_of_one_sentence_equals_the_whole(espeak):
    whole = espeak.speech("One sentence only", response_format="pcm")
    streamed = espeak.speech("One sentence only", response_format="pcm", stream=True)
    assert whole.content == streamed.content and len(whole.content) > 24000


def test_first_bytes_come_before_the_last_sentence_is_spoken(slow):
    body = {"model": "slow", "response_format": "pcm", "stream": True}
    body["input"] = "This one is quick. This one comes rather slowly."
    slow.speech()  # imports what resamples
    with slow.http.stream("POST", "/v1/audio/speech", json=body) as answer:
        parts = answer.iter_raw()
        content = next(parts)
        first = time.monotonic()
        content += b"".join(parts)
    assert time.monotonic() - first > 0.5  # the second sentence takes longer, however busy the machine is
    assert len(content) == pytest.approx(9 * 0.1 * 48000, abs=10)


def test_stream_that_fails_is_cut_off(slow):
    body = {"model": "slow", "response_format": "pcm", "stream": True}
    body["input"] = "This one is quick. This one has a bug."
    with pytest.raises(httpx.RemoteProtocolError), slow.http.stream("POST", "/v1/audio/speech", json=body) as answer:
        assert answer.status_code == 200
        answer.read()
    refused(
        slow.speech("At once a bug. And then more words.", response_format="pcm", stream=True), 500, "engine_failed"
    )
    assert slow.speech().status_code == 200


def test_models(client):
    assert [model.id for model in client.models.list()] == ["espeak"]
    assert client.models.retrieve("espeak").id == "espeak"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4o")


# Ours beyond OpenAI's


def test_health_and_voices(slow, espeak):
    health = {"status": "ok", "engine": "slow", "revision": "slow 1", "dialect": "ignore"}
    assert slow.http.get("/health").json() == health
    assert slow.http.get("/v1/audio/voices").json() == {"voices": ["low", "high"], "default": "low"}
    assert "en-us+f3" in espeak.http.get("/v1/audio/voices").json()["voices"]


def test_a_warning_names_what_is_left_out(slow):
    answer = slow.speech("so <emph> loud", instructions="whisper", **{"a: b\r\nX-Bad": 1})
    assert answer.headers["x-harness-warnings"] == (
        "<emph> on slot 1 cannot be expressed; the field instructions is ignored"
    )
    assert "x-harness-warnings" not in slow.speech().headers


def test_sample_rate(slow):
    for rate in (8000, 48000):
        answer = slow.speech(response_format="pcm", sample_rate=rate)
        assert answer.headers["x-sample-rate"] == str(rate) and len(answer.content) == pytest.approx(0.6 * rate, abs=4)
    refused(slow.speech(sample_rate=12345), 400, "unsupported_value", "sample_rate", within="24000")


def test_harmless_fields(slow):
    assert slow.speech(speed=1, stream=False, voice="default", seed=3, stream_format="audio").status_code == 200
    assert slow.speech(speed=1.0, voice=None, seed=None, stream=None).status_code == 200
    assert slow.speech(voice={"id": "high"}).content == slow.speech(voice="high").content != slow.speech().content
    assert slow.speech(model="slow_engine:Slow").status_code == 200


def test_sentences_keep_words_and_tags():
    text = TaggedText.parse(
        "One two three. <pause_long> Four <emph> five Dr. Six seven! Yes. Eight nine ten. <pitch_low>"
    )
    pieces = sentences(text)
    assert [piece.plain for piece in pieces] == ["One two three.", "Four five Dr. Six seven!", "Yes. Eight nine ten."]
    assert pieces[1].tags == ((0, Tag.PAUSE_LONG), (1, Tag.EMPH)) and pieces[2].tags == ((4, Tag.PITCH_LOW),)
    assert sentences(TaggedText.parse("One.")) == [TaggedText.parse("One.")]


# What is refused


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"text": ""}, 400, "empty_input", "input"),
        ({"text": "a" * 5001}, 400, "input_too_long", "input"),
        ({"text": "a <Emph> b"}, 400, "invalid_tag", "input"),
        ({"text": ...}, 400, "missing", "input"),
        ({"text": ["a"]}, 400, "string_type", "input"),
        ({"model": ...}, 400, "missing", "model"),
        ({"model": "tts-1"}, 404, "model_not_found", "model"),
        ({"voice": "alloy"}, 400, "unknown_voice", "voice"),
        ({"voice": "low\0\r\nX: y" * 1000}, 400, "unknown_voice", "voice"),
        ({"response_format": "aac"}, 400, "unsupported_format", "response_format"),
        ({"speed": 1.5}, 400, "unsupported_value", "speed"),
        ({"stream": True}, 400, "unsupported_value", "stream"),
        ({"stream_format": "sse"}, 400, "unsupported_value", "stream_format"),
        ({"seed": 2**32}, 400, "less_than", "seed"),
        ({"text": "refuse"}, 400, "engine_refused", "input"),
        ({"text": "bug"}, 500, "engine_failed", None),
        ({"text": "crash"}, 500, "engine_failed", None),
        ({"text": "nan"}, 500, "engine_failed", None),
    ],
)
def test_speech_errors(slow, fields, status, code, param):
    refused(slow.speech(**fields), status, code, param)
    assert any(slow.speech().status_code == 200 for _ in range(5))  # "crash" restarts the engine


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"stream": True}, 400, "unsupported_value", "stream"),
        ({"modalities": ["text"]}, 400, "unsupported_value", "modalities"),
        ({"n": 2}, 400, "unsupported_value", "n"),
        ({"audio": {"format": "aac"}}, 400, "unsupported_format", "audio.format"),
        ({"audio": {"voice": "x"}}, 400, "unknown_voice", "voice"),
        ({"messages": []}, 400, "empty_input", "messages"),
        ({"messages": [{"role": "user", "content": ["a"]}]}, 400, "invalid_type", "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, 400, "invalid_type", "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, 400, "empty_input", "messages"),
        ({"messages": [{"role": "user", "content": "a <b> c"}]}, 400, "invalid_tag", "messages"),
    ],
)
def test_chat_errors(slow, fields, status, code, param):
    body = {"model": "slow", "modalities": ["text", "audio"], "messages": [{"role": "user", "content": "hello"}]}
    assert slow.http.post("/v1/chat/completions", json=body).status_code == 200
    refused(slow.http.post("/v1/chat/completions", json={**body, **fields}), status, code, param)


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", "application/json", 400, "invalid_json"),
        (b"[]", "application/json", 400, "invalid_json"),
        (b"\xff\xfe\xfd", "application/json", 400, "invalid_json"),
        (b"[" * 200_000, "application/json", 400, "invalid_json"),
        (b"{}", "application/json; charset=utf-8", 400, "missing"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b" " * (MAX_BODY + 1), "application/json", 413, "request_too_large"),
    ],
)
def test_odd_bodies(slow, body, kind, status, code):
    answer = slow.http.post("/v1/audio/speech", content=body, headers={"Content-Type": kind})
    refused(answer, status, code, answer.json()["error"]["param"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/audio/speech/", 404),
        ("GET", "/v1/audio/speech", 405),
        ("PUT", "/v1/models", 405),
    ],
)
def test_unknown_routes_and_wrong_methods(slow, method, path, status):
    answer = slow.http.request(method, path)
    refused(answer, status, "not_found" if status == 404 else "method_not_allowed")
    assert status == 404 or answer.headers["allow"]


def test_body_in_chunks(slow):
    def post(*parts):
        return slow.http.post("/v1/audio/speech", content=iter(parts), headers={"Content-Type": "application/json"})

    assert post(b'{"model": "slow", ', b'"input": "one two"}').status_code == 200
    refused(post(*[b" " * 65536] * 100), 413, "request_too_large")
    assert slow.speech().status_code == 200


def test_hanging_engine(slow):
    start = time.monotonic()
    refused(slow.speech("hang"), 504, "timeout", within="2.5 s")
    assert 2.4 < time.monotonic() - start < 4
    # On a busy machine, the restart of the engine may take longer than a request may.
    assert any(slow.speech().status_code == 200 for _ in range(5))


def test_client_that_leaves(slow):
    body = json.dumps({"model": "slow", "input": "slowly", "response_format": "wav"}).encode()
    head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    for sent in (head.encode() + body, head.encode() + body[:5], head.encode()[:20]):
        with socket.create_connection(("127.0.0.1", slow.port)) as connection:
            connection.sendall(sent)
            time.sleep(0.1)
    stream = {"model": "slow", "input": "word " * 900, "response_format": "pcm", "stream": True}
    with slow.http.stream("POST", "/v1/audio/speech", json=stream) as answer:
        pieces = answer.iter_raw(100)  # kept: an iterator that is collected closes the stream
        next(pieces)
    assert slow.speech().status_code == 200


def test_the_engine_is_not_asked_for_word_times_that_no_answer_holds():
    """For 4,950 characters, espeak's word times once took 37 s."""
    asked = []
    pool = Pool("espeak")
    pool.engines[0].speak = lambda request: asked.append(request) or Speech(Audio(np.ones(10, np.float32), 8000))
    heard = []
    asyncio.run(pool.speak([TaggedText.parse(TEXT)], None, 0, heard.append))
    assert len(heard) == 1 and [request.word_times for request in asked] == [False]


def test_the_longest_text_is_spoken_in_seconds(espeak):
    text = " ".join(["One of the men read a long story aloud."] * 123)
    begun = time.monotonic()
    answer = httpx.post(
        f"{espeak.url}/audio/speech", json={"model": "espeak", "input": text, "response_format": "pcm"}, timeout=60
    )
    assert answer.status_code == 200 and len(answer.content) > 24000 * 2 * 200
    assert time.monotonic() - begun < 15
