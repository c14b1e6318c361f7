"""A converted LoRA adapter changes the same weights by the same amounts, whatever its configuration says; or it is refused."""

import json
import os
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.higgs.checkpoints import load_model
from harness.higgs.convert import convert
from harness.higgs.convert_adapter import _ABOUT_THE_BASE, _CHOOSING, _DEFAULTS, _KEPT
from harness.higgs.formats import native_key
from harness.paths import ROOT
from harness.processes.stacks import NATIVE

torch = pytest.importorskip("torch")
st = pytest.importorskip("safetensors.torch")
from _adapters import make  # noqa: E402 - needs torch

HELPER = Path(__file__).parent.parent / "_adapters.py"
Q = "self_attn.q_proj"
# Settings that both releases of PEFT know; `init_lora_weights` is False so that the matrices are not zero.
BOTH = {
    "suffix": {"target_modules": ["q_proj", "v_proj"]},
    "other_rank": {"target_modules": ["q_proj"], "r": 4, "lora_alpha": 32, "lora_dropout": 0.1},
    "regex": {"target_modules": r"layers\.1\.(mlp|audio_mlp)\.up_proj"},
    "regex_anchored": {"target_modules": r"(layers\.\d+\.self_attn\.k_proj|audio_decoder_proj\.text_lm_head)"},
    "whole_names": {"target_modules": ["layers.0.self_attn.q_proj", "audio_decoder_proj.audio_lm_head"]},
    "heads": {"target_modules": ["audio_lm_head", "text_lm_head"]},
    "embeddings": {"target_modules": ["embed_tokens", "audio_codebook_embeddings", "q_proj"]},
    "all_linear": {"target_modules": [f"{part}_proj" for part in ("q", "k", "v", "o", "gate", "up", "down")]},
    "rank_pattern": {"target_modules": ["q_proj", "v_proj"], "rank_pattern": {"v_proj": 2, "layers.1.self_attn.q_proj": 4}},
    "alpha_pattern": {"target_modules": ["q_proj", "v_proj"], "alpha_pattern": {"v_proj": 64, r"1\.self_attn\.q_proj": 2}},
    "both_patterns": {"target_modules": ["q_proj", "v_proj"], "rank_pattern": {"q_proj": 4},
                      "alpha_pattern": {r"layers\.0\..*": 40, "v_proj": 3, "layers.1.self_attn.q_proj": 99}},
    "head_patterns": {"target_modules": ["audio_decoder_proj.audio_lm_head", "q_proj"],
                      "rank_pattern": {"audio_decoder_proj.audio_lm_head": 2},
                      "alpha_pattern": {"audio_decoder_proj.audio_lm_head": 5}},
    "rslora": {"target_modules": ["q_proj"], "use_rslora": True, "rank_pattern": {"layers.1.self_attn.q_proj": 2}},
    "dora": {"target_modules": ["q_proj", "audio_mlp.up_proj"], "use_dora": True},
    "fan_in_fan_out": {"target_modules": ["o_proj"], "fan_in_fan_out": True},
    "bias_all": {"target_modules": ["q_proj"], "bias": "all"},
    "bias_lora_only": {"target_modules": ["q_proj"], "bias": "lora_only"},
    "saved_heads": {"target_modules": ["q_proj"], "modules_to_save": ["audio_lm_head", "text_lm_head"]},
    "saved_parent": {"target_modules": ["q_proj"], "modules_to_save": ["audio_decoder_proj"]},
    "saved_layer": {"target_modules": ["audio_mlp.up_proj"], "modules_to_save": ["layers.1.self_attn", "norm"]},
    "saved_tables": {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "audio_codebook_embeddings"]},
    "gaussian": {"target_modules": ["q_proj"], "init_lora_weights": "gaussian"},
    "inference_mode": {"target_modules": ["q_proj"], "task_type": "FEATURE_EXTRACTION"},
}  # fmt: skip
NEWER = {
    "one_layer": {"target_modules": ["q_proj"], "layers_to_transform": [1], "layers_pattern": "layers"},
    "token_rows": {"target_modules": ["q_proj"], "trainable_token_indices": {"embed_tokens": [10, 11]}},
    "token_rows_list": {"target_modules": ["q_proj"], "trainable_token_indices": [3, 500]},
    "token_rows_audio": {"target_modules": ["v_proj"],
                         "trainable_token_indices": {"embed_tokens": [1], "audio_codebook_embeddings": [7, 9]}},
    "lora_bias": {"target_modules": ["q_proj"], "lora_bias": True},
    "exclude_list": {"target_modules": ["up_proj"], "exclude_modules": ["audio_mlp.up_proj"]},
    "exclude_regex": {"target_modules": r".*\.up_proj", "exclude_modules": r"layers\.0\..*"},
    "all_linear_word": {"target_modules": "all-linear"},
    "orthogonal": {"target_modules": ["q_proj"], "init_lora_weights": "orthogonal"},
    "weight_tying": {"target_modules": ["q_proj"], "ensure_weight_tying": True},
}  # fmt: skip


@pytest.fixture(scope="module")
def biased(boson, tmp_path_factory):
    """Return the original checkpoint with biases in attention and feed-forward layers."""
    folder = tmp_path_factory.mktemp("biased")
    weights = st.load_file(boson / "model.safetensors")
    for name in [name for name in weights if "_proj.weight" in name and name.startswith("layers.")]:
        weights[name.replace(".weight", ".bias")] = 0.1 * torch.randn(len(weights[name]))
    st.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((boson / "config.json").read_text())
    config["text_config"] |= {"attention_bias": True, "mlp_bias": True}
    (folder / "config.json").write_text(json.dumps(config))
    convert(folder, folder / "native")
    return folder


@pytest.fixture(scope="module")
def older(biased, boson_python, tmp_path_factory):
    """Return the adapters that PEFT 0.13.2 makes."""
    folder = tmp_path_factory.mktemp("older")
    (folder / "cases.json").write_text(json.dumps(BOTH))
    done = subprocess.run(
        [boson_python, HELPER, biased, folder], capture_output=True, text=True, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def agree(adapter, merged, base, out):
    """Convert an adapter, merge it into the native model, and compare all weights."""
    from peft import PeftModel

    convert(adapter, out, base=base)
    before = load_model(base, NATIVE).state_dict()
    found = PeftModel.from_pretrained(load_model(base, NATIVE), out).merge_and_unload().state_dict()
    wanted = {native_key(name): tensor for name, tensor in merged.items()}
    assert wanted.keys() == found.keys() == before.keys()
    worst = max(float((found[name] - wanted[name]).abs().max()) for name in found)
    assert worst < 1e-5, [name for name in found if (found[name] - wanted[name]).abs().max() > 1e-5][:5]
    moved = [name for name in found if (found[name] - before[name]).abs().max() > 1e-3]
    assert moved  # the adapter does something
    return moved


@pytest.mark.parametrize("name", BOTH)
def test_an_adapter_of_peft_0_13_merges_to_the_same_weights(older, biased, tmp_path, name):
    agree(older / name, st.load_file(older / name / "merged.safetensors"), biased / "native", tmp_path / "out")


@pytest.mark.parametrize("name", [*BOTH, *NEWER])
def test_an_adapter_of_peft_0_21_merges_to_the_same_weights(biased, tmp_path, name):
    merged = make(biased, tmp_path / "adapter", {**BOTH, **NEWER}[name])
    agree(tmp_path / "adapter", merged, biased / "native", tmp_path / "out")


def test_only_the_modules_of_the_adapter_are_changed(biased, tmp_path):
    merged = make(
        biased, tmp_path / "adapter", NEWER["token_rows"] | {"layers_to_transform": 1, "layers_pattern": "layers"}
    )
    moved = agree(tmp_path / "adapter", merged, biased / "native", tmp_path / "out")
    assert sorted(moved) == ["model.embed_tokens.weight", "model.layers.1.self_attn.q_proj.weight"]
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["trainable_token_indices"] == {"model.embed_tokens": [10, 11]}
    assert config["target_modules"] == ["model.layers.1.self_attn.q_proj"]


def test_embeddings_that_peft_adds_to_the_file_are_kept(biased, tmp_path):
    merged = make(biased, tmp_path / "adapter", BOTH["suffix"], save_embedding_layers=True)
    agree(tmp_path / "adapter", merged, biased / "native", tmp_path / "out")


def test_every_field_of_both_releases_is_known(older):
    from peft import LoraConfig

    known = {*_KEPT, *_CHOOSING, *_ABOUT_THE_BASE, *_DEFAULTS}
    assert {one.name for one in fields(LoraConfig)} <= known
    assert json.loads((older / "suffix" / "adapter_config.json").read_text()).keys() <= known


@pytest.fixture
def changed(biased, tmp_path):
    """Return a function that makes an adapter with changed fields or weights and converts it."""

    def refused(said, config=(), weights=(), base=biased / "native", **settings):
        adapter = tmp_path / "adapter"
        make(biased, adapter, {"target_modules": ["q_proj"], **settings})
        path, file = adapter / "adapter_config.json", adapter / "adapter_model.safetensors"
        path.write_text(json.dumps({**json.loads(path.read_text()), **dict(config)}))
        st.save_file({**st.load_file(file), **dict(weights)}, file)
        with pytest.raises(DataError, match=said) as caught:
            convert(adapter, tmp_path / "out", base=base)
        assert not (tmp_path / "out").exists()
        return caught.value

    return refused


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layer_replication", [[0, 2], [1, 2]]),
        ("target_parameters", ["self_attn.q_proj.weight"]),
        ("megatron_config", {"a": 1}),
        ("megatron_core", "other"),
        ("loftq_config", {"loftq_bits": 4}),
        ("eva_config", {"rho": 2.0}),
        ("alora_invocation_tokens", [1, 2]),
        ("use_qalora", True),
        ("qalora_group_size", 32),
        ("arrow_config", {"top_k": 2}),
        ("use_bdlora", {"nblocks": 2}),
        ("init_lora_weights", "pissa"),
        ("init_lora_weights", "loftq"),
        ("of_a_newer_peft", "on"),
        ("of_a_newer_peft", 0),
        ("of_a_newer_peft", {"rate": 1}),
    ],
)
def test_a_field_without_a_conversion_is_refused_by_name(changed, name, value):
    error = changed(f"{name} is ", {name: value})
    assert error.path.endswith("adapter_config.json") and error.remedy


@pytest.mark.parametrize("value", [None, False, {}, []])
def test_an_unknown_field_that_is_off_is_accepted(biased, tmp_path, value):
    merged = make(biased, tmp_path / "adapter", BOTH["suffix"])
    path = tmp_path / "adapter" / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "of_a_newer_peft": value}))
    agree(tmp_path / "adapter", merged, biased / "native", tmp_path / "out")


PREFIX = "base_model.model."


@pytest.mark.parametrize(
    ("said", "config", "weights"),
    [
        ("weight norm.weight belongs to no field", {}, {"norm.weight": 64}),
        ("weight layers.0.self_attn.q_proj.base_layer.bias belongs to no", {}, {"layers.0.self_attn.q_proj.base_layer.bias": 64}),
        ("weight layers.0.self_attn.q_proj.vera_lambda_b belongs to no", {}, {"layers.0.self_attn.q_proj.vera_lambda_b": 4}),
        (r"1 weights are unknown to the native model: .*layers\.9\.", {"modules_to_save": ["norm"]}, {"layers.9.norm.weight": 64}),
        ("the adapter does not fit the model", {"modules_to_save": ["norm"]}, {"norm.weight": 65}),
        ("modules_to_save names 'norm', but the file has no such", {"modules_to_save": ["norm"]}, {}),
        ("trained rows of embed_tokens, but", {}, {"embed_tokens.token_adapter.trainable_tokens_delta": 64}),
        ("trainable_token_indices is set, but the file has no", {"trainable_token_indices": [1]}, {}),
        (r"self_attn\.q_proj has rank 8 in the file, but 4 by r", {"r": 4}, {}),
        ("1 weights are missing: .*magnitude", {"use_dora": True}, {"layers.0.self_attn.q_proj.lora_magnitude_vector": 64}),
        ("rank_pattern or alpha_pattern cannot be read", {"alpha_pattern": {"(": 1}}, {}),
        ("rank_pattern or alpha_pattern cannot be read", {"rank_pattern": [1]}, {}),
    ],
)  # fmt: skip
def test_weights_and_fields_that_do_not_belong_together_are_refused(changed, said, config, weights):
    changed(said, config, {PREFIX + name: torch.zeros(size) for name, size in weights.items()})


def test_the_base_must_be_a_converted_checkpoint(changed, biased):
    assert "model_type 'higgs_audio_v2'" in str(changed("--base must be a converted", base=biased))
