import base64
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from harness.chapters.ch09_higgs_api import faulty_server as faulty
from harness.engines.base import SpeechRequest, check_request, make_engine
from harness.engines.openai_speech import OpenAISpeechEngine, client
from harness.engines.openai_speech.answers import SpeechCache
from harness.engines.openai_speech.client import Spent
from harness.engines.openai_speech.engine import CHAT_SYSTEM, MAX_CHARACTERS, PROMPTED_SYSTEM
from harness.errors import HarnessError, NotAvailable
from harness.tagged import TaggedText


def ask(text="A small voice", seed=0, voice=None):
    return SpeechRequest(TaggedText.parse(text), voice, seed)


def engine(server, **options):
    return OpenAISpeechEngine(**{"base_url": server.url, "cache": None, **options})


@pytest.fixture
def server():
    with faulty.Server() as started:
        yield started


def test_a_speech_request_has_these_fields_and_no_others(server):
    engine(server).speak(ask("We <emph> go"))
    engine(server, voice="jake", model="m", response_format="flac").speak(ask(voice="jake"))
    assert server.requests[0].path == "/v1/audio/speech"
    assert server.requests[0].fields == {"input": "We go", "model": "higgs-tts-3", "response_format": "wav"}
    assert server.requests[1].fields == {
        "input": "A small voice", "model": "m", "voice": "jake", "response_format": "flac",
    }  # fmt: skip
    assert "openai-organization" not in server.requests[0].headers


def test_what_openai_is_told_in_the_environment_stays_there(server, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "private-value")
    engine(server).speak(ask())
    assert "private-value" not in str(server.requests[0].headers)


def test_a_chat_request_has_the_shape_of_the_hackathon(server):
    engine(server, api="chat", dialect="prompted").speak(ask("We <emph> go <pause_long>", seed=7))
    assert server.requests[0].path == "/v1/chat/completions"
    assert server.requests[0].fields == {
        "model": "higgs-tts-3",
        "messages": [
            {"role": "system", "content": PROMPTED_SYSTEM},
            {"role": "user", "content": "We <emph> go <pause_long>"},
        ],
        "modalities": ["text", "audio"],
        "stop": ["<|eot_id|>", "<|end_of_text|>", "<|audio_eos|>"],
        "top_k": 50,
        "seed": 7,
    }
    engine(server, api="chat", voice="v", response_format="pcm").speak(ask(voice="v"))
    assert server.requests[1].fields["audio"] == {"format": "pcm16", "voice": "v"}
    assert server.requests[1].fields["messages"][0]["content"] == CHAT_SYSTEM


def test_a_reference_is_sent_as_each_api_wants_it(server, tmp_path):
    path = tmp_path / "me.wav"
    path.write_bytes(faulty.encoded(faulty.tone(1)))
    options = {"reference_audio": str(path), "reference_text": "It is me."}
    data = base64.b64encode(path.read_bytes()).decode()
    spoken = engine(server, api="chat", **options)
    spoken.speak(ask())
    assert server.requests[0].fields["messages"][1:] == [
        {"role": "user", "content": "It is me."},
        {"role": "assistant", "content": [{"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}]},
        {"role": "user", "content": "A small voice"},
    ]
    engine(server, **options).speak(ask())
    assert server.requests[1].fields["ref_audio"] == data and server.requests[1].fields["ref_text"] == "It is me."
    path.write_bytes(faulty.encoded(faulty.tone(2)))
    assert engine(server, api="chat", **options).revision != spoken.revision


@pytest.mark.parametrize(
    ("api", "kind"), [("speech", "wav"), ("speech", "mp3"), ("speech", "flac"), ("chat", "pcm"), ("chat", "opus")]
)
def test_every_format_comes_back_as_it_was_said(server, api, kind):
    audio = engine(server, api=api, response_format=kind).speak(ask()).audio
    assert audio.samples.dtype == np.float32 and abs(audio.seconds - 0.5) < 0.06
    spectrum = np.abs(np.fft.rfft(audio.samples))
    assert np.argmax(spectrum) / audio.seconds == pytest.approx(200, abs=4)
    assert np.abs(audio.samples).max() == pytest.approx(0.3, abs=0.03)
    assert audio.sample_rate == 24000


def test_pcm_has_the_rate_that_it_is_said_to_have_and_a_file_beats_it():
    with faulty.Server(None, faulty.content(faulty.encoded(faulty.tone()), "audio/pcm")) as server:
        spoken = engine(server, response_format="pcm", pcm_rate=12000).speak(ask()).audio
        assert (spoken.sample_rate, spoken.seconds) == (12000, pytest.approx(1.0))
        audio = engine(server, response_format="pcm").speak(ask()).audio
        assert len(audio.samples) == 12000  # no header among the samples


def test_a_second_run_spends_nothing(server, tmp_path):
    first = engine(server, cache=tmp_path)
    audio = first.speak(ask()).audio
    assert first.spent == Spent(requests=1, seconds=0.5, characters=13)
    second = engine(server, cache=tmp_path)
    np.testing.assert_array_equal(second.speak(ask()).audio.samples, audio.samples)
    assert second.spent == Spent(cache_hits=1) and len(server.requests) == 1
    assert len([*tmp_path.rglob("*.audio")]) == len([*tmp_path.rglob("*.json")]) == 1
    assert [*tmp_path.rglob("*.part")] == []


def test_a_server_on_this_machine_is_asked_again_because_its_engine_may_have_changed(server, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.engines.openai_speech.engine.CACHE", tmp_path)
    for _ in range(2):
        OpenAISpeechEngine(server.url).speak(ask())
    assert len(server.requests) == 2 and not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "options",
    [{"model": "m"}, {"voice": "v"}, {"api": "chat"}, {"response_format": "pcm"}, {"text": "Another"}, {"seed": 1}],
)
def test_another_request_is_sent(server, tmp_path, options):
    engine(server, cache=tmp_path).speak(ask())
    asked = ask(options.pop("text", "A small voice"), options.pop("seed", 0))
    engine(server, cache=tmp_path, **options).speak(asked)
    assert len(server.requests) == 2


@pytest.mark.parametrize("damage", ["cut", "no json", "no audio", "other json"])
def test_a_damaged_entry_is_fetched_again(server, tmp_path, damage):
    engine(server, cache=tmp_path).speak(ask())
    [data], [note] = tmp_path.rglob("*.audio"), tmp_path.rglob("*.json")
    if damage == "cut":
        data.write_bytes(data.read_bytes()[:-10])
    elif damage == "no json":
        note.write_text("{")
    elif damage == "no audio":
        data.unlink()
    else:
        note.write_text(json.dumps({**json.loads(note.read_text()), "asked": {}}))
    for _ in range(2):
        engine(server, cache=tmp_path).speak(ask())
    assert len(server.requests) == 2  # once more, and then it is whole again


def test_an_entry_written_by_an_older_version_is_found(tmp_path):
    """The file name, a digest of what is asked, and the note are those that version 0.1 wrote."""
    content = (np.arange(2400) * 5).astype("<i2").tobytes()
    asked = {"base_url": "https://example.invalid/v1", "model": "m", "voice": "v", "api": "speech", "format": "pcm",
             "text": "A small voice", "seed": 7, "version": 1}  # fmt: skip
    note = {"schema": "harness.speech-cache/1", "asked": asked, "content_type": "audio/pcm; rate=24000", "bytes": 4800,
            "sha256": "b36bd5991af1218b3b2bf924d642bc083b36528a0d5e05addaf9e510031f72f9", "seconds": 0.1,
            "sample_rate": 24000}  # fmt: skip
    folder = tmp_path / "78"
    folder.mkdir()
    (folder / "788a61f9856865b09ab8163333885e73.audio").write_bytes(content)
    (folder / "788a61f9856865b09ab8163333885e73.json").write_text(json.dumps(note))
    options = {"key_env": None, "model": "m", "voice": "v", "response_format": "pcm", "cache": tmp_path}
    speaker = OpenAISpeechEngine("https://example.invalid/v1", **options)
    spoken = speaker.speak(ask(seed=7, voice="v")).audio
    np.testing.assert_array_equal(spoken.samples * 32768, np.arange(2400) * 5)
    assert speaker.spent == Spent(cache_hits=1)


def test_a_cache_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HarnessError, match=r"file.*: the cache cannot be written.*another folder as the option cache"):
        engine(server, cache=tmp_path / "file").speak(ask())


def test_a_failed_answer_is_not_kept(tmp_path):
    with faulty.Server(faulty.content(faulty.HTML), faulty.content(b"")) as server:
        speaker = engine(server, cache=tmp_path, retries=0)
        for _ in range(2):
            with pytest.raises(HarnessError):
                speaker.speak(ask())
        assert [*tmp_path.rglob("*")] == []
        speaker.speak(ask())


def test_what_is_cached_needs_no_key(server, tmp_path, monkeypatch):
    monkeypatch.delenv("BOSON_API_KEY", raising=False)
    asked = OpenAISpeechEngine("https://example.invalid/v1", key_env=None)._asked("A small voice", 0)
    SpeechCache(tmp_path).put(asked, faulty.encoded(faulty.tone()), "", engine(server).speak(ask()).audio)
    speaker = OpenAISpeechEngine("https://example.invalid/v1", cache=tmp_path)
    assert speaker.speak(ask()).audio.seconds == 0.5
    with pytest.raises(NotAvailable, match="needs a key, and the environment variable BOSON_API_KEY is not set"):
        speaker.speak(ask("Another text"))
    with pytest.raises(NotAvailable, match="BOSON_API_KEY"):
        make_engine("openai_speech", cache=None)


def test_the_number_of_requests_is_guarded_over_all_engines_of_a_process(server):
    options = {"max_requests": 2}
    engine(server, **options).speak(ask())
    engine(server, **options).speak(ask())
    with pytest.raises(HarnessError, match=r"has sent 2 requests .* \(raise the option max_requests"):
        engine(server, **options).speak(ask())
    assert len(server.requests) == 2


def test_retries_count_against_the_guard(monkeypatch):
    monkeypatch.setattr("openai._base_client.time", SimpleNamespace(sleep=lambda seconds: None, time=time.time))
    with faulty.Server(*[faulty.status(503)] * 9) as server:
        with pytest.raises(HarnessError, match="the limit of max_requests"):
            engine(server, max_requests=3).speak(ask())
        assert len(server.requests) == 3


def test_no_more_requests_at_a_time_than_allowed():
    now, most, lock = [0], [0], threading.Lock()

    def slow(server, handler, request):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.1)
        with lock:
            now[0] -= 1
        faulty.good(server, handler, request)

    with faulty.Server(*[slow] * 5) as server, ThreadPoolExecutor(5) as threads:
        speaker = engine(server, max_concurrent=2)
        list(threads.map(lambda seed: speaker.speak(ask(seed=seed)), range(5)))
        assert most == [2] and len(server.requests) == speaker.spent.requests == 5


def test_requests_keep_their_distance(server, monkeypatch):
    now = [100.0]
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(client, "sleep", sleep)
    monkeypatch.setattr(client, "time", SimpleNamespace(monotonic=lambda: now[0]))
    speaker = engine(server, min_interval=0.2)
    for answered_in in (0.05, 0.0, 0.5, 0.0):
        speaker.speak(ask())
        now[0] += answered_in
    assert waited == pytest.approx([0.15, 0.2])  # not before the first, and not where the answer took longer


def test_a_long_text_is_refused_or_split_at_sentence_ends(server):
    sentence = "This is sentence number {} of a long and patient text. "
    text = "".join(sentence.format(i) for i in range(150)).strip()
    with pytest.raises(HarnessError, match=f"has {len(text)} characters; the limit is 5000 .*long_text: split"):
        engine(server).speak(ask(text))
    assert server.requests == []
    audio = engine(server, long_text="split").speak(ask(text)).audio
    sent = [request.text for request in server.requests]
    assert " ".join(sent) == text and len(sent) == 2
    assert all(len(part) <= MAX_CHARACTERS and part.endswith("text.") for part in sent)
    assert audio.seconds == pytest.approx(0.5 * len(sent))


def test_a_key_is_never_sent_unencrypted(monkeypatch):
    monkeypatch.setenv("BOSON_API_KEY", "sk-something")
    with pytest.raises(HarnessError, match=r"sent to 192\.0\.2\.1:8000 unencrypted"):
        OpenAISpeechEngine("http://192.0.2.1:8000/v1", cache=None)
    assert OpenAISpeechEngine("http://192.0.2.1:8000/v1", cache=None, key_env=None).revision.endswith("192.0.2.1:8000")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "https://me:secret@example.org/v1"}, "holds a user name, password or query"),
        ({"base_url": "http://[::1"}, "not an address"),
        ({"base_url": "file:///etc/passwd"}, "not an http or https address"),
        ({"api": "sse"}, "choose one of: speech, chat"),
        ({"response_format": "aac"}, "choose one of: wav, pcm, mp3, flac, opus"),
        ({"dialect": "ssml"}, "the option dialect cannot be 'ssml'"),
        ({"retries": -1}, "the option retries cannot be -1"),
        ({"timeout": 0}, "timeout must be greater than 0 seconds, got 0"),
        ({"pcm_rate": 0}, "the option pcm_rate cannot be 0 (give a whole number from 1)"),
        ({"reference_audio": "nowhere.wav"}, "give reference_audio and reference_text"),
        ({"reference_audio": "nowhere.wav", "reference_text": "x"}, "nowhere.wav: the reference recording is missing"),
        ({"reference_audio": "a.wav", "reference_text": "x", "voice": "v"}, "exclude each other"),
        ({"colour": "red"}, "does not take these options"),
        ({"timeout": float("inf")}, "the option timeout cannot be inf"),
        ({"timeout": True}, "the option timeout cannot be True"),
        ({"retries": 1.5}, "give a whole number from 0"),
        ({"model": [1]}, "the option model cannot be [1]"),
    ],
)  # fmt: skip
def test_wrong_options_are_explained(options, message):
    with pytest.raises(HarnessError) as caught:
        make_engine("openai_speech", **{"base_url": "http://127.0.0.1:9/v1", "cache": None, **options})
    assert message in str(caught.value) and "secret" not in str(caught.value)


def test_a_key_that_is_none_is_not_shown(server, monkeypatch):
    monkeypatch.setenv("MY_KEY", "schlüssel-geheim")
    with pytest.raises(HarnessError, match="MY_KEY holds no key") as caught:
        engine(server, key_env="MY_KEY").speak(ask())
    assert "geheim" not in repr(caught.value)


def test_it_describes_itself(server):
    speaker = engine(server, voice="jake")
    assert speaker.voices() == ["jake"] == [speaker.default_voice]
    assert speaker.revision == f"higgs-tts-3 @ {server.host}" and not speaker.deterministic
    assert engine(server).voices() == ["default"]
    assert speaker.requirements.key == "BOSON_API_KEY" and speaker.requirements.packages == ("openai",)
    check_request(ask(voice="jake"), speaker)
    with pytest.raises(HarnessError, match="speaks with 'jake', not 'ann'"):
        speaker.speak(ask(voice="ann"))
    with pytest.raises(HarnessError, match="nothing to say"):
        speaker.speak(ask(""))
    assert server.requests == []
