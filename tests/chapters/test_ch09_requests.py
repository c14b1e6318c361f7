"""Requests as they are watched, their times, and the live faults."""

import json
import statistics
import time

import pytest

from harness.chapters.ch09_higgs_api import faulty_server as faulty
from harness.chapters.ch09_higgs_api.faults import TRIALS, try_faults
from harness.chapters.ch09_higgs_api.reach import reachable
from harness.chapters.ch09_higgs_api.timing import first_sounds
from harness.engines.base import SpeechRequest, make_engine
from harness.errors import HarnessError
from harness.tagged import TaggedText

KEY = "sk-exchange-0123456789abcdef"
TEXT = SpeechRequest(TaggedText.parse("It's <emph> théirs"))


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    monkeypatch.setenv("EXCHANGE_KEY", KEY)


def exchanges(*faults, **options):
    """Speak a text twice and watch the first time; return the exchanges that were watched."""
    with faulty.Server(*faults) as server:
        options = {"base_url": server.url, "model": "m", "key_env": "EXCHANGE_KEY", "cache": None, **options}
        engine = make_engine("openai_speech", **options)
        with engine.watched() as seen:
            try:
                engine.speak(TEXT)
            except HarnessError as error:
                assert KEY not in str(error)
        count = len(seen)
        engine.speak(TEXT)
        assert len(seen) == count  # watching has ended
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"  # so that it could have leaked
    return seen


def test_an_exchange_is_watched_without_the_key():
    [one] = exchanges(dialect="prompted")
    assert (one.method, one.status) == ("POST", 200) and one.url.endswith("/v1/audio/speech")
    assert json.loads(one.body) == {"model": "m", "input": "It's <emph> théirs", "response_format": "wav"}
    assert one.answer.startswith(b"RIFF") and 0 < one.first <= one.last
    assert one.headers["authorization"] == "Bearer ***" and KEY not in repr(one)


def test_refusals_are_watched_too():
    refused, good = exchanges(faulty.status(503, "full"))
    assert (refused.status, good.status) == (503, 200) and b'"message": "full"' in refused.answer
    [one] = exchanges(faulty.echo_key(401))
    assert one.status == 401 and b"bad key Bearer ***" in one.answer and KEY not in repr(one)
    page = faulty.content(f"<html>{KEY}</html>".encode(), "text/html")
    assert all(KEY not in repr(one) for one in exchanges(page, page))


def test_times_are_those_of_the_server_and_warming_up_is_not_counted():
    def slow(server, handler, request):
        time.sleep(0.1 if request.kind == "wav" else 0.01)
        faulty.good(server, handler, request)

    with faulty.Server(*[slow] * 50) as server:
        rows = first_sounds(["one", "one two"], repeats=2, base_url=server.url, key_env=None, cache="ignored")
        assert len(server.requests) == 3 * 2 * 2
        assert {(r.kind, r.fields.get("stream")) for r in server.requests} == {("pcm", True), ("wav", None)}
    assert [(row["words"], row["way"]) for row in rows] == [
        (1, "streamed"), (1, "whole"), (2, "streamed"), (2, "whole")]  # fmt: skip
    assert all(len(row["first"]) == len(row["last"]) == 2 and row["audio"] == 0.5 for row in rows)
    assert all(first <= last for row in rows for first, last in zip(row["first"], row["last"], strict=True))
    streamed, whole = (statistics.median(row["first"]) for row in rows if row["words"] == 2)
    assert whole >= 0.1 and 0.01 <= streamed < whole


def test_streaming_is_for_pcm_only():
    for wrong in ({"response_format": "wav"}, {"api": "chat", "response_format": "pcm"}):
        with pytest.raises(HarnessError, match="only pcm is streamed"):
            make_engine("openai_speech", base_url="http://127.0.0.1:9/v1", stream=True, **wrong)


def test_a_server_that_answers_anything_is_reachable_and_gets_no_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    seen = []

    class Handler(faulty.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, dict(self.headers)))
            faulty._send(self, 401, b'{"error": {"message": "no key"}}')

        def log_message(self, *arguments):
            pass

    with faulty.Server() as server:
        server._http.RequestHandlerClass = Handler
        assert reachable(server.url, timeout=5) == (True, "answers with status 401")
    [(path, headers)] = seen
    assert (
        path == "/v1/models" and "authorization" not in {name.lower() for name in headers} and KEY not in str(headers)
    )
    answered, said = reachable(server.url, timeout=5)  # it has stopped
    assert not answered and said.startswith("no connection")


def test_the_live_faults_end_in_speech_or_an_explained_failure():
    rows = try_faults()
    assert [row["server"] for row in rows] == [name for name, _ in TRIALS]
    by_name = {row["server"]: row for row in rows}
    assert by_name["429, Retry-After: 1, once"]["requests"] == 2 and by_name["429, Retry-After: 1, once"]["heard"]
    assert by_name["401, always"]["requests"] == 1 and not by_name["401, always"]["heard"]
    silence = by_name["half a second of silence, always"]
    assert silence["requests"] == 2 and "the audio is silent" in silence["outcome"]
    assert all(("s of audio" in row["outcome"]) == row["heard"] for row in rows)
