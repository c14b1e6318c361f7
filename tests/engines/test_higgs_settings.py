"""Options of the Higgs engines are checked before anything is loaded, in either environment."""

import pytest

from harness.engines import SpeechRequest, make_engine
from harness.engines.higgs_audio.settings import HiggsSettings
from harness.errors import HarnessError
from harness.tagged import TaggedText


def request(text):
    return SpeechRequest(TaggedText.parse(text))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dialect": "ssml"}, "dialect cannot be 'ssml'"),
        ({"dtype": "int8"}, "dtype cannot be 'int8'"),
        ({"device": "tpu"}, "device cannot be 'tpu'"),
        ({"temperature": -1}, "cannot be sampled from"),
        ({"top_p": 0}, "cannot be sampled from"),
        ({"top_k": -3}, "cannot be sampled from"),
        ({"max_seconds": 0.01}, "no speech lasts"),
        ({"codec": "here"}, "there is no checkpoint"),
        ({"checkpoint": "here"}, "there is no codec"),
        ({"checkpoint": "nowhere", "codec": "nowhere"}, "there is no such folder"),
        ({"checkpoint": "bosonai/some-model", "codec": "x/y", "revision": "main"}, "needs a revision of 40 digits"),
        ({"reference_text": "Hello."}, "a reference is a recording and its words"),
        ({"reference_text": "Hello.", "reference_audio": "missing.wav"}, "the reference recording is missing"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(HarnessError, match=message):
        HiggsSettings(**options)


def test_an_unknown_option_is_named():
    with pytest.raises(HarnessError, match="temprature"):
        make_engine("higgs_native", temprature=1)


def test_the_system_prompt_explains_the_tags_that_stay_in_the_text():
    told, plain = HiggsSettings(), HiggsSettings(dialect="ignore")
    assert "<pitch_rising>: let" in told.system and "<" not in plain.system
    tagged = request("We <emph> guarantee it")
    assert told.rendered(tagged) == "We <emph> guarantee it" and plain.rendered(tagged) == "We guarantee it"
    assert told.rendered(request(r"a \<emph> b")) == "a <emph> b"


def test_a_text_gives_no_orders():
    with pytest.raises(HarnessError, match="control tokens"):
        HiggsSettings().rendered(request("a <|eot_id|> b"))


def test_speech_has_a_limit_that_grows_with_the_text():
    settings = HiggsSettings()
    assert settings.frames(TaggedText.parse("We guarantee it.")) == 25 * 5
    assert settings.frames(TaggedText.parse("We <pause_long> guarantee it.")) == 25 * 7
    assert HiggsSettings(max_seconds=0.04).frames(TaggedText.parse("We guarantee it.")) == 1


def test_the_voice_is_named_by_its_recording(tmp_path):
    for name, content in (("a.wav", b"one"), ("b.wav", b"one"), ("c.wav", b"two")):
        (tmp_path / name).write_bytes(content)
    voices = [HiggsSettings(reference_audio=str(tmp_path / name), reference_text="One.").voice
              for name in ("a.wav", "b.wav", "c.wav")]  # fmt: skip
    assert voices[0] == voices[1] != voices[2] and HiggsSettings().voice == "default"


def test_weights_are_named_by_what_is_in_the_folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    made = HiggsSettings(checkpoint=str(tmp_path), codec=str(tmp_path))
    before = made.weights
    (tmp_path / "model.safetensors").write_bytes(b"more")
    assert made.weights != before and made.weights.startswith(tmp_path.name)
