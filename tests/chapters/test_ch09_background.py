import os
import signal
import subprocess
import sys

import httpx
import psutil
import pytest

from harness.chapters.ch09_higgs_api.background import Background
from harness.engines.base import SpeechRequest, make_engine
from harness.errors import HarnessError
from harness.paths import ROOT
from harness.tagged import TaggedText

SERVE = ROOT / "tests" / "serve"  # the folder of slow_engine
IMPORT = "from harness.chapters.ch09_higgs_api.background import Background"
SLOW = "slow_engine:Slow"


@pytest.fixture
def slow_engine(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(SERVE))


def test_a_server_in_the_background_speaks_until_it_is_stopped(slow_engine, monkeypatch):
    monkeypatch.setenv("HARNESS_SERVE_KEY", "of another server")
    with pytest.raises(ZeroDivisionError), Background(SLOW) as server:
        assert server.url.startswith("http://127.0.0.1:") and server.url.endswith("/v1")
        engine = make_engine("openai_speech", base_url=server.url, model="slow", cache=None)
        assert engine.speak(SpeechRequest(TaggedText.parse("one two"))).audio.sample_rate == 24000
        children = psutil.Process(server.process.pid).children(recursive=True)
        raise ZeroDivisionError
    assert server.process.returncode == 0
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    server.stop()  # a second time does nothing
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/models", trust_env=False)


def test_options_reach_the_engine():
    with pytest.raises(HarnessError, match="dialect cannot be"):
        Background("higgs_native", {"dialect": "two\nlines: ["})
    with Background("espeak", {"dialect": "ignore"}) as server:
        health = httpx.get(server.url.replace("/v1", "/health"), trust_env=False).json()
    assert (health["engine"], health["dialect"]) == ("espeak", "ignore")


def test_a_server_that_does_not_start_says_why():
    with pytest.raises(HarnessError, match=r"the speech server ended at once: .*no_such_engine") as caught:
        Background("no_such_engine")
    assert "harness serve --engine no_such_engine" in str(caught.value)
    with pytest.raises(HarnessError, match=r"did not start within 0\.01 s"):
        Background("espeak", start_seconds=0.01)


def test_it_ends_with_the_program_that_started_it(slow_engine):
    program = f"{IMPORT}; s = Background({SLOW!r}); print(s.process.pid, flush=True)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    assert not psutil.pid_exists(int(done.stdout))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_a_program_that_is_killed(slow_engine, number):
    program = f"{IMPORT}; s = Background({SLOW!r}); print(s.process.pid, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        server = psutil.Process(int(parent.stdout.readline()))
        family = [server, *server.children(recursive=True)]
        parent.send_signal(number)
        parent.wait(10)
        _, alive = psutil.wait_procs(family, timeout=10)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]
