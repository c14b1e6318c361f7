"""A converted checkpoint or adapter computes the same in transformers as the original in boson_multimodal."""

import json
import shutil

import numpy as np
import pytest
from _overfit import outputs, speak

from harness.errors import DataError, HarnessError
from harness.higgs.batches import NativeCollator
from harness.higgs.checkpoints import load_model, read_config
from harness.higgs.convert import convert
from harness.higgs.formats import native_key
from harness.processes.stacks import NATIVE
from harness.store import write_json

torch = pytest.importorskip("torch")
st = pytest.importorskip("safetensors.torch")

WEIGHTS = "model.safetensors"


@pytest.fixture
def copy(boson, tmp_path):
    return shutil.copytree(boson, tmp_path / "copy")


def agree(found, model, tokenizer, samples, same_end=True):
    """Compare the logits of all positions except padding, the losses, and all greedy codes.

    In a half-trained model any codebook may end first. The stacks handle that differently, so the number of frames may
    differ (see `harness.higgs.generate`); the frames that both have are the same.
    """
    ours = outputs(model, NativeCollator(tokenizer, model.config)(samples))
    for name in ("text_logits", "audio_logits"):
        assert found[name].shape == ours[name].shape
        assert np.abs(found[name] - ours[name]).max() < 1e-5, name
    assert found["losses"] == pytest.approx(ours["losses"], abs=1e-5)
    said = speak(model, tokenizer, NATIVE)
    for n, one in enumerate(said):
        theirs = found[f"codes{n}"]
        common = min(one.codes.shape[1], theirs.shape[1])
        assert common > 3 and (one.codes[:, :common] == theirs[:, :common]).all()
        assert one.stopped == found["stopped"][n]
        if same_end:
            assert one.codes.shape == theirs.shape


def change(folder, edit):
    weights = st.load_file(folder / WEIGHTS)
    edit(weights)
    st.save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def test_a_converted_checkpoint_computes_the_same(boson_checks, native, tokenizer, samples):
    found = boson_checks("base")
    assert found["text_logits"].shape[1] == 512 and found["audio_logits"].shape[1:] == (8, 1026)
    assert found["audio_logits"].std() > 0.05  # not all zero
    agree(found, load_model(native, NATIVE), tokenizer, samples)


def test_conversion_changes_no_weight(boson, native):
    before, after = (st.load_file(folder / WEIGHTS) for folder in (boson, native))
    assert {native_key(name) for name in before} == set(after) and len(before) == len(after) == 33
    assert all(torch.equal(tensor, after[native_key(name)]) for name, tensor in before.items())
    assert (native / "tokenizer.json").read_bytes() == (boson / "tokenizer.json").read_bytes()
    said = json.loads((native / "conversion.json").read_text())
    assert said == {"source": str(boson), "revision": None, "from": "higgs_audio"}


def test_shards_are_converted(boson_checks, boson, native, copy, tmp_path, tokenizer, samples):
    weights = st.load_file(copy / WEIGHTS)
    (copy / WEIGHTS).unlink()
    names = sorted(weights)
    parts = {"model-00001-of-00002.safetensors": names[:10], "model-00002-of-00002.safetensors": names[10:]}
    for file, held in parts.items():
        st.save_file({name: weights[name] for name in held}, copy / file, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, held in parts.items() for name in held}}
    write_json(copy / "model.safetensors.index.json", index)
    done = convert(copy, tmp_path / "out")
    assert done["tensors"] == 33 and done["parameters"] == 1_239_616
    assert sorted(path.name for path in (tmp_path / "out").glob("*.safetensors")) == sorted(parts)
    made = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    assert made["weight_map"] == {native_key(name): file for name, file in index["weight_map"].items()}
    agree(boson_checks("base"), load_model(tmp_path / "out", NATIVE), tokenizer, samples)


def test_half_precision_is_kept(copy, tmp_path):
    change(copy, lambda weights: weights.update({name: tensor.bfloat16() for name, tensor in weights.items()}))
    write_json(copy / "config.json", {**read_config(copy), "torch_dtype": "bfloat16"})
    convert(copy, tmp_path / "out")
    assert {tensor.dtype for tensor in st.load_file(tmp_path / "out" / WEIGHTS).values()} == {torch.bfloat16}
    assert read_config(tmp_path / "out")["dtype"] == "bfloat16"


@pytest.mark.parametrize("name", ["few_steps", "overfit"])
def test_a_converted_adapter_computes_the_same(boson_checks, native, tokenizer, samples, tmp_path, name):
    from peft import PeftModel

    found = boson_checks(name)
    done = convert(found["folder"] / name, tmp_path / "adapter", base=native)
    assert done["kind"] == "adapter" and done["parameters"] == 583_680
    settings = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == str(native) and settings["r"] == 16
    model = PeftModel.from_pretrained(load_model(native, NATIVE), tmp_path / "adapter")
    loaded, written = (sum("lora_" in one for one in names) for names in (
        dict(model.named_parameters()), st.load_file(tmp_path / "adapter" / "adapter_model.safetensors")))  # fmt: skip
    assert loaded == written == 2 * 2 * 5  # matrices x layers x targets
    model.config = model.base_model.config
    agree(found, model, tokenizer, samples, same_end=name == "overfit")
    plain = outputs(load_model(native, NATIVE), NativeCollator(tokenizer, load_model(native, NATIVE).config)(samples))
    assert np.abs(plain["text_logits"] - found["text_logits"]).max() > 0.1  # the adapter does something


def refused(source, out, said, kind=DataError):
    with pytest.raises(kind, match=said) as caught:
        convert(source, out)
    assert not (out / "config.json").exists() and not (out / "adapter_config.json").exists()
    return caught.value


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda w: w.pop("layers.1.audio_mlp.up_proj.weight"), r"1 weights are missing, first model\.layers\.1\.audio_mlp\.up_proj"),
        (lambda w: w.update({"layers.2.norm.weight": torch.zeros(2)}), r"weight model\.layers\.2\.norm\.weight is unknown to the native"),
        (lambda w: w.update({"norm.weight": torch.zeros(32)}), r"weight model\.norm\.weight is of shape \(32,\), not \(64,\)"),
    ],
    ids=["missing", "extra", "misshapen"],
)  # fmt: skip
def test_weights_that_do_not_fit_are_refused(copy, tmp_path, edit, said):
    change(copy, edit)
    assert str(copy) in refused(copy, tmp_path / "out", said).path


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("audio_adapter_type", "stack", "audio FFN in every layer"),
        ("audio_num_codebooks", 4, r"is of shape \(8208, 64\), not \(4104, 64\)"),
        ("model_type", "higgs_audio_v2", "own format already"),
    ],
)
def test_other_configurations_are_refused(copy, tmp_path, field, value, said):
    write_json(copy / "config.json", {**read_config(copy), field: value})
    refused(copy, tmp_path / "out", said)


def test_other_folders_are_refused(copy, tmp_path, native):
    refused(native, tmp_path / "out", "model_type is 'higgs_audio_v2'")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", tmp_path / "out", r"has no config\.json")
    refused(tmp_path / "nowhere", tmp_path / "out", "there is no such folder")
    (copy / WEIGHTS).write_bytes((copy / WEIGHTS).read_bytes()[:-1000])
    assert refused(copy, tmp_path / "out", "cannot be read").path == str(copy / WEIGHTS)
    (copy / WEIGHTS).rename(copy / "pytorch_model.bin")
    refused(copy, tmp_path / "out2", "holds no safetensors weights")


def test_nothing_is_overwritten(boson, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    refused(boson, tmp_path, "the folder is not empty", HarnessError)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.fixture
def adapter(boson_checks, tmp_path):
    return shutil.copytree(boson_checks("few_steps")["folder"] / "few_steps", tmp_path / "adapter")


def test_other_adapters_are_refused(adapter, native, tmp_path):
    weights = adapter / "adapter_model.safetensors"
    settings = json.loads((adapter / "adapter_config.json").read_text())
    write_json(adapter / "adapter_config.json", {**settings, "base_model_name_or_path": str(native)})
    refused(adapter, tmp_path / "out", "not trained on a checkpoint of the original format")
    write_json(adapter / "adapter_config.json", settings)
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert refused(adapter, tmp_path / "out", "cannot be read").path == str(weights)
    weights.rename(adapter / "adapter_model.bin")
    refused(adapter, tmp_path / "out", r"adapter has no adapter_model\.safetensors")


@pytest.mark.parametrize("name", ["../../evil.safetensors", "/tmp/evil.safetensors", "model.bin"])
def test_shards_outside_the_folder_are_refused(copy, tmp_path, name):
    """A hostile index must not make the converter read or write outside the folder."""
    write_json(copy / "model.safetensors.index.json", {"weight_map": {"norm.weight": name}})
    refused(copy, tmp_path / "out", "weight_map must name")
    assert not (tmp_path / "out").exists()
