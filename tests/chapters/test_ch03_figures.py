import pytest

from harness.chapters.ch03_peft.failure import Failure, Step
from harness.chapters.ch03_peft.figures import cure_loss_curves, lora_target_panels
from harness.chapters.ch03_peft.study import ADAPTER, CALLS, NATIVE_CLASS, NO_TASK_TYPE, WITH_LABELS, Curve
from harness.chapters.ch03_peft.targets import FROZEN, HEAD_ALONE, TARGET_SETS, TRAINED
from harness.chapters.ch03_peft.verdict import Control, judge_failure, judge_peft

MESSAGE = "HiggsAudioModel.forward() got an unexpected keyword argument 'labels'"
FAILURE = Failure("TypeError", MESSAGE, (Step("peft/peft_model.py", 7, "forward", "labels=labels,"),))
CURVES = [
    Curve(NO_TASK_TYPE, [13.0, 1.0], [6.0, 0.5], [7.0, 0.5], 10, "PeftModel"),
    Curve(ADAPTER, [13.0, 1.0], [6.0, 0.5], [7.0, 0.5], 10, "PeftModelForCausalLM"),
    Curve(NATIVE_CLASS, [62.0, 4.0], [6.0, 0.4], [7.0, 0.4], 10, "PeftModelForCausalLM"),
]


def rows():
    found = []
    for place, name in enumerate(TARGET_SETS):
        for head in (FROZEN, TRAINED):
            if (name, head) != (HEAD_ALONE, FROZEN):
                text = 0.0 if name in (HEAD_ALONE, "audio FFN") else 0.5 + place
                last = 6.5 if head == FROZEN else 0.1
                found += [{"targets": name, "head": head, "first": 7.0, "last": last + seed, "text_alone": text}
                          for seed in (0.0, 0.2)]  # fmt: skip
    return found


def is_png(figure):
    return figure.png.startswith(b"\x89PNG") and len(figure.png) > 5000


def test_the_figure_of_curves_describes_them():
    figure = cure_loss_curves(CURVES, 1026)
    assert is_png(figure)
    assert "native class from 7.00 to 0.40" in figure.alt
    assert figure.alt.endswith("no task type and adapter class coincide.")
    assert "coincide" not in cure_loss_curves([CURVES[0], CURVES[2]], 1026).alt


def test_the_figure_of_panels_describes_them():
    figure = lora_target_panels(rows(), 6.4)
    assert is_png(figure)
    assert "audio FFN: loss 6.60 head frozen, 0.20 head trained; text changes by exactly 0" in figure.alt
    assert "attention q, v: loss 6.60 head frozen, 0.20 head trained; text changes by up to 1.50" in figure.alt
    assert "head alone: loss 0.20 head trained" in figure.alt and "limit is 6.40" in figure.alt


def test_p1_is_reproduced_with_its_cause():
    calls = {**dict.fromkeys(CALLS, FAILURE), "generate": None}
    bare = Failure("TypeError", MESSAGE.replace("HiggsAudioModel", "GPT2Model"), ())
    verdict = judge_failure(calls, {"GPT2LMHeadModel": None, "GPT2Model": bare})
    assert verdict.verdict == "reproduced, but"
    for part in ("`get_peft_model` succeeds", "`peft/peft_model.py:7`", "GPT2Model fails"):
        assert part in verdict.reading
    assert verdict.evidence["Higgs, generate"] == "works"
    assert verdict.evidence["Higgs, forward with labels"] == f"TypeError: {MESSAGE}"
    assert "GPT2Model" not in judge_failure(calls, {"GPT2LMHeadModel": None}).reading
    untraced = judge_failure({WITH_LABELS: Failure("TypeError", MESSAGE, ())}, {})
    assert untraced.verdict == "reproduced, but" and "adds" not in untraced.reading


def test_p1_is_refuted_by_another_outcome():
    for outcome, said in ((None, "works"), (Failure("KeyError", "'x'", ()), "KeyError: 'x'")):
        verdict = judge_failure({WITH_LABELS: outcome}, {})
        assert verdict.verdict == "refuted" and said in verdict.reading


CONTROL = Control(start=7.0, reached=6.5, limit=6.0, head_alone=0.04)


def test_p2_shows_what_the_head_does_without_lora():
    verdict = judge_peft(CURVES, CONTROL, "tiny")
    assert verdict.evidence["control: the audio head alone, no LoRA"] == "audio loss 7.00 to 0.04"
    assert "LoRA alone goes 50.0% of the way" in verdict.reading


def test_p2_needs_a_training_that_learns():
    verdict = judge_peft(CURVES, CONTROL, "tiny")
    assert (
        verdict.verdict == "refuted" and "3 of 3 ways" in verdict.reading and "note could not use it" in verdict.reading
    )
    assert verdict.evidence[ADAPTER].startswith("`PeftModelForCausalLM`, audio loss 7.00 to 0.50")
    flat = Curve(ADAPTER, [13.0, 12.0], [6.0, 5.0], [7.0, 7.0], 10, "PeftModel")
    assert judge_peft([flat], CONTROL, "tiny").verdict == "reproduced"
    short = Curve(ADAPTER, [13.0, 12.0], [6.0, 5.5], [7.0, 6.5], 10, "PeftModel")
    few = judge_peft([flat, short], CONTROL, "tiny")
    assert few.verdict == "not run here" and "2 steps are too few" in few.reading
    one = judge_peft([flat, CURVES[1]], CONTROL, "tiny").reading
    assert f"1 of 2 ways of wrapping the model: {ADAPTER}" in one and "note could not use it" not in one


@pytest.mark.parametrize(("text", "audio"), [([1.0, float("nan")], [1.0, 0.1]), ([1.0, 0.1], [1.0, 0.9])])
def test_both_losses_must_fall(text, audio):
    assert judge_peft([Curve(ADAPTER, [1.0, 0.1], text, audio, 1, "")], CONTROL, "tiny").verdict == "not run here"
