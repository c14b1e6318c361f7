"""Bodies of requests to `harness serve`: audio, or an error in the format that clients know; never a failure of the server."""

import json
from types import SimpleNamespace

import numpy as np
from attack import attack, mutated, texts
from hypothesis import strategies as st
from starlette.testclient import TestClient

from harness.audio import Audio
from harness.serve.app import make_app

SPOKEN = Audio((0.1 * np.sin(np.arange(2400) * 0.1)).astype(np.float32), 24000)


class Quick(SimpleNamespace):
    """A stand-in for a pool of engines that speaks at once."""

    name = asked_name = "quick"
    voices, default_voice, dialect, revision, timeout, expressible = ["anna"], "anna", "ssml", "1", 5.0, frozenset()

    async def speak(self, pieces, voice, seed, done):
        for _ in pieces:
            done(SPOKEN)


CLIENT = TestClient(make_app(Quick()), base_url="http://127.0.0.1", raise_server_exceptions=True)
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    texts,
    st.lists(texts, max_size=2),
    st.dictionaries(texts, texts, max_size=2),
)
SPEECH = {
    "model": "quick",
    "input": "We <emph> go.",
    "voice": "anna",
    "response_format": "wav",
    "stream": False,
    "seed": 1,
    "sample_rate": 24000,
    "speed": 1,
}
CHAT = {
    "model": "quick",
    "modalities": ["text", "audio"],
    "messages": [{"role": "user", "content": "We go."}],
    "audio": {"voice": "anna", "format": "wav"},
}


@st.composite
def requests(draw):
    path, base = draw(st.sampled_from([("/v1/audio/speech", SPEECH), ("/v1/chat/completions", CHAT)]))
    fields = dict(base)
    if draw(st.booleans()):
        fields["input" if base is SPEECH else "messages"] = (
            draw(texts) if base is SPEECH else [{"role": "user", "content": draw(texts)}]
        )
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from([*fields, "more", "<b>"]))
        fields[name] = draw(odd)
        if draw(st.booleans()):
            del fields[name]
    body = json.dumps(fields).encode()
    body = mutated(draw, body) if draw(st.booleans()) else body
    kind = draw(st.sampled_from(["application/json"] * 6 + ["application/json; charset=utf-16", "text/plain", ""]))
    return path, body, kind


@attack("bodies of requests", requests(), outcomes=("spoken", "refused"))
def test_request(tally, folder, request):
    """2xx with audio, or 4xx with a message without a traceback."""
    path, body, kind = request
    answer = CLIENT.post(path, content=body, headers={"Content-Type": kind})
    if answer.status_code == 200:
        assert answer.content
        tally.count("spoken")
        return
    assert 400 <= answer.status_code < 500, answer.text
    error = answer.json()["error"]
    assert error["message"] and error["type"] and error.keys() == {"message", "type", "param", "code"}
    assert "Traceback" not in error["message"] and 'File "' not in error["message"]
    tally.count("refused")
