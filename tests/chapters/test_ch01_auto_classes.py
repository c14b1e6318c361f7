import pytest
from helpers import python_or_skip

from harness.chapters.ch01_loading.auto_classes import auto_classes
from harness.higgs.tiny import NATIVE_TYPE, ORIGINAL_TYPE
from harness.processes import call
from harness.processes.stacks import BOSON, NATIVE


def test_auto_classes_follow_the_tables():
    assert auto_classes("gpt2") == {
        "AutoConfig": "GPT2Config",
        "AutoModel": "GPT2Model",
        "AutoModelForCausalLM": "GPT2LMHeadModel",
        "AutoModelForTextToWaveform": "",
    }
    assert set(auto_classes("no such type").values()) == {""}


@pytest.mark.parametrize("stack", [NATIVE, BOSON])
def test_auto_classes_see_what_was_registered(stack):
    python_or_skip(stack)
    before = ["harness.higgs.register"] if stack == BOSON else []
    own = {NATIVE: NATIVE_TYPE, BOSON: ORIGINAL_TYPE}[stack]
    found = call(stack, "harness.chapters.ch01_loading.auto_classes:auto_classes", before=tuple(before), model_type=own)
    assert bool(found["AutoConfig"]) and bool(found["AutoModel"])
    assert (found["AutoModelForCausalLM"], found["AutoModelForTextToWaveform"]) == {
        NATIVE: ("", "HiggsAudioV2ForConditionalGeneration"),
        BOSON: ("HiggsAudioModel", ""),
    }[stack]
