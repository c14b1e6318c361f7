"""LoRA overfits one batch: on this stack here, on the other one in `_boson_checks.py`."""

import pytest
from _overfit import fit, largest, outputs, speak

from harness.errors import DataError
from harness.higgs.batches import NativeCollator
from harness.higgs.checkpoints import load_model
from harness.higgs.lora import ATTENTION, AUDIO_FFN, DEFAULT_TARGETS, TEXT_FFN, add_lora, linear_modules
from harness.processes.stacks import NATIVE

torch = pytest.importorskip("torch")

STEPS = 150


@pytest.fixture
def fresh(native):
    return load_model(native, NATIVE)


@pytest.fixture(scope="module")
def trained(native, tokenizer, samples, tmp_path_factory):
    """Return the losses, the batch, the generated codes, the outputs, and the folder of the adapter."""
    model = load_model(native, NATIVE)
    torch.manual_seed(0)
    model = add_lora(model)
    batch = NativeCollator(tokenizer, model.base_model.config)(samples)
    losses = fit(model, batch, STEPS)
    folder = tmp_path_factory.mktemp("adapter")
    model.save_pretrained(folder)
    return {"losses": losses, "batch": batch, "said": speak(model, tokenizer, NATIVE), "folder": folder,
            "outputs": outputs(model, batch)}  # fmt: skip


def trainable(model):
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def adapted(model):
    return {name.partition(".lora_")[0].partition("layers.")[2] for name in trainable(model) if "lora_" in name}


def test_one_batch_can_be_overfitted(trained):
    assert trained["losses"][0] > 10
    assert trained["losses"][-1] < 0.01 * trained["losses"][0]


def test_the_model_reproduces_the_codes_it_was_trained_on(trained, samples):
    for said, sample in zip(trained["said"], samples, strict=True):
        assert said.stopped
        assert said.codes.tolist() == sample.codes.tolist()


def test_saving_loading_and_merging_change_nothing(trained, fresh, tokenizer, samples):
    from peft import PeftModel

    assert largest(trained["outputs"], outputs(fresh, trained["batch"])) > 1  # training changed it
    again = PeftModel.from_pretrained(fresh, trained["folder"])
    assert largest(trained["outputs"], outputs(again, trained["batch"])) < 1e-4
    merged = again.merge_and_unload()
    assert type(merged) is type(fresh) and not any("lora" in name for name in merged.state_dict())
    assert largest(trained["outputs"], outputs(merged, trained["batch"])) < 1e-4
    assert [said.codes.tolist() for said in speak(merged, tokenizer, NATIVE)] == [one.codes.tolist() for one in samples]


def test_the_boson_stack_overfits_saves_loads_and_merges(boson_checks, samples):
    found = boson_checks("overfit")
    assert found["steps"][0] > 10
    assert found["steps"][-1] < 0.01 * found["steps"][0]
    assert found["stopped"].tolist() == [True] * 4
    for n, sample in enumerate(samples):
        assert found[f"codes{n}"].tolist() == sample.codes.tolist()
    assert found["reloaded"] < 1e-4 and found["merged"] < 1e-4
    assert found["after_merge"] == "HiggsAudioForTraining"


def test_both_stacks_have_the_same_linear_layers(boson_checks, fresh):
    kinds = linear_modules(fresh)
    assert list(kinds) == boson_checks("overfit")["kinds"]
    assert {name: count for name, count in kinds.items() if count != 2} == {"audio_lm_head": 1, "text_lm_head": 1}
    assert {*ATTENTION, *AUDIO_FFN, *TEXT_FFN} <= set(kinds)


def test_by_default_attention_audio_ffn_and_heads_are_trained(fresh):
    before = {name: parameter.clone() for name, parameter in fresh.named_parameters()}
    model = add_lora(fresh)
    assert adapted(model) == {f"{layer}.{name}" for layer in (0, 1) for name in DEFAULT_TARGETS}
    assert {name for name in trainable(model) if "lora_" not in name} == {
        f"base_model.model.{head}.modules_to_save.default.weight" for head in ("audio_lm_head", "text_lm_head")
    }
    frozen = {name.replace("base_model.model.", "").replace(".base_layer", "").replace(".original_module", ""): parameter
              for name, parameter in model.named_parameters() if not parameter.requires_grad}  # fmt: skip
    assert {name for name in before if name in frozen} == set(before)
    assert all(torch.equal(parameter, frozen[name]) for name, parameter in before.items())


def test_the_text_ffn_is_not_mistaken_for_the_audio_ffn(fresh):
    model = add_lora(fresh, targets=TEXT_FFN, heads=())
    assert adapted(model) == {f"{layer}.{name}" for layer in (0, 1) for name in TEXT_FFN}
    assert all("lora_" in name for name in trainable(model))


@pytest.mark.parametrize(
    ("given", "adapts"),
    [
        ("q_proj", {"0.self_attn.q_proj", "1.self_attn.q_proj"}),
        ("up_proj", {"0.mlp.up_proj", "1.mlp.up_proj", "0.audio_mlp.up_proj", "1.audio_mlp.up_proj"}),
    ],
)
def test_a_shorter_name_matches_all_layers_with_that_ending(fresh, given, adapts):
    assert adapted(add_lora(fresh, targets=[given])) == adapts


def test_rank_and_alpha(fresh, trained):
    before = outputs(fresh, trained["batch"])
    model = add_lora(fresh, rank=3, alpha=6, dropout=0.25, task_type=None)
    assert largest(before, outputs(model, trained["batch"])) < 1e-6  # it starts as the model it wraps
    (settings,) = model.peft_config.values()
    assert (settings.r, settings.lora_alpha, settings.lora_dropout, settings.task_type) == (3, 6, 0.25, None)
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    assert layer.lora_A["default"].weight.shape == (3, 64) and layer.scaling["default"] == 2.0


@pytest.mark.parametrize("options", [{"heads": ["lm_head"]}, {"targets": ["proj"]}, {"targets": [""]}])
def test_an_unknown_layer_is_refused(fresh, options):
    ((name,),) = options.values()
    with pytest.raises(
        DataError, match=rf"no linear layer is called '{name}' \(there are: audio_lm_head, .*self_attn\.v_proj"
    ):
        add_lora(fresh, **options)
