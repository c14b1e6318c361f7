"""Options of the Higgs engines are checked before anything is loaded."""

from types import SimpleNamespace

import pytest

from harness.engines import SpeechRequest, make_engine
from harness.engines.higgs.settings import SMALL_FOLDERS, HiggsSettings
from harness.errors import HarnessError
from harness.higgs.speech.codec import load_speech_codec
from harness.tagged import TaggedText


def request(text):
    return SpeechRequest(TaggedText.parse(text))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dialect": "ssml"}, "dialect cannot be 'ssml'"),
        ({"dtype": "int8"}, "dtype cannot be 'int8'"),
        ({"device": "tpu"}, "device cannot be 'tpu'"),
        ({"temperature": -1}, "temperature must be at least 0"),
        ({"top_p": 0}, "got temperature 0.3, top_p 0 and top_k 50"),
        ({"top_k": 0}, "top_k at least 1 or null"),
        ({"top_k": 1.5}, "the option top_k cannot be 1.5"),
        ({"temperature": "hot"}, "the option temperature cannot be 'hot'"),
        ({"max_seconds": True}, "the option max_seconds cannot be True"),
        ({"seed": 10**23}, "the option seed cannot be 1000"),
        ({"max_seconds": 0.01}, r"max_seconds must be at least 0\.04, .*got 0\.01"),
        ({"codec": "here"}, "the option checkpoint is missing"),
        ({"checkpoint": "here"}, "the option codec is missing"),
        ({"checkpoint": "nowhere", "codec": "nowhere"}, "there is no such folder"),
        ({"checkpoint": "bosonai/some-model", "codec": "x/y", "revision": "main"}, "needs a revision of 40 digits"),
        ({"reference_text": "Hello."}, "reference_audio and reference_text must be given together"),
        ({"reference_text": "Hello.", "reference_audio": "missing.wav"}, "the reference recording is missing"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(HarnessError, match=message):
        HiggsSettings(**options)


def test_an_unknown_option_is_named():
    with pytest.raises(HarnessError, match="temprature"):
        make_engine("higgs_native", temprature=1)


def test_the_system_prompt_explains_the_tags_that_stay_in_the_text():
    told, plain = HiggsSettings(checkpoint="tiny"), HiggsSettings(checkpoint="tiny", dialect="ignore")
    assert "<pitch_rising>: let" in told.system and "<" not in plain.system
    tagged = request("We <emph> guarantee it")
    assert told.rendered(tagged) == "We <emph> guarantee it" and plain.rendered(tagged) == "We guarantee it"
    assert told.rendered(request(r"a \<emph> b")) == "a <emph> b"


def test_speech_has_a_limit_in_frames_of_its_codec_that_grows_with_the_text():
    settings, text = HiggsSettings(checkpoint="tiny"), TaggedText.parse("We guarantee it.")
    bosons, small = SimpleNamespace(frame_samples=960), load_speech_codec(SMALL_FOLDERS[1])
    assert settings.frames(text, bosons) == 25 * 5
    assert settings.frames(TaggedText.parse("We <pause_long> guarantee it."), bosons) == 25 * 7
    assert settings.frames(text, small) == round(5 * 24000 / small.frame_samples) > 25 * 5
    assert HiggsSettings(max_seconds=0.04).frames(text, bosons) == 1


def test_the_voice_is_named_by_its_recording(tmp_path):
    for name, content in (("a.wav", b"one"), ("b.wav", b"one"), ("c.wav", b"two")):
        (tmp_path / name).write_bytes(content)
    voices = [HiggsSettings(reference_audio=str(tmp_path / name), reference_text="One.").voice
              for name in ("a.wav", "b.wav", "c.wav")]  # fmt: skip
    assert voices[0] == voices[1] != voices[2] and HiggsSettings().voice == "default"


def test_weights_are_named_by_what_is_in_them(tmp_path):
    model, codec = tmp_path / "model", tmp_path / "codec"
    for folder, file in ((model, "model.safetensors"), (codec, "model.pth")):
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / file).write_bytes(bytes(300_000))
    seen = {HiggsSettings(checkpoint=str(model), codec=str(codec)).weights}
    for path in (model / "model.safetensors", codec / "model.pth", model / "config.json"):
        path.write_bytes(b"1" * path.stat().st_size)  # other bytes, same size
        seen.add(HiggsSettings(checkpoint=str(model), codec=str(codec)).weights)
    assert len(seen) == 4 and all(name.startswith("model ") and ", codec codec " in name for name in seen)
    given = HiggsSettings(checkpoint=str(model), codec=str(codec), revision="0" * 40)
    assert given.weights in seen  # a folder has no revision
