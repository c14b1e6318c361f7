import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import dummy_engines
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.engines.apart import EngineApart, EngineTimeout
from harness.engines.base import SpeechEngine, SpeechRequest, make_engine
from harness.engines.secrets import without_secrets
from harness.errors import HarnessError, NotAvailable
from harness.paths import ROOT
from harness.processes import remote
from harness.tagged import TaggedText

BOSON = ROOT / ".venv-boson" / "bin" / "python"
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def engine(name, **options):
    return EngineApart(f"dummy_engines:{name}", options.pop("options", None), **options)


def ask(text="one two", seed=0, voice=None):
    return SpeechRequest(TaggedText.parse(text), voice, seed)


def pid(speaker):
    return speaker._child.pid


def alive(number):
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone_soon(number, seconds=8.0):
    end = time.monotonic() + seconds
    while alive(number) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(number)


@pytest.fixture(scope="module")
def sine():
    with engine("Sine") as speaker:
        yield speaker


def test_is_the_engine(sine):
    speaker: SpeechEngine = sine
    assert (speaker.name, speaker.dialect, speaker.revision) == ("sine", "ignore", "sine 1")
    assert speaker.deterministic is True and speaker.default_voice == "low" and speaker.voices() == ["low", "high"]
    assert not hasattr(speaker, "rate")


@pytest.mark.parametrize("request_", [ask(), ask("one <emph> two", 5, "high")])
def test_same_as_in_process(sine, request_):
    expected, got = dummy_engines.Sine().speak(request_), sine.speak(request_)
    assert np.array_equal(got.audio.samples, expected.audio.samples)
    assert got.audio.samples.dtype == np.float32 and got.audio.samples.flags.writeable
    assert got.audio.sample_rate == expected.audio.sample_rate and got.words == expected.words


def test_espeak_gives_the_same_samples():
    request = ask("We <emph> guarantee 30% savings, <pause_long> don't we?")
    expected = make_engine("espeak", rate=180).speak(request)
    with EngineApart("espeak", {"rate": 180}) as speaker:
        got = speaker.speak(request)
        assert speaker.voices() == make_engine("espeak").voices()
    assert np.array_equal(got.audio.samples, expected.audio.samples) and got.words == expected.words


def test_word_times_are_sent_only_where_they_are_asked_for(sine):
    asked = ask("We guarantee it")
    assert len(sine.speak(asked).words) == 3
    assert sine.speak(replace(asked, word_times=False)).words is None


words = st.text(st.characters(), min_size=1).filter(lambda word: word.split() == [word])


@settings(max_examples=200, deadline=None)
@example(["\ud83d\ude00", "\x00", "\\<emph>", "<emph>", "naïve", "\x7f", "\udc80"], [])
@given(st.lists(words, min_size=1, max_size=4), st.lists(st.tuples(st.just(0), st.sampled_from(["<emph>"]))))
def test_text_survives(sine, some, tags):
    text = TaggedText(some, tags)
    assert tuple(word.word for word in sine.speak(SpeechRequest(text)).words) == text.words


def test_a_call_that_hangs_ends_in_time():
    with engine("HoldsLock", timeout=0.7) as speaker:
        speaker.speak(ask())
        old, began = pid(speaker), time.monotonic()
        with pytest.raises(
            EngineTimeout, match=r"^the engine dummy_engines:HoldsLock gave no answer within 0.7 s"
        ) as caught:
            speaker.speak(ask(seed=1))
        assert 0.6 < time.monotonic() - began < 4
        assert "`timeout` field of the experiment" in caught.value.remedy
        assert not alive(old)
        assert len(speaker.speak(ask()).audio.samples) and pid(speaker) != old


def test_the_start_has_a_limit_of_its_own(monkeypatch):
    monkeypatch.setattr(remote, "START_SECONDS", 1.0)
    with engine("SlowStart", timeout=0.1) as speaker, pytest.raises(EngineTimeout, match="did not start within 1 s"):
        speaker.voices()


@pytest.mark.parametrize(
    ("kind", "how"), [("Segfaults", r"ended \(signal SEGV\)"), ("Exits", r"ended \(exit code 3\)")]
)
def test_crash(kind, how):
    with engine(kind) as speaker:
        for _ in range(2):
            with pytest.raises(HarnessError, match=how) as caught:
                speaker.speak(ask(seed=1))
            assert type(caught.value) is HarnessError
            assert len(speaker.speak(ask()).audio.samples)


def test_death_between_requests_harms_no_request():
    with engine("ExitsLater") as speaker:
        speaker.speak(ask(seed=1))
        old = pid(speaker)
        time.sleep(0.5)
        assert len(speaker.speak(ask()).audio.samples) and pid(speaker) != old


def test_errors_come_back():
    with engine("Refuses") as speaker:
        with pytest.raises(NotAvailable) as caught:
            speaker.speak(ask(seed=1))
        assert str(caught.value) == "a/model:3: no model here (fetch it)"
        old = pid(speaker)
        assert len(speaker.speak(ask()).audio.samples) and pid(speaker) == old


def test_errors_of_other_kinds_come_back():
    with engine("Fails") as speaker:
        with pytest.raises(HarnessError) as caught:
            speaker.speak(ask(seed=1))
        assert str(caught.value) == "the engine dummy_engines:Fails failed: ValueError: bad phoneme"
    with engine("TwoDimensional") as speaker, pytest.raises(HarnessError, match=r"shape \(2, 50\)"):
        speaker.speak(ask())


def test_printing_does_no_harm(capfd):
    with engine("Prints", timeout=20) as speaker:
        got = speaker.speak(ask(seed=1))
        assert np.array_equal(got.audio.samples, dummy_engines.Sine().speak(ask(seed=1)).audio.samples)
        speaker.speak(ask())
    assert capfd.readouterr() == ("", "")


def test_writing_into_the_pipes_costs_one_request():
    with engine("WritesIntoPipes", timeout=20) as speaker:
        with pytest.raises(HarnessError, match=r"WritesIntoPipes ended \(signal KILL\)"):
            speaker.speak(ask(seed=1))
        assert len(speaker.speak(ask()).audio.samples)


def test_no_key_in_messages(monkeypatch, capfd):
    monkeypatch.setenv("DUMMY_API_KEY", dummy_engines.FAKE_KEY)
    with engine("TellsKey") as speaker, pytest.raises(HarnessError) as caught:
        speaker.speak(ask(seed=1))
    assert str(caught.value) == "the engine dummy_engines:TellsKey ended (exit code 7): refused: key *** is unknown"
    assert capfd.readouterr() == ("", "")


def test_without_secrets():
    environ = {"A_KEY": "abc", "b_token": "abcdef\n", "EMPTY_KEY": "", "KEYS": "hello", "BLANK_TOKEN": " "}
    assert without_secrets("abc abcdef hello  .", environ) == "*** *** hello  ."


def test_unknown_engine_and_bad_options():
    with pytest.raises(HarnessError, match="no engine is called 'parrot'"):
        EngineApart("parrot").voices()
    with pytest.raises(HarnessError, match="does not take these options"):
        engine("Sine", options={"colour": 1}).voices()
    with pytest.raises(HarnessError, match="cannot be sent to its process"):
        engine("Sine", options={"rate": object()})
    with pytest.raises(HarnessError, match="must be greater than 0 seconds, got 0"):
        engine("Sine", timeout=0)


def test_missing_interpreter():
    with pytest.raises(NotAvailable, match="cannot be started with /no/python"):
        engine("Sine", python="/no/python").voices()


@pytest.mark.skipif(not BOSON.exists(), reason="needs .venv-boson")
def test_other_interpreter():
    code = "import sys; print(sys.prefix)"
    prefix = subprocess.run([BOSON, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    with engine("Where", python=BOSON) as speaker:
        assert speaker.revision == prefix != sys.prefix
        assert len(speaker.speak(ask()).audio.samples)


@linux
def test_close_ends_the_child():
    speaker = engine("Sine")
    speaker.speak(ask())
    old = pid(speaker)
    speaker.close()
    speaker.close()
    assert not Path(f"/proc/{old}").exists()  # a zombie would still be there
    assert len(speaker.speak(ask()).audio.samples)
    second = pid(speaker)
    del speaker
    gc.collect()
    assert not Path(f"/proc/{second}").exists()


@linux
def test_nothing_leaks():
    def held():
        gc.collect()
        return [*Path("/proc/self/fd").iterdir()], threading.active_count()

    def all_ways():
        with engine("Sleeps", timeout=0.3) as speaker:
            speaker.speak(ask())
            with pytest.raises(EngineTimeout):
                speaker.speak(ask(seed=1))
        with engine("Segfaults") as speaker, pytest.raises(HarnessError):
            speaker.speak(ask(seed=1))
        with engine("Sine", python="/no/python") as speaker, pytest.raises(NotAvailable):
            speaker.voices()
        with pytest.raises(HarnessError):
            EngineApart("parrot").voices()

    all_ways()
    before = held()
    all_ways()
    assert len(held()[0]) == len(before[0]) and held()[1] == before[1]


@linux
@pytest.mark.parametrize("seed", [1, 2])
def test_what_the_engine_started_ends_too(tmp_path, seed):
    with engine("HasChild", timeout=1.5) as speaker:
        with pytest.raises(HarnessError) as caught:
            speaker.speak(SpeechRequest(TaggedText([str(tmp_path / "pid")]), None, seed))
        if seed == 1:
            grandchild = int((tmp_path / "pid").read_text())
        else:
            assert "ended (exit code 5)" in str(caught.value)
            grandchild = int(str(caught.value).split()[-1])
    assert gone_soon(grandchild)


def test_used_from_threads_that_end():
    """The kernel ends a child with the thread that started it; here that must not be the caller's."""
    with engine("Sine") as speaker:
        starter = threading.Thread(target=speaker.speak, args=(ask(),))
        starter.start()
        starter.join()
        old = pid(speaker)
        time.sleep(0.3)
        with ThreadPoolExecutor(8) as pool:
            got = list(pool.map(lambda seed: speaker.speak(ask(seed=seed)), range(8)))
        assert pid(speaker) == old
        for seed, speech in enumerate(got):
            assert np.array_equal(speech.audio.samples, dummy_engines.Sine().speak(ask(seed=seed)).audio.samples)


def _in_worker(speaker, connection):
    connection.send((speaker.speak(ask(seed=3)).audio.samples, pid(speaker)))


@linux
def test_in_a_daemonic_fork():
    with engine("Sine") as speaker:
        speaker.speak(ask())
        here, there = multiprocessing.get_context("fork").Pipe()
        process = multiprocessing.get_context("fork").Process(target=_in_worker, args=(speaker, there), daemon=True)
        process.start()
        assert here.poll(30)
        samples, other = here.recv()
        process.join()
        assert np.array_equal(samples, dummy_engines.Sine().speak(ask(seed=3)).audio.samples)
        assert other != pid(speaker) and alive(pid(speaker)) and gone_soon(other)
        old = pid(speaker)
        speaker.speak(ask())
        assert pid(speaker) == old


PARENT = """
import sys, threading, time
sys.path.insert(0, {tests!r})
from harness.engines.apart import EngineApart
from harness.engines.base import SpeechRequest
from harness.tagged import TaggedText
speaker = EngineApart("dummy_engines:{kind}")
speaker.voices()
print(speaker._child.pid, flush=True)
speaker.speak(SpeechRequest(TaggedText(["x"]), None, {seed}))
print("spoken", flush=True)
{then}
"""


def start_parent(kind, seed, then="time.sleep(1000)"):
    code = textwrap.dedent(PARENT).format(tests=str(Path(__file__).parent), kind=kind, seed=seed, then=then)
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, start_new_session=True)  # fmt: skip


@linux
@pytest.mark.parametrize(("kind", "seed"), [("Sine", 0), ("HoldsLock", 1)])
def test_ends_with_a_killed_parent(kind, seed):
    with start_parent(kind, seed) as parent:
        child = int(parent.stdout.readline())
        time.sleep(0.3)
        assert alive(child)
        parent.kill()
        assert gone_soon(child)


@linux
def test_ends_with_a_parent_that_does_not_close():
    with start_parent("Sine", 0, then="") as parent:
        out, err = parent.communicate(timeout=30)
    assert err == "" and gone_soon(int(out.split()[0]), 0.1)


@linux
def test_interrupt_prints_only_the_parents_traceback():
    with start_parent("Sleeps", 1) as parent:
        child = int(parent.stdout.readline())
        assert os.getpgid(child) == child
        time.sleep(0.3)
        os.killpg(parent.pid, signal.SIGINT)  # what a terminal does
        _, err = parent.communicate(timeout=20)
    assert err.count("Traceback") == 1 and "__main__.py" not in err and gone_soon(child, 0.1)
