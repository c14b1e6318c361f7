"""Mistakes that a user's tagger or engine may make, and the errors for them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import command

from harness.audio import Audio
from harness.engines import SpeechRequest
from harness.engines.base import Speech, check_engine, speak
from harness.errors import HarnessError
from harness.tagged import TaggedText
from harness.taggers.base import tag_all

TEXTS = [TaggedText.parse("We guarantee it"), TaggedText.parse("So it is")]
REQUEST = SpeechRequest(TEXTS[0])


def test_a_tagger_that_fails_is_named_with_its_line():
    def broken(texts):
        return {}["vocab"]

    message = r"the tagger 'mine' failed: KeyError: 'vocab' \(in .*test_plugins.py, line \d+\)"
    with pytest.raises(HarnessError, match=message):
        tag_all(SimpleNamespace(tag=broken), TEXTS, "mine")
    with pytest.raises(HarnessError, match="failed: AttributeError"):
        tag_all(object(), TEXTS, "mine")


@pytest.mark.parametrize(
    ("given", "message"),
    [(["<emph> so", "it"], "gave a str"), (TEXTS[:1], "gave 1 texts for 2"), ([None, None], "gave a NoneType")],
)
def test_a_tagger_that_returns_something_else_is_refused(given, message):
    with pytest.raises(HarnessError, match=message):
        tag_all(SimpleNamespace(tag=lambda texts: given), TEXTS, "mine")


def test_an_error_that_a_tagger_raises_on_purpose_is_passed_on():
    def refuse(texts):
        raise HarnessError("no weights", remedy="get them")

    with pytest.raises(HarnessError, match=r"^no weights \(get them\)$"):
        tag_all(SimpleNamespace(tag=refuse), TEXTS, "mine")


TONE = np.full(800, 0.1, dtype=np.float32)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.full(800, np.nan, dtype=np.float32), "NaN"),
        (TONE[:0], "gave no samples"),
        (np.stack([TONE, TONE], axis=1), "one channel"),
        (TONE * 200_000, "up to 20000 .*divide 16-bit ones by 32768"),
    ],
)
def test_audio_that_cannot_be_written_is_refused(samples, message):
    audio = object.__new__(Audio)
    audio.__dict__.update(samples=samples, sample_rate=16000)
    with pytest.raises(HarnessError, match=message):
        speak(SimpleNamespace(speak=lambda request: Speech(audio)), REQUEST, "mine")


def test_an_engine_that_returns_no_speech_is_refused():
    with pytest.raises(HarnessError, match="gave a NoneType"):
        speak(SimpleNamespace(speak=lambda request: None), REQUEST, "mine")
    with pytest.raises(HarnessError, match="gave a list, not an Audio"):
        speak(SimpleNamespace(speak=lambda request: Speech([0.0])), REQUEST, "mine")


def test_an_engine_is_checked_before_it_speaks():
    with pytest.raises(HarnessError, match=r"lacks dialect, .*an engine has: name, dialect"):
        check_engine(SimpleNamespace(name="x"), "mine")
    full = dict.fromkeys(("name", "deterministic", "revision", "default_voice", "voices", "speak"), "")
    with pytest.raises(HarnessError, match=r"the dialect 'smml' .*ssml, prompted"):
        check_engine(SimpleNamespace(**full, dialect="smml"), "mine")


def test_examples_are_tagged_under_their_ids(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": "a-1", "text": "Is it <emph> so?"}\n{"id": 0, "text": "Is it?"}\n', encoding="utf-8")
    done = command("tag", source, "--tagger", "rules", "--json")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["id"] == "a-1" and "<emph>" not in first["text"] and "Is it" in first["text"]
    assert second["id"] == 0
    done = command("tag", "--tagger", "rules", "--json", stdin=b"{ a brace\n")
    assert json.loads(done.stdout)["id"] == "1" and "{ a brace" in json.loads(done.stdout)["text"]
