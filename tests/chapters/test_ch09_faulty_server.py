"""The misbehaving server, asked by a client that is not ours. `tests/faults` asks it with the engine."""

import base64
import io

import httpx
import numpy as np
import pytest
import soundfile

from harness.chapters.ch09_higgs_api import faulty_server as faulty


def ask(server, text="hello", **fields):
    headers = {"Authorization": "Bearer sk-known"}
    return httpx.post(
        f"{server.url}/audio/speech", json={"input": text, **fields}, headers=headers, trust_env=False, timeout=1
    )


def test_faults_are_used_up_in_order_and_good_answers_follow():
    with faulty.Server(faulty.status(503, "busy", code="x"), None, faulty.echo_key(401)) as server:
        busy, good, refused, last = (ask(server, text) for text in "abcd")
        assert (busy.status_code, busy.json()) == (503, {"error": {"message": "busy", "code": "x"}})
        assert (good.status_code, refused.status_code, last.status_code) == (200, 401, 200)
        assert good.content == last.content and "sk-known" in refused.text
        assert [request.text for request in server.requests] == [*"abcd"]
        assert server.requests[0].headers["authorization"] == "Bearer sk-known"


@pytest.mark.parametrize("kind", ["wav", "mp3", "flac", "opus", "pcm"])
def test_a_good_answer_has_the_format_and_the_samples_asked_for(kind):
    with faulty.Server(speak=lambda text: faulty.tone(len(text) / 10), rate=48000) as server:
        content = ask(server, "ten letter", response_format=kind).content
    seconds = len(content) / 2 / 48000 if kind == "pcm" else soundfile.info(io.BytesIO(content)).duration
    assert seconds == pytest.approx(0.5, abs=0.05)  # 1 s at 24 kHz, called 48 kHz


def test_a_chat_is_answered_with_audio():
    fields = {"messages": [{"role": "user", "content": "hello"}], "audio": {"format": "wav"}}
    with faulty.Server(faulty.chat(None)) as server:
        none, good = (
            httpx.post(f"{server.url}/chat/completions", json=fields, trust_env=False).json()["choices"][0]["message"]
            for _ in range(2)
        )
    assert none["audio"]["data"] is None
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(good["audio"]["data"])))
    assert rate == faulty.RATE and np.allclose(samples, faulty.tone(), atol=1e-4)


@pytest.mark.parametrize(
    ("fault", "error"),
    [(faulty.reset, httpx.ReadError), (faulty.truncated, httpx.RemoteProtocolError), (faulty.hang, httpx.ReadTimeout)],
)
def test_a_broken_connection_is_an_error_and_the_next_request_succeeds(fault, error):
    with faulty.Server(fault) as server:
        with pytest.raises(error):
            ask(server)
        assert ask(server).status_code == 200
