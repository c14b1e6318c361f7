import pytest

from harness.errors import DataError
from harness.higgs.formats import (
    FIXED,
    codec_stack_of,
    native_config,
    native_key,
    original_config,
    original_key,
    stack_of,
)
from harness.higgs.tiny import special_tokens, tiny_config
from harness.higgs.tiny.layout import VOCABULARY

FIRST_SPECIAL = VOCABULARY - 256


@pytest.mark.parametrize(
    ("original", "native"),
    [
        ("embed_tokens.weight", "model.embed_tokens.weight"),
        ("layers.11.audio_mlp.up_proj.weight", "model.layers.11.audio_mlp.up_proj.weight"),
        ("audio_codebook_embeddings.weight", "model.embed_audio_tokens.embed_audio_tokens.weight"),
        ("audio_decoder_proj.audio_lm_head.weight", "audio_lm_head.weight"),
        ("audio_decoder_proj.text_lm_head.weight", "text_lm_head.weight"),
        ("something.layers.1", "something.layers.1"),
    ],
)
def test_names_of_weights(original, native):
    assert native_key(original) == native
    assert native_key(native) == native  # converting twice changes nothing
    assert original_key(native) == original


def test_the_native_ids_are_those_of_the_tokenizer():
    native = native_config(tiny_config())
    names = {name: FIRST_SPECIAL + place for place, name in enumerate(special_tokens())}
    assert native["eos_token_id"] == names["<|eot_id|>"]
    assert native["pad_token_id"] == names["<|end_of_text|>"]
    assert native["bos_token_id"] == names["<|begin_of_text|>"]
    assert native["audio_token_id"] == names["<|AUDIO_OUT|>"]
    assert native["audio_bos_token_id"] == names["<|audio_out_bos|>"]
    assert native["audio_delay_token_id"] == names["<|reserved_special_token_6|>"]


def test_rope_keeps_its_scaling_and_base():
    original = tiny_config()
    native = native_config(original)["rope_parameters"]
    assert native == {**original["text_config"]["rope_scaling"], "rope_theta": 500000.0}
    original["text_config"]["rope_scaling"] = None
    assert native_config(original)["rope_parameters"] == {"rope_type": "default", "rope_theta": 500000.0}


def test_a_configuration_converts_back():
    native = native_config(tiny_config())
    assert native_config(original_config(native)) == native
    original = tiny_config()
    same = {name: value for name, value in original_config(native).items() if name != "text_config"}
    assert same == {name: original[name] for name in same}
    assert original_config(native)["text_config"].items() <= original["text_config"].items()
    with pytest.raises(DataError, match="eos_token_id is 5; the original format implies"):
        original_config({**native, "eos_token_id": 5})


@pytest.mark.parametrize("name", FIXED)
def test_a_network_that_the_native_class_cannot_build_is_refused(name):
    changed = not FIXED[name] if isinstance(FIXED[name], bool) else 2
    with pytest.raises(DataError, match=rf"^{name} is {changed!r}; the native model has no counterpart"):
        native_config({**tiny_config(), name: changed})
    without = {key: value for key, value in tiny_config().items() if key != name}
    assert native_config(without) == native_config(tiny_config())  # the original class has the same default


@pytest.mark.parametrize(
    "change",
    [{"audio_adapter_type": "stack"}, {"audio_dual_ffn_layers": [0]}, {"audio_dual_ffn_layers": []}],
    ids=["adapter", "half", "none"],
)
def test_every_layer_must_have_an_audio_ffn(change):
    with pytest.raises(DataError, match="audio FFN in every layer, this checkpoint has not"):
        native_config({**tiny_config(), **change})


def test_only_the_original_format_is_converted():
    with pytest.raises(DataError, match="model_type is 'gpt2', not 'higgs_audio'"):
        native_config({**tiny_config(), "model_type": "gpt2"})


def test_each_format_has_a_stack():
    assert stack_of(tiny_config()) == "boson"
    assert stack_of(native_config(tiny_config())) == "native"
    assert stack_of({"model_type": "gpt2"}) is None and stack_of({}) is None
    assert codec_stack_of({"n_q": 8, "ratios": [8], "bins": 1024, "D": 256}) == "boson"
    assert codec_stack_of({"model_type": "higgs_audio_v2_tokenizer"}) == "native"
    assert codec_stack_of({"model_type": "dac", "n_q": 8}) is None
