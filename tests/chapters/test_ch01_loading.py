"""The matrix, the table of outcomes and the verdicts of chapter 01."""

from dataclasses import replace

import pytest

from harness.chapters.ch01_loading.figures import cell_lines, loader_outcome_matrix
from harness.chapters.ch01_loading.findings import crossed_found, described, findings, outcomes_as_json, shortcuts_found
from harness.chapters.ch01_loading.verdict import SAID, judge_message, judge_model_type, judge_package
from harness.higgs.probe import LOADERS, SETTINGS, LoadOutcome, StackReport
from harness.higgs.tiny import NATIVE_TYPE, ORIGINAL_TYPE
from harness.publish.tables import outcome_table

UNKNOWN = {"exception": "ValueError", "message": f"The checkpoint you are trying to load has {SAID}. <b>"}
OTHER = {"exception": "ValueError", "message": "Unrecognized configuration class <class 'X'>"}


def reports():
    """All cells fail with an unknown type."""
    return {
        stack: StackReport(
            {"transformers": "5.9" if stack == "transformers 5" else "4.46.3"},
            {label: [LoadOutcome(loader, **UNKNOWN) for loader in LOADERS] for label in (ORIGINAL_TYPE, NATIVE_TYPE)},
        )
        for stack in SETTINGS
    }


def change(given, stack, label, loader, **fields):
    outcomes = given[stack].outcomes[label]
    at = [one.loader for one in outcomes].index(loader)
    outcomes[at] = replace(LoadOutcome(loader), **fields)


@pytest.fixture
def as_today():
    given = reports()
    change(given, "4.46.3 bare", ORIGINAL_TYPE, "boson", loaded="HiggsAudioModel")
    change(given, "4.46.3 boson imported", ORIGINAL_TYPE, "AutoModel", loaded="HiggsAudioModel")
    change(given, "4.46.3 boson imported", ORIGINAL_TYPE, "AutoModelForCausalLM", **OTHER)
    change(given, "transformers 5", NATIVE_TYPE, "AutoConfig", loaded="HiggsAudioV2Config")
    change(given, "transformers 5", NATIVE_TYPE, "native", loaded="HiggsAudioV2")
    change(given, "transformers 5", NATIVE_TYPE, "AutoModelForCausalLM", **OTHER)
    return given


def verdicts(given, model_type=ORIGINAL_TYPE):
    judged = [judge_model_type(given, model_type, "a folder"), judge_message(given), judge_package(given)]
    return {one.claim_id: one for one in judged}


def words(given, model_type=ORIGINAL_TYPE):
    return [one.verdict for one in verdicts(given, model_type).values()]


def test_the_verdicts_of_today(as_today):
    found = verdicts(as_today)
    assert words(as_today) == ["reproduced, but", "reproduced, but", "depends on the checkpoint's format"]
    assert found["L1"].evidence["checkpoint"] == "a folder"
    assert "ValueError: no class registered" in found["L2"].reading
    assert found["L3"].evidence[f"`{ORIGINAL_TYPE}` loads without it"] == "never"
    assert "native in transformers 5" in found["L3"].evidence[f"`{NATIVE_TYPE}` loads without it"]


def test_other_outcomes_give_other_verdicts(as_today):
    assert words(as_today, "llama")[0] == "depends on the revision"
    change(as_today, "transformers 5", ORIGINAL_TYPE, "AutoConfig", loaded="NewConfig")
    change(as_today, "4.46.3 bare", ORIGINAL_TYPE, "AutoModelForCausalLM", **OTHER)
    change(as_today, "transformers 5", ORIGINAL_TYPE, "native", loaded="HiggsAudioV2")
    assert words(as_today) == ["refuted", "refuted", "refuted"]


def test_a_load_with_random_weights_refutes_nothing(as_today):
    change(as_today, "transformers 5", ORIGINAL_TYPE, "native", loaded="HiggsAudioV2", missing=1)
    assert words(as_today)[2] == "depends on the checkpoint's format"
    change(as_today, "transformers 5", NATIVE_TYPE, "native", loaded="HiggsAudioV2", missing=1)
    assert words(as_today)[2] == "reproduced"


def test_without_the_newer_format_the_claims_are_reproduced():
    given = reports()
    assert words(given) == ["reproduced", "reproduced", "not run here"]
    change(given, "4.46.3 bare", ORIGINAL_TYPE, "boson", loaded="HiggsAudioModel")
    assert words(given) == ["reproduced", "reproduced", "reproduced"]
    change(given, "transformers 5", NATIVE_TYPE, "AutoModelForCausalLM", loaded="HiggsAudioV2")
    assert "loads a checkpoint of today's format" in verdicts(given)["L2"].reading


def test_a_cell_names_the_result_and_its_problem():
    assert cell_lines(LoadOutcome("x", "HiggsAudioModel")) == ["loads", "HiggsAudioModel"]
    assert cell_lines(LoadOutcome("x", "HiggsAudioV2ForConditionalGeneration", missing=2)) == [
        "loads",
        "HiggsAudioV2For",
        "Conditional",
        "Generation",
        "(random weights)",
    ]
    assert cell_lines(LoadOutcome("x", **OTHER)) == ["ValueError", "(no class", "registered)"]
    assert cell_lines(LoadOutcome("x", exception="OddError", message="?")) == ["OddError"]


def test_the_matrix_describes_what_loads(as_today):
    change(as_today, "transformers 5", ORIGINAL_TYPE, "native", loaded="HiggsAudioV2", missing=1)
    figure = loader_outcome_matrix(as_today)
    assert figure.png.startswith(b"\x89PNG")
    for said in (
        "higgs_audio in 4.46.3 bare: boson (HiggsAudioModel);",
        "higgs_audio in transformers 5: native (HiggsAudioV2, random weights)",
        "higgs_audio_v2 in 4.46.3 class registered: none",
        "All others fail",
    ):
        assert said in figure.alt


def test_the_table_gives_messages_and_notes_and_escapes_them(as_today):
    noted = LoadOutcome("native", "HiggsAudioV2", missing=1, notes=("1 weight not in the checkpoint",))
    html = outcome_table({"here": [LoadOutcome("AutoModel", where="a/b.py:7", **UNKNOWN), noted]}, by="folder").html
    assert "<b>" not in html and SAID in html
    for said in (
        ">folder<",
        ">b.py:7<",
        ">unknown model type<",
        ">random weights<",
        ">1 weight not in the checkpoint<",
    ):
        assert said in html


def test_the_findings_follow_from_the_outcomes(as_today):
    found = findings(as_today)
    assert found["auto_model_with_boson"] == "HiggsAudioModel" and found["causal_lm_with_boson"] == "ValueError"
    assert found["newer"] == "fails too" and "advises an upgrade" in found["upgrade"] and found["whole"] == 4
    change(as_today, "transformers 5", ORIGINAL_TYPE, "AutoConfig", loaded="C")
    assert findings(as_today)["upgrade"].startswith("A newer transformers loads the original format")
    assert outcomes_as_json(as_today)["transformers 5"][NATIVE_TYPE][0]["loaded"] == "HiggsAudioV2Config"
    assert "fails, ValueError" in crossed_found(as_today)
    assert described("tiny", "").startswith("tiny: ") and described("me/model", "abc") == "me/model abc"


def test_the_shortcuts_are_described_by_their_outcomes():
    failed = [LoadOutcome("AutoConfig", **UNKNOWN), LoadOutcome("native", **OTHER)]
    moved = [LoadOutcome("AutoConfig", loaded="C"), LoadOutcome("native", loaded="M", missing=3, unexpected=2)]
    said = shortcuts_found({"new label": failed, "new label, true width": failed, "sizes moved": moved}, 24)
    assert "which says 24" in said and "3 of its weights" in said and "and 2 weights of the file" in said
