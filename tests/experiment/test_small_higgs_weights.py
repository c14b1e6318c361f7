"""The weights of the project's small Higgs: file, card and result belong together, and the engine speaks with them."""

import hashlib
import json

import pytest

pytest.importorskip("torch")

from harness.engines.base import SpeechRequest, make_engine
from harness.errors import HarnessError
from harness.experiment.small_higgs.grammar import Grammar
from harness.paths import DATA
from harness.prosody.recognise import recognise
from harness.store import read_json
from harness.tagged import TaggedText

FOLDER = DATA / "models" / "small-higgs"
RESULT = DATA / "results" / "small_higgs.json"
TEXT = "We <emph> guarantee thirty percent savings"


@pytest.fixture(scope="module")
def engine():
    return make_engine("higgs_native", temperature=0.0)


def test_file_card_and_result_belong_together():
    result, card = read_json(RESULT), (FOLDER / "README.md").read_text(encoding="utf-8")
    weights = (FOLDER / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == result["model_sha256"]
    assert result["model_sha256"][:12] in card and len(weights) < 15e6
    assert json.loads((FOLDER / "vocabulary.json").read_text()) == [*Grammar().vocabulary]
    model, teacher = result["model"], result["teacher"]
    for figure in (
        model["loop"]["wer"],
        teacher["loop"]["wer"],
        model["obeys"]["hits_of_all"],
        model["obeys"]["placebo"],
    ):
        assert f"{100 * figure:.1f} %" in card
    for name, row in model["obeys"]["tags"].items():
        assert f"| `{name}` | {row['hit']} of {row['asked']} |" in card


def test_it_says_most_of_the_words_and_ends_by_itself(engine):
    (made,) = engine.generate([SpeechRequest(TaggedText.parse(TEXT))])
    assert made.stopped and 30 < made.codes.shape[1] < 90
    heard = recognise(engine.speak(SpeechRequest(TaggedText.parse(TEXT))).audio, Grammar().vocabulary)
    assert len({"guarantee", "thirty", "percent", "savings"} & set(heard)) >= 3


def test_its_notice_says_what_it_is_and_other_words_are_refused(engine):
    assert "was taught a few dozen words" in engine.notice
    with pytest.raises(
        HarnessError, match=r"word 4 of 'We guarantee thirty dollars', 'dollars', is not one of the 47 words"
    ):
        engine.speak(SpeechRequest(TaggedText.parse("We guarantee thirty dollars")))
    with pytest.raises(HarnessError, match="cannot encode a recording to clone"):
        voice = str(next((DATA / "examples").rglob("*.wav"), FOLDER / "config.json"))
        make_engine("higgs_native", reference_audio=voice, reference_text="Hello.").speak(
            SpeechRequest(TaggedText.parse("We need growth"))
        )
