import io
import json
import os
import shutil
import sys

import pytest

from harness.errors import DataError, HarnessError, NotAvailable
from harness.higgs.checkpoints import check_type, load_model, load_tokenizer, resolve
from harness.higgs.tiny import ORIGINAL_MODEL, ORIGINAL_REVISION
from harness.processes.stacks import BOSON, NATIVE

torch = pytest.importorskip("torch")


@pytest.fixture
def copy(native, tmp_path):
    return shutil.copytree(native, tmp_path / "copy")


def change_weights(folder, change):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_good_checkpoint_loads_completely(native):
    model = load_model(native, NATIVE)
    assert sum(one.numel() for one in model.parameters()) == 1_239_616
    assert model.text_lm_head.weight.shape == (512, 64)
    assert {one.dtype for one in load_model(native, NATIVE, dtype="bfloat16").parameters()} == {torch.bfloat16}


def test_the_text_head_can_be_left_out(native, copy):
    assert load_model(native, NATIVE, text_head=False).text_lm_head is None
    change_weights(copy, lambda weights: weights.update({"other.weight": torch.zeros(1)}))
    with pytest.raises(DataError, match=r"1 weights are unexpected: other\.weight"):
        load_model(copy, NATIVE, text_head=False)


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("model.layers.2.norm.weight", 64, r"1 weights are unexpected: model\.layers\.2\.norm\.weight"),
        ("model.norm.weight", 32, r"1 weights are misshapen: .*model\.norm\.weight.*32.*64"),
        ("model.norm.weight", None, r"1 weights are missing: model\.norm\.weight"),
    ],
)
def test_weights_that_do_not_fit_are_named(copy, name, size, said):
    change_weights(
        copy, lambda weights: weights.pop(name) if size is None else weights.update({name: torch.zeros(size)})
    )
    with pytest.raises(DataError, match=said) as caught:
        load_model(copy, NATIVE)
    assert caught.value.path == str(copy)


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_file_is_refused(copy, damage):
    weights = copy / "model.safetensors"
    weights.unlink() if damage == "gone" else os.truncate(weights, weights.stat().st_size - 1000)
    with pytest.raises(DataError, match="cannot be loaded"):
        load_model(copy, NATIVE)


@pytest.mark.parametrize("content", [None, "{", "[1]", '{"model_type": "gpt2"}', "{}"])
def test_a_folder_without_a_checkpoint_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    said = {None: "has no config.json", "{": "not JSON", "[1]": "not a JSON object", "{}": "model_type is None"}
    with pytest.raises(DataError, match=said.get(content, "model_type is 'gpt2'")) as caught:
        load_model(tmp_path, NATIVE)
    assert str(tmp_path) in caught.value.path


def test_each_format_is_read_by_one_stack(boson, native):
    assert check_type(native, NATIVE)["model_type"] == "higgs_audio_v2"
    assert check_type(boson, BOSON)["model_type"] == "higgs_audio"
    with pytest.raises(
        DataError, match=r"'higgs_audio', which the native stack does not read \(use `stack: boson`, or `harness"
    ):
        check_type(boson, NATIVE)
    with pytest.raises(
        DataError, match=r"'higgs_audio_v2', which the boson stack does not read \(use `stack: native`\)"
    ):
        check_type(native, BOSON)


def test_a_hub_name_needs_a_commit():
    for revision in (None, "main", ORIGINAL_REVISION.upper()):
        with pytest.raises(HarnessError, match=rf"needs a revision of 40 digits, not {revision!r}"):
            resolve(ORIGINAL_MODEL, revision)


@pytest.mark.parametrize("source", ["file", "a/b/c", "/nowhere/model", "a b/c"])
def test_a_source_must_be_a_folder_or_a_hub_name(source, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("{}")
    assert resolve(tmp_path) == tmp_path
    with pytest.raises(DataError, match="there is no such folder"):
        resolve(source, ORIGINAL_REVISION)


def test_an_unreachable_hub_is_a_one_line_error(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(NotAvailable, match=f"{ORIGINAL_MODEL} cannot be downloaded: .*give a local folder") as caught:
        resolve(ORIGINAL_MODEL, ORIGINAL_REVISION)
    assert "\n" not in str(caught.value)


def test_the_boson_stack_refuses_the_same_files(boson_checks):
    found = boson_checks("checkpoints")
    assert found["good"] == [None, ""]
    for kind in ("missing", "unexpected", "misshapen", "cut"):
        assert found[kind][0] == "DataError", kind
    assert "1 weights are missing: layers.1.audio_mlp.up_proj.weight" in found["missing"][1]
    assert "1 weights are unexpected: layers.2.audio_mlp.up_proj.weight" in found["unexpected"][1]
    assert "size mismatch for layers.1.audio_mlp.up_proj.weight" in found["misshapen"][1]
    assert "cannot be loaded" in found["cut"][1]


def test_code_shipped_with_a_tokenizer_is_never_run(copy, monkeypatch):
    """By default transformers asks on standard input whether to run it, and takes a line of text as the answer."""
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    settings |= {"tokenizer_class": "Strange", "auto_map": {"AutoTokenizer": ["strange.Strange", None]}}
    (copy / "tokenizer_config.json").write_text(json.dumps(settings))
    (copy / "strange.py").write_text(f"open({str(copy / 'ran')!r}, 'w')\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 9))
    with pytest.raises(DataError, match=r"the tokenizer cannot be loaded: .* contains custom code"):
        load_tokenizer(copy)
    assert not (copy / "ran").exists() and sys.stdin.tell() == 0
