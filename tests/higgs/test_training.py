"""Short trainings on the tiny checkpoint: dividing a step or killing a run changes no result."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from harness.errors import DataError, HarnessError
from harness.higgs import training
from harness.higgs.checkpoints import load_model
from harness.higgs.trainer import NotANumber, read_losses
from harness.higgs.training import last_checkpoint, launch, run
from harness.processes.stacks import NATIVE
from harness.store import read_json, write_json

torch = pytest.importorskip("torch")

HALF = {"batch_size": 4, "steps": 3, "save_every": 3}  # six samples: two are left over in each epoch
RUNS = {
    "whole": HALF,
    "halves": {**HALF, "accumulate": 2},
    "checkpointing": {**HALF, "gradient_checkpointing": True},
    "bf16": {**HALF, "precision": "bf16"},
    "full": {**HALF, "method": "full"},
    "other_seed": {**HALF, "seed": 1},
    "audio_only": {**HALF, "text_weight": 0.0},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def trained(folder, make_config):
    """Return a function that gives the folder of one of `RUNS`, and runs it at the first call."""

    def once(name):
        if not (folder / name).exists():
            train(make_config(folder / name, **RUNS[name]))
        return folder / name

    return once


def fields(config):
    return config.model_dump(mode="json")


def train(config, **options):
    return run(fields(config), cpu=True, **options)


def losses(out, part="loss"):
    written = read_losses(out / "losses.jsonl")
    assert [line["step"] for line in written] == list(range(1, len(written) + 1))
    return np.array([line[part] for line in written])


def norms(out):
    """Return the gradient norm of each step before clipping; AdamW would hide a wrong factor."""
    history = read_json(last_checkpoint(out) / "trainer_state.json")["log_history"]
    return np.array([line["grad_norm"] for line in history if "grad_norm" in line])


def differ(one, other):
    assert one.shape == other.shape
    return np.abs(one - other).max()


# --- what a run leaves behind


def test_a_run_folder_is_complete(trained):
    out = trained("whole")
    summary = read_json(out / "summary.json")
    assert {name: summary[name] for name in ("stack", "method", "samples", "steps", "resumed_from", "processes")} == {
        "stack": "native", "method": "lora", "samples": 6, "steps": 3, "resumed_from": None, "processes": 1,
    }  # fmt: skip
    assert (summary["parameters"], summary["trainable"]) == (1_239_616 + 583_680, 583_680)
    assert summary["bytes"] == (out / "adapter" / "adapter_model.safetensors").stat().st_size
    assert (summary["first_loss"], summary["last_loss"]) == tuple(losses(out)[[0, -1]])
    assert list((out / "logs").rglob("events.out.tfevents*"))  # tensorboard reads these
    assert read_json(out / "config.json")["batch_size"] == 4
    assert not (out / "logs" / "logs").exists() and last_checkpoint(out).name == "checkpoint-3"


def test_the_loss_falls_and_is_the_sum_of_its_parts(trained):
    out = trained("whole")
    assert (np.diff(losses(out)) < -0.1).all()
    assert differ(losses(out), losses(out, "text") + losses(out, "audio")) < 1e-5
    # random weights guess almost uniformly among 512 tokens and 1026 entries
    assert losses(out, "text")[0] == pytest.approx(np.log(512), abs=0.3)
    assert losses(out, "audio")[0] == pytest.approx(np.log(1026), abs=0.3)


def test_the_saved_adapter_is_the_trained_one(trained, native):
    from peft import PeftModel
    from safetensors.torch import load_file

    out = trained("whole")
    final = load_file(out / "adapter" / "adapter_model.safetensors")
    last = load_file(out / "checkpoint-3" / "adapter_model.safetensors")
    assert set(final) == set(last) and all(torch.equal(final[name], last[name]) for name in final)
    assert any("lora_B" in name and tensor.abs().max() > 1e-4 for name, tensor in final.items())
    assert {name for name in final if "lora" not in name} == {f"base_model.model.{head}.weight" for head in
                                                              ("audio_lm_head", "text_lm_head")}  # fmt: skip
    PeftModel.from_pretrained(load_model(native, NATIVE), out / "adapter")
    assert (out / "adapter" / "tokenizer.json").exists()


def test_full_training_saves_a_complete_checkpoint(trained, native):
    out = trained("full")
    summary = read_json(out / "summary.json")
    assert summary["parameters"] == summary["trainable"] == 1_239_616
    before, after = (load_model(source, NATIVE).state_dict() for source in (native, out / "model"))
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert len(changed) == 33


# --- what must not change a step


@pytest.mark.parametrize("stack", ["native", "boson"])
def test_micro_batches_change_nothing(trained, boson_checks, stack):
    boson = boson_checks("runs")["folder"]
    one, two = (trained(name) if stack == "native" else boson / name for name in ("whole", "halves"))
    assert len(losses(one)) == 3 and differ(losses(one), losses(two)) < 1e-4
    assert differ(norms(one), norms(two)) < 1e-4


def test_both_stacks_train_alike(trained, boson_checks):
    for name in ("whole", "full"):
        for part in ("loss", "text", "audio"):
            theirs = losses(boson_checks("runs")["folder"] / name, part)
            assert differ(losses(trained(name), part), theirs) < 1e-4


@pytest.mark.parametrize("stack", ["native", "boson"])
def test_two_processes_compute_the_same_steps_as_one(make_config, trained, boson_checks, tmp_path, stack):
    summary = launch(make_config(tmp_path / "run", stack, **HALF), processes=2, cpu=True, quiet=True)
    assert summary["processes"] == 2 and summary["stack"] == stack
    one = trained("whole") if stack == "native" else boson_checks("runs")["folder"] / "whole"
    assert read_json(one / "summary.json")["processes"] == 1
    for part in ("loss", "text", "audio"):
        assert differ(losses(one, part), losses(tmp_path / "run", part)) < 1e-4
    assert differ(norms(one), norms(tmp_path / "run")) < 1e-4


def test_gradient_checkpointing_changes_nothing(make_config, trained, tmp_path, monkeypatch):
    import torch.utils.checkpoint as module
    from transformers import modeling_utils

    calls = []
    original = module.checkpoint

    def counted(*arguments, **options):
        calls.append(options.get("use_reentrant"))
        return original(*arguments, **options)

    monkeypatch.setattr(modeling_utils, "checkpoint", counted)
    train(make_config(tmp_path / "run", **RUNS["checkpointing"]))
    assert calls == [False] * 2 * 3  # layers x steps: it was in use
    one, other = losses(tmp_path / "run"), losses(trained("whole"))
    assert one[0] == other[0]
    assert differ(one, other) < 1e-4 and differ(norms(tmp_path / "run"), norms(trained("whole"))) < 1e-4


@pytest.mark.parametrize("stack", ["native", "boson"])
def test_half_precision_is_near_full_precision_and_ends_with_its_run(trained, boson_checks, stack):
    # bf16 has 8 bits, 0.4 % of a value; the loss, a mean over 300 labels, is more precise
    boson = boson_checks("runs")["folder"]
    half, whole, later = (
        losses(trained(name) if stack == "native" else boson / name) for name in ("bf16", "whole", "full")
    )
    assert 1e-6 < differ(half, whole) < 0.02 and (np.diff(half) < -0.1).all()
    assert later[0] == pytest.approx(whole[0], abs=1e-5)


def test_only_what_is_frozen_is_in_half_precision(make_config, tmp_path):
    config = make_config(tmp_path / "run", **{**RUNS["bf16"], "steps": 1})
    model = training.train(config, cpu=True).model
    kinds = {(parameter.requires_grad, parameter.dtype) for parameter in model.parameters()}
    assert kinds == {(True, torch.float32), (False, torch.bfloat16)}


def test_a_text_weight_of_zero_trains_audio_only(trained):
    out = trained("audio_only")
    assert differ(losses(out), losses(out, "audio")) == 0
    assert losses(out, "text")[0] == pytest.approx(losses(trained("whole"), "text")[0], abs=1e-5)
    # the audio loss changes the text loss a little; the text loss itself would change it more
    assert -np.diff(losses(out, "text"))[0] < 0.5 * -np.diff(losses(trained("whole"), "text"))[0]


# --- kills


def wait_for(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read()[-2000:]
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)


def test_a_killed_run_resumes_with_the_same_result(make_config, tmp_path):
    settings = {"steps": 24, "save_every": 4, "lora": {"dropout": 0.1}, "warmup_steps": 5}
    killed = make_config(tmp_path / "killed", **settings)
    out = tmp_path / "killed"
    program = "import json, sys; from harness.higgs.training import run; run(json.loads(sys.argv[1]))"
    process = subprocess.Popen([sys.executable, "-c", program, json.dumps(fields(killed))], start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # fmt: skip
    try:
        wait_for(lambda: last_checkpoint(out) and len(read_losses(out / "losses.jsonl")) >= 6, process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (out / "summary.json").exists()
    begun, checkpoint = len(losses(out)), last_checkpoint(out)
    with pytest.raises(HarnessError, match=r"holds a run already \(use --resume"):
        train(killed)
    # the folder may also contain part of a later checkpoint, and part of a line
    shutil.copytree(checkpoint, out / "checkpoint-23", ignore=shutil.ignore_patterns("trainer_state.json"))
    with (out / "losses.jsonl").open("a") as handle:
        handle.write('{"step": 5')

    summary = train(killed, resume=True)
    assert summary["resumed_from"] == checkpoint.name and 4 <= int(checkpoint.name[11:]) <= begun < 24
    whole = make_config(tmp_path / "whole", **settings)
    train(whole)
    for part in ("loss", "text", "audio"):
        assert len(losses(out)) == 24  # every step once
        assert differ(losses(out, part), losses(tmp_path / "whole", part)) < 1e-6
    ours, theirs = (
        (tmp_path / name / "adapter" / "adapter_model.safetensors").read_bytes() for name in ("killed", "whole")
    )
    assert ours == theirs


def test_the_boson_stack_resumes_from_a_checkpoint(boson_checks):
    assert boson_checks("resumed")["summary"]["resumed_from"] == "checkpoint-4"
    one, other = (losses(boson_checks("runs")["folder"] / name) for name in ("plain", "resumed"))
    assert len(one) == 6 and differ(one, other) < 1e-6  # dropout included


def test_a_run_without_a_checkpoint_starts_over_with_the_same_seed(make_config, trained, tmp_path):
    config = make_config(tmp_path / "run", **RUNS["whole"])
    write_json(tmp_path / "run" / "config.json", fields(config))
    (tmp_path / "run" / "losses.jsonl").write_text('{"step": 1, "loss": 99.0, "text": 0, "audio": 0}\n')
    assert train(config, resume=True)["resumed_from"] is None
    assert (losses(tmp_path / "run") == losses(trained("whole"))).all()
    assert differ(losses(trained("other_seed")), losses(trained("whole"))) > 1e-4


def test_the_newest_complete_checkpoint_is_found(tmp_path):
    assert last_checkpoint(tmp_path) is None
    for number, state in ((5, {"global_step": 5}), (40, {"global_step": 40}), (100, {"global_step": 100})):
        (tmp_path / f"checkpoint-{number}").mkdir()
        write_json(tmp_path / f"checkpoint-{number}" / "trainer_state.json", state)
    assert last_checkpoint(tmp_path).name == "checkpoint-100"
    (tmp_path / "checkpoint-100" / "trainer_state.json").write_text('{"global_st')
    assert last_checkpoint(tmp_path).name == "checkpoint-40"
    write_json(tmp_path / "checkpoint-40" / "trainer_state.json", {"global_step": 4})
    (tmp_path / "checkpoint-200").mkdir()
    (tmp_path / "checkpoint-best").mkdir()
    assert last_checkpoint(tmp_path).name == "checkpoint-5"


# --- losses that are not finite


def test_a_nan_loss_names_the_samples(make_config, native, tmp_path):
    from safetensors.torch import load_file, save_file

    broken = shutil.copytree(native, tmp_path / "model")
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    config = make_config(tmp_path / "run", batch_size=3, model=str(broken))
    with pytest.raises(
        NotANumber, match=r"step 1: the loss is nan on the batch of samples s\d, s\d, s\d \(earlier"
    ) as caught:
        train(config)
    assert caught.value.exit_code == 1
    assert losses(tmp_path / "run").size == 0
    assert not (tmp_path / "run" / "summary.json").exists() and last_checkpoint(tmp_path / "run") is None


def test_a_nan_loss_names_the_samples_on_the_boson_stack_too(boson_checks):
    kind, said = boson_checks("nan")["complaint"]
    assert kind == "NotANumber"
    assert re.match(r"step 1: the loss is nan on the batch of samples s\d, s\d, s\d \(earlier", said)


def test_earlier_checkpoints_are_kept(make_config, tmp_path):
    config = make_config(
        tmp_path / "run", learning_rate=1e30, steps=50, save_every=1, schedule="linear", warmup_steps=48
    )
    # the steps grow until the weights overflow
    with pytest.raises(
        NotANumber,
        match=r"step \d+: the (loss|gradient of \S+) is (nan|inf|not finite) on the batch of samples s\d, s\d ",
    ) as caught:
        train(config)
    done = losses(tmp_path / "run")
    assert np.isfinite(done).all() and len(done) >= 1
    assert f"step {len(done) + 1}:" in str(caught.value)
    assert last_checkpoint(tmp_path / "run").name == f"checkpoint-{len(done)}"
    assert not (tmp_path / "run" / "adapter").exists()
    with pytest.raises(NotANumber, match=f"step {len(done) + 1}:"):  # a resumed run ends the same way
        train(config, resume=True)


# --- what is refused


def test_a_finished_run_is_not_overwritten(make_config, trained):
    out = trained("whole")
    before = (out / "summary.json").read_bytes()
    with pytest.raises(HarnessError, match="the folder holds a run already"):
        train(make_config(out, **RUNS["whole"]))
    assert (out / "summary.json").read_bytes() == before


@pytest.mark.parametrize(("change", "said"), [({"learning_rate": 1.0}, "learning_rate: 0.002, not 1.0"),
                                              ({"lora": {"rank": 2}}, "lora: {.*'rank': 16.*}, not {.*'rank': 2")])  # fmt: skip
def test_a_run_is_not_resumed_with_other_settings(make_config, trained, change, said):
    out = trained("whole")
    with pytest.raises(HarnessError, match=f"the run was begun with {said}") as caught:
        train(make_config(out, **{**RUNS["whole"], **change}), resume=True)
    assert caught.value.path == str(out / "config.json")


def test_an_empty_folder_cannot_be_resumed(make_config, tmp_path):
    with pytest.raises(HarnessError, match="there is nothing to resume"):
        train(make_config(tmp_path / "run"), resume=True)


def test_a_batch_must_be_divisible_and_not_larger_than_the_data(make_config, tmp_path):
    with pytest.raises(HarnessError, match="batch_size 4 cannot be divided among 4 processes and 2 micro-batches"):
        launch(make_config(tmp_path / "run", batch_size=4, accumulate=2), processes=4)
    config = make_config(tmp_path / "run", batch_size=7)
    with pytest.raises(DataError, match="6 samples are fewer than a batch of 7") as caught:
        launch(config)
    assert caught.value.path == config.manifest


def test_a_bad_manifest_is_reported_before_training_starts(make_config, manifest, tmp_path):
    (tmp_path / "m.jsonl").write_text(manifest.read_text().replace('"0.wav"', f'"{manifest.parent}/9.wav"'))
    with pytest.raises(DataError, match="sample 's0' has no audio") as caught:
        launch(make_config(tmp_path / "run", manifest=str(tmp_path / "m.jsonl")))
    assert caught.value.line == 1


@pytest.mark.parametrize("name", ["config.json", "checkpoint-1", "thesis.txt"])
def test_foreign_files_are_never_touched(make_config, tmp_path, name):
    out = tmp_path / "theirs"
    out.mkdir()
    (out / name).write_text('{"model_type": "higgs_audio_v2"}')
    with pytest.raises(HarnessError, match="something else"):
        launch(make_config(out), quiet=True)
    assert (out / name).read_text() == '{"model_type": "higgs_audio_v2"}'


def test_a_finished_run_without_checkpoints_is_not_resumed(make_config, tmp_path):
    done = make_config(tmp_path / "run", steps=1)
    train(done)
    shutil.rmtree(tmp_path / "run" / "checkpoint-1")
    before = (tmp_path / "run" / "summary.json").read_bytes()
    with pytest.raises(HarnessError, match="no complete checkpoint"):
        train(done, resume=True)
    assert (tmp_path / "run" / "summary.json").read_bytes() == before
