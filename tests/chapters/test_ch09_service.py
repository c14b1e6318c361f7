"""The server that the page talks to, its command line, and the sentences about it."""

import pytest

from harness.chapters.ch09_higgs_api import faulty_server as faulty
from harness.chapters.ch09_higgs_api import service as services
from harness.chapters.ch09_higgs_api.exchange import as_curl
from harness.chapters.ch09_higgs_api.findings import findings, first_bytes, first_sound, numbers
from harness.engines.higgs_v3 import loss_table
from harness.engines.openai_speech.client import Spent
from harness.errors import HarnessError

KEY = "sk-page-0123456789abcdef-not-a-key"
BODY = '{"input": "It\'s <emph> théirs"}'.encode()


class NoServer:
    url = "http://127.0.0.1:1/v1"

    def __init__(self, engine):
        self.engine = engine


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    monkeypatch.setattr(services, "Background", NoServer)
    for name in ("BOSON_API_KEY", "OTHER_KEY", "NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")


def choose(base_url="", key_env="BOSON_API_KEY", dialect="auto"):
    return services.choose(base_url, "", "", dialect, key_env, "espeak", 100)


def test_without_an_address_our_own_server_answers_and_no_key_is_sent(monkeypatch):
    monkeypatch.setenv("BOSON_API_KEY", KEY)
    service = choose()
    assert service.own and service.url == NoServer.url and service.model == "espeak"
    assert service.key == "not-needed" and service.spell("We <emph> did") == "We <emph> did"
    assert service.options["max_requests"] == 97 and service.asked(Spent(), 1.0) is None
    assert "Not run here" in service.note() and "https://api.boson.ai/v1" in service.note()


def test_an_address_without_its_key_is_replaced_and_the_page_says_so():
    service = choose("https://api.boson.ai/v1")
    assert service.own and service.url == NoServer.url
    assert "BOSON_API_KEY" in service.note() and "Our own server answers instead" in service.note()


def test_a_named_server_gets_its_key_and_the_curl_line_does_not_show_it(monkeypatch):
    monkeypatch.setenv("OTHER_KEY", KEY)
    with faulty.Server() as server:
        service = choose(server.url, "OTHER_KEY")
        [request] = server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}" and service.key == KEY and not service.own
    assert service.spell("We <pause_short> did") == "We <|prosody:pause|> did"
    assert service.asked(Spent(requests=3), 1.5) == {
        "host": server.url, "model": service.model, "requests": 6, "seconds": 1.5}  # fmt: skip
    line = as_curl(server.url, BODY, service, "x.wav")
    assert '"Authorization: Bearer $OTHER_KEY"' in line and KEY not in line + repr(service)
    assert "It'\\''s <emph> théirs" in line and line.endswith("-o x.wav")


def test_a_server_that_repeats_the_key_does_not_put_it_on_the_page(monkeypatch):
    monkeypatch.setenv("OTHER_KEY", KEY)
    with faulty.Server(faulty.echo_key(401)) as server, pytest.raises(HarnessError) as caught:
        choose(server.url, "OTHER_KEY")
    assert KEY not in str(caught.value) and "answered 401" in str(caught.value)


def test_the_findings_follow_from_the_measurements():
    timed = [
        {"words": words, "way": way, "audio": words / 2, "first": [0.02 if way == "streamed" else 0.01 * words] * 3}
        for words in (4, 40) for way in ("whole", "streamed")
    ]  # fmt: skip
    assert first_bytes(timed)["streamed"] == {4: 20, 40: 20}
    said = first_sound(timed, own=False)
    assert "For 40 words (20 s of speech), the first byte of the file came after 400 ms" in said
    assert "stream grew by a factor of 1.0, and the wait for the file by 10.0." in said
    assert "hosted model" in first_sound(timed, own=True) and "hosted" not in said
    trials = [{"heard": True}, {"heard": True}, {"heard": False}]
    found = findings("Ours", timed, trials, loss_table(), (Spent(2), Spent(2, cache_hits=3)), {})
    assert "after 20 ms instead of 400 ms (Ours)" in found["streaming"] and "Of 3 faults, 2 ended" in found["faults"]
    assert "sent 0 requests, and 3 answers" in found["cache"] and "did not ask" in found["there"]
    assert numbers("Ours", timed, trials, loss_table()) == {
        "speaker": "Ours", "first_streamed": "20", "first_whole": "400", "words": 40, "lost": 3, "trials": 3, "recovered": 2}  # fmt: skip
