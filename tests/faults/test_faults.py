"""Every fault of a server ends in a retry that succeeds, or in one failure that is counted and explained."""

import json
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.chapters.ch09_higgs_api import faulty_server as faulty
from harness.engines.base import SpeechRequest, make_engine
from harness.errors import HarnessError
from harness.experiment import run, validate
from harness.paths import RESULTS
from harness.records import Clip
from harness.store import read_jsonl, write_json
from harness.tagged import TaggedText

KEY = "sk-fault-0123456789abcdef-not-a-key"
VARIABLE = "FAULT_SERVER_KEY"


@dataclass(frozen=True)
class Case:
    """A fault, and its expected result: the number of `requests`, and part of the `message` (empty if audio comes back)."""

    fault: str
    did: str
    faults: tuple
    requests: int
    message: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    waits: tuple[float, float] | None = None  # least and most seconds that the engine waits in total


def busy_until(server, handler, request):
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    faulty.status(429, headers=[("Retry-After", when)])(server, handler, request)


SAID = faulty.tone()
NAN = np.where(np.arange(len(SAID)) == 99, np.nan, SAID).astype(np.float32)
CUT = faulty.encoded(SAID)[:-2000]
CUT_MP3 = faulty.encoded(SAID, kind="mp3")[:-400]
ODD = faulty.encoded(SAID, kind="pcm")[:-1]
CASES = [
    Case("401", "status 401", (faulty.status(401, "no such key"),) * 9, 1,
         f"answered 401: no such key (put a valid key into the environment variable {VARIABLE})"),
    Case("403", "status 403", (faulty.status(403),) * 9, 1, "answered 403: as told (ask the owner of the server"),
    Case("404", "status 404", (faulty.status(404, "model not found"),) * 9, 1,
         "answered 404: model not found (check the options model and base_url"),
    Case("413", "status 413", (faulty.status(413),) * 9, 1, "answered 413: as told (give a shorter text"),
    Case("400 input_too_long", "status 400 with that code", (faulty.status(400, "Input too long", code="input_too_long"),) * 9, 1,
         "(give the option long_text: split)"),
    Case("429 with Retry-After", "status 429, Retry-After: 7, once", (faulty.status(429, headers=[("Retry-After", "7")]),), 2,
         waits=(7, 7)),
    Case("429 with a Retry-After of an hour", "status 429, Retry-After: 3600, once",
         (faulty.status(429, "full", headers=[("Retry-After", "3600")]),), 1, "answered 429: full (wait, give the option min_interval",
         waits=(0, 0)),
    Case("429 with a Retry-After date", "status 429, Retry-After: a date 20 s ahead, once",
         (busy_until,), 2, waits=(17, 20)),
    Case("429 without Retry-After", "status 429, three times", (faulty.status(429),) * 3, 4, waits=(2.6, 3.5)),
    Case("429 for ever", "status 429 to every request", (faulty.status(429, "slow down"),) * 9, 5,
         "answered 429: slow down (5 requests) (wait, give the option min_interval", waits=(5.6, 7.5)),
    Case("500", "status 500 to every request", (faulty.status(500, "out of memory"),) * 9, 5,
         "answered 500: out of memory (5 requests) (try again later"),
    Case("503 then success", "status 503, once", (faulty.status(503),), 2, waits=(0.37, 0.5)),
    Case("hang", "no answer to the first request", (faulty.hang,), 2, options={"timeout": 0.4}),
    Case("hang for ever", "no answer to any request", (faulty.hang,) * 9, 2,
         "no whole answer within 0.3 s (2 requests) (raise the option timeout)", options={"timeout": 0.3, "retries": 1}),
    Case("drip", "a byte every 50 ms", (faulty.drip,) * 9, 2, "no whole answer within 0.3 s (2 requests)",
         options={"timeout": 0.3, "retries": 1}),
    Case("connection reset", "a reset, once", (faulty.reset,), 2),
    Case("connection reset for ever", "a reset to every request", (faulty.reset,) * 9, 5, "the connection failed ("),
    Case("truncated body", "half of the promised bytes, once", (faulty.truncated,), 2, waits=(0, 0)),
    Case("truncated body for ever", "half of the promised bytes, always", (faulty.truncated,) * 9, 2, "the answer was cut off"),
    Case("truncated WAV", "a whole body whose WAV lacks its end, once", (faulty.content(CUT),), 2),
    Case("truncated MP3", "a whole body whose MP3 lacks its end, always", (faulty.content(CUT_MP3, "audio/mpeg"),) * 9, 2,
         "the audio file is truncated: its header promises more samples than it holds (2 requests)", options={"response_format": "mp3"}),
    Case("truncated samples", "half a sample at the end, always", (faulty.content(ODD, "audio/pcm"),) * 9, 2,
         "half a sample is missing", options={"response_format": "pcm"}),
    Case("invalid base64", "a chat answer whose audio is not base64", (faulty.chat("@@not base64@@"),) * 9, 2,
         "the audio in the answer is not valid base64 (2 requests)", options={"api": "chat"}),
    Case("chat answer without audio", "a chat answer with null for its audio", (faulty.chat(None),), 2, options={"api": "chat"}),
    Case("truncated chat answer", "half of the JSON, once", (faulty.content(b'{"choices": [{"mess', "application/json"),), 2,
         options={"api": "chat"}),
    Case("HTML with status 200", "an error page with status 200", (faulty.content(faulty.HTML, "text/html"),) * 9, 2,
         "an HTML page came back instead of audio (2 requests) (check base_url"),
    Case("HTML called audio", "an error page as audio/pcm", (faulty.content(faulty.HTML, "audio/pcm"),) * 9, 2,
         "an HTML page came back", options={"response_format": "pcm"}),
    Case("HTML to chat", "an error page as the chat answer", (faulty.content(faulty.HTML, "text/html"),) * 9, 2,
         "an HTML page came back instead of JSON", options={"api": "chat"}),
    Case("JSON with status 200", "an error in JSON with status 200",
         (faulty.content(b'{"error": {"message": "queue full"}}', "application/json"),) * 9, 2, "JSON (queue full) came back"),
    Case("silence", "half a second of zeros", (faulty.samples(0 * SAID),) * 9, 2, "the audio is silent (2 requests)"),
    Case("silence once", "half a second of zeros, once", (faulty.samples(0 * SAID),), 2),
    Case("NaN", "a float WAV with one NaN", (faulty.samples(NAN, subtype="FLOAT"),) * 9, 2, "the audio holds NaN"),
    Case("wrong sample rate", "a WAV at 16 kHz", (faulty.samples(faulty.tone(rate=16000), 16000),) * 9, 1,
         "the audio has 16000 Hz in its header, not 24000 Hz (if the server does speak"),
    Case("wrong sample rate, samples", "samples, and a header that says 16 kHz",
         (faulty.content(faulty.encoded(SAID, kind="pcm"), "audio/pcm; rate=16000"),) * 9, 1, "the audio has 16000 Hz in its header",
         options={"response_format": "pcm"}),
    Case("405", "status 405", (faulty.status(405),) * 9, 1, "answered 405: as told (check the option base_url"),
    Case("empty body", "status 200 and no bytes", (faulty.content(b""),) * 9, 2, "an empty body came back (2 requests)"),
    Case("no samples", "a WAV header alone", (faulty.samples(SAID[:0]),) * 9, 2, "the audio is empty or shorter than 50 ms"),
    Case("endless audio", "70 s for 13 characters", (faulty.samples(faulty.tone(70)),) * 9, 2,
         "the audio lasts 70 s or more for 13 characters; at most 60 s is plausible"),
    Case("not audio", "random bytes as a WAV", (faulty.content(bytes(range(7, 200)) * 9),) * 9, 2, "not readable as audio"),
    Case("redirect", "status 302", (faulty.status(302, headers=[("Location", "http://127.0.0.1:9/v1")]),) * 9, 1,
         "the server has moved"),
]  # fmt: skip


@pytest.fixture
def waits(monkeypatch):
    """Record the waits of the openai SDK instead of waiting; return the list."""
    monkeypatch.setenv(VARIABLE, KEY)
    found = []
    monkeypatch.setattr("openai._base_client.time", SimpleNamespace(sleep=found.append, time=time.time))
    return found


@pytest.fixture(scope="module")
def table():
    """Return rows for the book, which are written when all cases are done."""
    rows = {}
    yield rows
    if rows.keys() >= {case.fault for case in CASES}:  # not after a selection of tests
        RESULTS.mkdir(parents=True, exist_ok=True)
        table = {"schema": "harness.faults/1", "rows": [rows[case.fault] for case in CASES]}
        write_json(RESULTS / "faults.json", table)


def engine(server, **options):
    return make_engine("openai_speech", **{"base_url": server.url, "key_env": VARIABLE, "cache": None, **options})


def ask(text="A small voice", seed=0):
    return SpeechRequest(TaggedText.parse(text), None, seed)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_fault(case, waits, table):
    with faulty.Server(*case.faults) as server:
        speaker, message = engine(server, **case.options), ""
        begun = time.monotonic()
        try:
            audio = speaker.speak(ask()).audio
        except HarnessError as error:
            message = str(error)
        seconds = time.monotonic() - begun
        sent = len(server.requests)
    assert sent == case.requests == speaker.spent.requests
    assert speaker.spent.retries == sent - 1 and seconds < 10
    if case.message:
        assert case.message in message and message.startswith(server.host)
        assert speaker.spent.seconds == 0
    else:
        assert message == "" and np.allclose(audio.samples, SAID, atol=2e-3) and audio.sample_rate == faulty.RATE
        assert speaker.spent.seconds == pytest.approx(0.5) and speaker.spent.characters == 13
    if case.waits is not None:
        assert case.waits[0] <= sum(waits) <= case.waits[1]
    outcome = "one explained failure" if message else f"a retry that succeeded after {sent} requests"
    table[case.fault] = {"fault": case.fault, "server": case.did, "outcome": outcome, "requests": sent,
                         "waited": round(sum(waits), 1), "seconds": round(seconds, 2),
                         "message": message.replace(server.host, "127.0.0.1")}  # fmt: skip


def spoken_by_espeak(text):
    espeak = make_engine("espeak", dialect="ignore")
    return espeak.speak(SpeechRequest(TaggedText.from_plain(text))).audio.samples


SENTENCES = (
    "We <emph> promise a fair price.", "Come <pause_long> and see the garden.",
    "The old <pitch_high> bridge is closed today.", "They left <pause_short> before the rain.",
)  # fmt: skip


def test_a_run_with_faults_loses_and_doubles_nothing(tmp_path, waits, monkeypatch):
    monkeypatch.setattr("harness.experiment.folder.code_digest", lambda: "fixed")
    sentences = tmp_path / "sentences.jsonl"
    sentences.write_text("".join(json.dumps({"id": f"s{i}", "text": t}) + "\n" for i, t in enumerate(SENTENCES)))
    silent = faulty.content(faulty.encoded(np.zeros(9999, np.float32), 22050))
    # Three clips a sentence (two plain, one tagged). The third sentence's second clip is refused for good.
    faults = [faulty.status(503), None, faulty.reset, None, None, faulty.status(429), None, silent, None, None]
    faults += [None, faulty.status(400, "not today"), faulty.truncated, None, faulty.status(500), None, None]
    with faulty.Server(*faults, speak=spoken_by_espeak, rate=22050) as server:
        options = {"base_url": server.url, "key_env": VARIABLE, "pcm_rate": 22050, "cache": str(tmp_path / "cache")}
        speaking = validate({"name": "faults", "sentences": str(sentences), "timeout": None, "plain_repeats": 1, "seed": 5,
                             "check_leaks": False, "engines": [{"name": "openai_speech", "options": options}]})  # fmt: skip
        first = run(speaking, tmp_path / "run", jobs=1)
        assert first["failed_units"] == 1 and [*first["failures"].values()] == [1]
        assert "not today" in next(iter(first["failures"]))
        assert server.faults == []
        sent = len(server.requests)
        assert sent == 3 * 3 + 2 + 6  # three complete units; a clip and a refusal of the failed unit; the retries
        again = run(speaking, tmp_path / "run", jobs=1)
        assert again["failed_units"] == 0
        assert len(server.requests) == sent + 2  # the missing clips of the failed unit
        clips = read_jsonl(tmp_path / "run" / "clips.jsonl", Clip)
        assert len(clips) == len({clip.id for clip in clips}) == 12
        files = {f"clips/{path.name}" for path in (tmp_path / "run" / "clips").iterdir()}
        assert files == {clip.audio for clip in clips}
        assert run(speaking, tmp_path / "run", jobs=1) == again
        run(speaking, tmp_path / "other", jobs=1)  # another folder: the cache has everything
        assert len(server.requests) == sent + 2
        for clip in clips:
            assert (tmp_path / "run" / clip.audio).read_bytes() == (tmp_path / "other" / clip.audio).read_bytes()


def everything_about(error):
    """Return all text that an exception and its causes can show."""
    seen, todo, text = set(), [error], []
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        text += [str(one), repr(one), repr(one.args), repr(vars(one))]
        todo += [one.__cause__, one.__context__]
        assert not hasattr(one, "request") and not hasattr(one, "response")
    return "\n".join(text)


@pytest.mark.parametrize("api", ["speech", "chat"])
def test_the_key_is_nowhere(api, tmp_path, waits, monkeypatch, caplog):
    for name in ("openai", "httpx", "httpx2", "httpcore", "httpcore2", "harness", ""):
        caplog.set_level(logging.DEBUG, logger=name)
    page = faulty.content(f"<html>{KEY}</html>".encode(), "text/html")
    said = faulty.content(json.dumps({"error": f"what is {KEY}?" + "x" * 250 + KEY}).encode(), "application/json")
    faults = [faulty.status(503), faulty.reset, faulty.truncated, faulty.hang, None]  # the first request succeeds
    seen = []
    with faulty.Server(*faults) as server:
        speaker = engine(server, api=api, cache=tmp_path / "cache", timeout=0.5)
        speaker.speak(ask())
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"  # otherwise the test would prove nothing
        for bad in (
            *map(faulty.echo_key, (401, 404, 400, 500)),
            page,
            said,
            faulty.reset,
            faulty.hang,
            faulty.truncated,
        ):
            server.faults[:] = [bad] * 9
            with pytest.raises(HarnessError) as caught:
                speaker.speak(ask("Another text"))
            seen.append(everything_about(caught.value))
    seen += [repr(speaker), str(speaker.spent), repr(vars(speaker)), repr(vars(speaker._client)), caplog.text]
    seen += [repr(record.__dict__) for record in caplog.records]
    for path in [*tmp_path.rglob("*")]:
        seen += [str(path), path.read_bytes().decode("latin-1") if path.is_file() else ""]
    assert any("***" in text for text in seen) and len(caplog.records) > 20
    everything = "\n".join(seen)
    assert KEY not in everything
    assert KEY[:12] not in everything  # not even a part, where a long message was cut


def test_the_key_of_boson_is_not_sent_to_this_machine(waits, monkeypatch):
    monkeypatch.setenv("BOSON_API_KEY", KEY)
    with faulty.Server() as server:
        engine(server, key_env="BOSON_API_KEY").speak(ask())
        assert server.requests[0].headers["authorization"] == "Bearer not-needed"
        server.faults.append(faulty.status(401))
        with pytest.raises(HarnessError, match=r"no key was sent: .* name it as the option key_env"):
            engine(server, key_env="BOSON_API_KEY").speak(ask())
