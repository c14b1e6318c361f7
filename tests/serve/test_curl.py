"""A client that is not ours and not Python's: curl."""

import base64
import io
import json
import shutil
import subprocess

import pytest
import soundfile

CURL = shutil.which("curl")
pytestmark = pytest.mark.skipif(CURL is None, reason="curl is not installed")
JSON = ("-H", "Content-Type: application/json")


def curl(server, route, *arguments, fields=None):
    """Status and body of an answer."""
    body = (*JSON, "-d", json.dumps(fields)) if fields is not None else ()
    command = [CURL, "--silent", "--show-error", "--noproxy", "*", "--max-time", "30", "-w", "%{stderr}%{http_code}",
               f"http://127.0.0.1:{server.port}{route}", *body, *arguments]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=True)
    return int(done.stderr), done.stdout


def test_speech_becomes_a_wav_file(espeak, tmp_path):
    fields = {"model": "espeak", "input": "We <emph> guarantee 30% savings", "response_format": "wav"}
    status, _ = curl(espeak, "/v1/audio/speech", "-o", str(tmp_path / "savings.wav"), fields=fields)
    info = soundfile.info(tmp_path / "savings.wav")
    assert (status, info.format, info.samplerate, info.channels) == (200, "WAV", 24000, 1) and info.duration > 1


def test_a_stream_is_the_same_sound_as_the_whole(espeak):
    fields = {"model": "espeak", "input": "One sentence only", "response_format": "pcm"}
    whole = curl(espeak, "/v1/audio/speech", fields=fields)
    streamed = curl(espeak, "/v1/audio/speech", "--no-buffer", fields={**fields, "stream": True})
    assert whole == streamed and whole[0] == 200 and len(whole[1]) > 24000


def test_chat_answers_with_audio(espeak):
    fields = {"model": "espeak", "modalities": ["text", "audio"], "audio": {"format": "wav"},
              "messages": [{"role": "user", "content": "Hello <pause_short> there"}]}  # fmt: skip
    status, body = curl(espeak, "/v1/chat/completions", fields=fields)
    message = json.loads(body)["choices"][0]["message"]
    assert status == 200 and message["audio"]["transcript"] == "Hello there"
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(message["audio"]["data"])))
    assert rate == 24000 and abs(samples).max() > 0.01


def test_models_are_listed(espeak):
    status, body = curl(espeak, "/v1/models")
    assert status == 200 and [model["id"] for model in json.loads(body)["data"]] == ["espeak"]


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"model": "espeak", "input": "We <emphasis> guarantee"}, 400, "invalid_tag"),
        ({"model": "espeak", "input": "x" * 5001}, 400, "input_too_long"),
        ({"model": "tts-1", "input": "Hello"}, 404, "model_not_found"),
    ],
)
def test_errors_are_json_of_openais_shape(espeak, fields, status, code):
    answered, body = curl(espeak, "/v1/audio/speech", fields=fields)
    error = json.loads(body)["error"]
    assert answered == status and set(error) == {"message", "type", "param", "code"} and error["code"] == code
