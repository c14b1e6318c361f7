"""The traps still exist: otherwise the page that shows them would mislead."""

import pytest

from harness.chapters.ch04_training_higgs.evidence import (
    compare_stacks,
    differences,
    dump,
    train_and_check,
    write_cases,
)
from harness.chapters.ch04_training_higgs.traps import items_trap
from harness.higgs.convert import convert
from harness.higgs.samples import load_samples
from harness.higgs.training import last_checkpoint
from harness.processes import call
from harness.processes.stacks import BOSON, NATIVE


@pytest.fixture(scope="module")
def cases(manifest, codec, codes, tmp_path_factory):
    samples = load_samples(manifest, codec, codes, 8, 1024)
    return write_cases(samples[:2], tmp_path_factory.mktemp("cases") / "cases.npz")


def test_the_original_collator_modifies_its_samples_and_trainer_hides_it(boson, cases):
    found = call(BOSON, "harness.chapters.ch04_training_higgs.traps:collator_trap", model=boson, cases=cases)
    first, second = found["labels"]
    assert first > 0 and second == 0
    assert found["losses"][0] > 1 and found["losses"][1] is None
    assert found["logged"][0] > 1 and found["logged"][1:] == [0.0, 0.0]


def test_the_item_count_of_trainer_scales_the_audio_loss(native, cases):
    found = items_trap(str(native), str(cases))
    assert found["own"] == pytest.approx(8 * found["mean"], rel=1e-5)
    expected = found["own"] * found["audio_items_a_codebook"] / found["text_items"]
    assert found["under_trainer"] == pytest.approx(expected, rel=1e-4)


def test_labels_of_the_processor_teach_no_end(native, cases):
    paths = {"model": native, "cases": cases}
    found = call(NATIVE, "harness.chapters.ch04_training_higgs.traps:processor_trap", **paths, steps=100)
    theirs, ours = found["processor"], found["ours"]
    assert theirs["end"] == 0 and theirs["prompt"] > 0 and theirs["delay"] > 0 and theirs["stopped"] == 0
    assert ours["end"] == 2 * 8 and ours["prompt"] == ours["delay"] == 0
    assert theirs["codes"] == ours["codes"]
    assert (ours["stopped"], ours["equal"]) == (2, 1.0)


@pytest.fixture(scope="module")
def checked(make_config, tmp_path_factory):
    """Return the folder of a training of two steps, and the evidence about it."""
    folder = tmp_path_factory.mktemp("checked") / "run"
    return folder, train_and_check(make_config(folder, steps=2).model_dump(mode="json"))


def test_evidence_of_a_training_of_two_steps(checked):
    folder, found = checked
    assert found["summary"]["steps"] == 2 and last_checkpoint(folder).name == "checkpoint-2"
    assert len(found["before"]) == len(found["after"]) == found["summary"]["samples"]
    assert all(one["equal"] < 0.5 for one in found["after"])  # two steps teach nothing: the evidence must not flatter
    assert found["reload_difference"] < 1e-6 and found["merge_difference"] < 1e-4
    assert found["text_change"] > 0


def test_stacks_that_differ_are_told_apart(boson, native, boson_checks, checked, cases, tmp_path):
    """The comparison must be able to fail: with another adapter on one side."""
    adapter = boson_checks("few_steps")["folder"] / "few_steps"
    convert(adapter, tmp_path / "converted", base=native)
    converted = str(tmp_path / "converted")
    same = compare_stacks(str(boson), str(adapter), str(native), converted, str(cases))
    assert same["checkpoint"]["logits"] < 1e-5 and same["adapter"]["logits"] < 1e-5
    assert same["adapter"]["codes"] == 1.0 and same["adapter"]["frames"] > 0
    files = [str(tmp_path / name) for name in ("one.npz", "other.npz")]
    for path, adapter in zip(files, (converted, str(checked[0] / "adapter")), strict=True):
        dump(NATIVE, str(native), adapter, str(cases), path)
    other = differences(*files)
    assert other["checkpoint"]["logits"] == 0 and other["adapter"]["logits"] > 1e-2
