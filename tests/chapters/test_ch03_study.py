import json
import math
from pathlib import Path

import pytest
from helpers import python_or_skip

from harness.chapters.ch03_peft import study as peft_study
from harness.chapters.ch03_peft import targets as peft_targets
from harness.chapters.ch03_peft.failure import Failure, Step
from harness.chapters.ch03_peft.study import CALLS, WITH_LABELS, Curve
from harness.chapters.ch03_peft.targets import AUDIO_HEAD, FROZEN, HEAD_ALONE, TARGET_SETS, TRAINED
from harness.errors import DataError
from harness.higgs.accounting import count, lora_parameters
from harness.higgs.convert import convert
from harness.higgs.formats import NATIVE_TYPE, ORIGINAL_TYPE
from harness.higgs.tiny import make_tiny_apart
from harness.processes import call
from harness.processes.stacks import BOSON, NATIVE, here

STEPS = 12
# Python 3.13 adds "Did you mean 'label_ids'?".
SAID = "HiggsAudioModel.forward() got an unexpected keyword argument 'labels'"


def in_stack(stack, function, /, **arguments):
    """Call a function of the module in a fresh process of a stack: what packages warn of once is then said; skip without one."""
    pytest.importorskip("torch")
    python_or_skip(stack)
    module = peft_targets if hasattr(peft_targets, function) else peft_study
    return call(stack, f"{module.__name__}:{function}", **arguments)


@pytest.fixture(scope="module")
def tiny(shared, boson_python):
    return str(shared("boson", make_tiny_apart))


@pytest.fixture(scope="module")
def boson(tiny):
    return in_stack(BOSON, "boson_part", folder=tiny, steps=STEPS)


@pytest.fixture(scope="module")
def native(shared, tiny):
    folder = shared("native", lambda folder: convert(Path(tiny), folder))
    return in_stack(NATIVE, "native_part", folder=str(folder), steps=STEPS)


# How it fails


def test_the_cause_is_the_line_that_names_the_keyword():
    outer = Step("peft/a.py", 10, "forward", "return base(\n    label_ids=x,\n    ids=ids,\n)")
    inner = Step("peft/b.py", 5, "forward", "return self.model.forward(*args, **kwargs)")
    failure = Failure("TypeError", "X.forward() got an unexpected keyword argument 'ids'", (outer, inner))
    assert failure.keyword == "ids"
    assert failure.cause == Step(
        "peft/a.py", 12, "forward", "ids=ids,"
    )  # not `label_ids=`, and not the innermost frame
    assert Failure("TypeError", failure.message, (inner,)).cause is None
    other = Failure("ValueError", "something else", (outer,))
    assert other.keyword == "" and other.cause is None


def read(failure):
    """A failure as it comes back from another process."""
    return Failure(failure["exception"], failure["message"], tuple(Step(**one) for one in failure["steps"]))


def test_a_bare_gpt2_fails_in_the_same_line(boson):
    assert list(boson["control"]) == ["GPT2LMHeadModel", "GPT2Model"]
    assert boson["control"]["GPT2LMHeadModel"] is None
    bare, higgs = read(boson["control"]["GPT2Model"]), read(boson["calls"]["CAUSAL_LM"][WITH_LABELS])
    assert bare.exception == "TypeError" and bare.keyword == "labels"
    assert bare.cause == higgs.cause


def test_every_forward_of_the_wrapped_model_fails_and_generation_works(boson):
    typed = boson["calls"]["CAUSAL_LM"]
    assert list(typed) == list(CALLS)
    for name, failure in typed.items():
        assert (failure is None) if name == "generate" else failure["message"].startswith(SAID)
    failure = read(typed[WITH_LABELS])
    assert failure.cause.file == "peft/peft_model.py" and failure.cause.code == "labels=labels,"
    assert failure.steps[0].code.startswith("return self.base_model(\n    input_ids=input_ids,")  # the whole statement
    assert failure.steps[-1].file == "peft/tuners/tuners_utils.py"


def test_without_a_task_type_only_the_foreign_keyword_fails(boson):
    untyped = boson["calls"]["None"]
    assert untyped[WITH_LABELS]["message"].startswith(SAID)
    assert [name for name, failure in untyped.items() if failure is None] == list(CALLS[1:])


# Three cures


def test_the_two_boson_cures_are_one_computation(boson):
    plain, adapted = (Curve(**one) for one in boson["curves"])
    assert (plain.wrapper, adapted.wrapper) == ("PeftModel", "PeftModelForCausalLM")
    assert plain.audio == adapted.audio and plain.text == adapted.text and plain.loss == adapted.loss
    assert plain.trainable == adapted.trainable
    assert plain.loss == pytest.approx([text + audio for text, audio in zip(plain.text, plain.audio, strict=True)])
    assert plain.audio[0] == pytest.approx(math.log(1026), abs=0.2)  # random weights guess
    assert plain.audio[-1] < 0.6 * plain.audio[0] and plain.text[-1] < 0.6 * plain.text[0]


def test_the_native_class_starts_where_boson_does(boson, native):
    plain, ported = Curve(**boson["curves"][0]), Curve(**native["curve"])
    assert ported.wrapper == "PeftModelForCausalLM" and ported.trainable == plain.trainable
    assert ported.audio[0] == pytest.approx(plain.audio[0], abs=1e-4)
    assert ported.text[0] == pytest.approx(plain.text[0], abs=1e-4)  # what is left when 8 codebooks are taken off
    assert ported.loss[0] == pytest.approx(plain.text[0] + 8 * plain.audio[0], abs=1e-3)
    assert ported.audio[-1] < 0.6 * ported.audio[0]


def test_labels_without_a_text_head_are_ignored(native):
    by_case = {(row["text_head"], row["audio_labels"]): row for row in native["labels"]}
    text_only, neither = by_case[True, False], by_case[False, False]
    assert neither["loss"] is None and "Text labels ignored" in neither["warning"]
    assert "Text labels ignored" in by_case[False, True]["warning"] and not text_only["warning"]
    both = by_case[True, True]["loss"]
    assert both == pytest.approx(text_only["loss"] + by_case[False, True]["loss"], rel=1e-4)
    assert {"labels", "audio_labels"} <= set(native["arguments"])


def test_a_checkpoint_of_the_other_format_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": NATIVE_TYPE if here() == BOSON else ORIGINAL_TYPE}))
    with pytest.raises(DataError, match=r"does not read.*config\.json|config\.json.*does not read"):
        peft_study.load_plain(tmp_path)


# Traps


def test_trainer_sees_items_only(boson):
    assert boson["trainer"]["item"] is None
    assert "did not return a loss" in boson["trainer"]["attribute"]["message"]


def test_all_linear_adapts_the_heads_of_the_boson_class():
    found = in_stack(BOSON, "matched", targets="all-linear")
    assert found == {"attention": 8, "audio FFN": 6, "text FFN": 6, "audio head": 1, "text head": 1}


# Which modules


def test_real_modules_agree_with_the_accounting():
    pytest.importorskip("torch")
    from harness.higgs.accounting import build, original_config

    rows = peft_targets.real_modules(rank=4)
    groups = count(build(original_config()))["groups"]
    for group in ("attention", "text FFN", "audio FFN", "text head", "audio head"):
        assert sum(row["parameters"] for row in rows if row["group"] == group) == groups[group]
    lora = {row["module"]: row["lora"] for row in rows}
    for targets in TARGET_SETS.values():
        if targets:
            assert sum(lora[name] for name in targets) == lora_parameters(targets, 4)


def test_text_is_untouched_by_the_audio_ffn_alone(tiny):
    rows = in_stack(BOSON, "compare_targets", folder=tiny, steps=STEPS, seed=3)
    limit = in_stack(BOSON, "best_with_frozen_head", folder=tiny, steps=100, seed=3)
    by_case = {(row["targets"], row["head"]): row for row in rows}
    assert len(by_case) == len(rows) == 2 * len(TARGET_SETS) - 1 and (HEAD_ALONE, FROZEN) not in by_case
    for head in (FROZEN, TRAINED):
        assert by_case["audio FFN", head]["text_alone"] == 0.0  # by construction, not approximately
        assert by_case["audio FFN", head]["text_behind"] > 0  # through attention
        for name in ("attention q, v", "text FFN", "attention + audio FFN"):
            assert by_case[name, head]["text_alone"] > 1e-3
    assert by_case[HEAD_ALONE, TRAINED]["text_behind"] == 0.0
    assert {row["seed"] for row in rows} == {3} and len({row["first"] for row in rows}) == 1
    for (_, head), row in by_case.items():
        if head == FROZEN:
            assert limit - 1e-3 < row["last"] < row["first"]
        else:
            assert row["last"] < limit
    frozen, trained = by_case["audio FFN", FROZEN], by_case["audio FFN", TRAINED]
    assert trained["trainable"] - frozen["trainable"] == by_case[HEAD_ALONE, TRAINED]["trainable"] == 64 * 8 * 1026
    assert by_case["audio FFN", FROZEN]["last"] < by_case["text FFN", FROZEN]["last"]
    assert AUDIO_HEAD == "audio_lm_head"
