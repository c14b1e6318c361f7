"""curl, the client of the examples in the book."""

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


def test_an_error_is_json_of_openais_shape(espeak):
    status, body = curl(espeak, "/v1/audio/speech", fields={"model": "tts-1", "input": "Hello"})
    error = json.loads(body)["error"]
    assert status == 404 and set(error) == {"message", "type", "param", "code"} and error["code"] == "model_not_found"
