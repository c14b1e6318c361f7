"""The traps must spring: a page that shows a trap which is no longer there would mislead."""

import pytest

from harness.chapters.ch04_training_higgs.effort import NEEDS, effort
from harness.chapters.ch04_training_higgs.evidence import check, compare_stacks, write_cases
from harness.higgs.samples import load_samples
from harness.higgs.training import last_checkpoint
from harness.processes import call
from harness.processes.stacks import BOSON, NATIVE


@pytest.fixture(scope="module")
def cases(manifest, codec, codes, tmp_path_factory):
    samples = load_samples(manifest, codec, codes, 8, 1024)
    return write_cases(samples[:2], tmp_path_factory.mktemp("cases") / "cases.npz")


def test_the_original_collator_eats_its_samples_and_trainer_hides_it(boson, cases):
    found = call(BOSON, "harness.chapters.ch04_training_higgs.traps:collator_trap", model=boson, cases=cases)
    first, second = found["labels"]
    assert first > 0 and second == 0
    assert found["losses"][0] > 1 and found["losses"][1] is None
    assert found["logged"][0] > 1 and found["logged"][1:] == [0.0, 0.0]


def test_trainer_s_count_scales_the_audio(native, cases):
    found = call(NATIVE, "harness.chapters.ch04_training_higgs.traps:items_trap", model=native, cases=cases)
    assert found["own"] == pytest.approx(8 * found["mean"], rel=1e-5)
    expected = found["own"] * found["audio_items_a_codebook"] / found["text_items"]
    assert found["under_trainer"] == pytest.approx(expected, rel=1e-4)


def test_the_processor_s_labels_teach_no_end(native, codec, cases, manifest):
    found = call(
        NATIVE,
        "harness.chapters.ch04_training_higgs.traps:processor_trap",
        model=native,
        codec=codec,
        cases=cases,
        manifest=manifest,
    )
    theirs, ours = found["processor"], found["ours"]
    assert theirs["end"] == 0 and theirs["prompt"] > 0 and theirs["delay"] > 0 and theirs["stopped"] == 0
    assert ours["end"] == 2 * 8 and ours["prompt"] == ours["delay"] == 0
    assert theirs["codes"] == ours["codes"]
    assert (ours["stopped"], ours["equal"]) == (2, 1.0)


def test_evidence_of_a_training_that_hardly_trained(make_config, tmp_path):
    config = make_config(tmp_path / "run", steps=2)
    found = check(config)
    assert found["summary"]["steps"] == 2 and last_checkpoint(tmp_path / "run").name == "checkpoint-2"
    assert len(found["before"]) == len(found["after"]) == found["summary"]["samples"]
    assert all(one["equal"] < 0.5 for one in found["after"])  # two steps teach nothing: the evidence must not flatter
    assert found["reload_difference"] < 1e-6 and found["merge_difference"] < 1e-4
    assert found["text_change"] > 0


def test_stacks_that_differ_are_told_apart(boson, native, make_config, cases, tmp_path):
    """The comparison must be able to fail: with an adapter on one side only."""
    from harness.higgs.convert import convert

    config = make_config(tmp_path / "boson", stack="boson", steps=3, learning_rate=1e-2)
    check(config)
    adapter = tmp_path / "boson" / "adapter"
    convert(adapter, tmp_path / "converted", base=native)
    arguments = {"boson": str(boson), "boson_adapter": str(adapter), "native": str(native), "cases": str(cases)}
    same = compare_stacks(**arguments, native_adapter=str(tmp_path / "converted"))
    assert same["checkpoint"]["logits"] < 1e-5 and same["adapter"]["logits"] < 1e-5
    assert same["adapter"]["codes"] == 1.0 and same["adapter"]["frames"] > 0
    spoiled = make_config(tmp_path / "other", steps=3, learning_rate=1e-2, seed=1)
    check(spoiled)
    other = compare_stacks(**arguments, native_adapter=str(tmp_path / "other" / "adapter"))
    assert other["adapter"]["logits"] > 1e-2


def test_every_need_has_modules_with_code():
    rows = effort()
    assert [row["need"] for row in rows] == list(NEEDS)
    assert all(row["lines"] >= 30 for row in rows)
    named = [name for row in rows for name in row["modules"]]
    assert len(named) == len(set(named))  # nothing is counted twice
