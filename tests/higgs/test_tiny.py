import hashlib

import pytest

from harness.higgs.batches import ANSWER_BEGIN, ANSWER_END, encode
from harness.higgs.formats import native_config
from harness.higgs.samples import SYSTEM, prompt
from harness.higgs.tiny import make_native_checkpoint, make_native_codec, special_tokens, tiny_config
from harness.higgs.tiny.layout import VOCABULARY

torch = pytest.importorskip("torch")


def test_original_weights_depend_on_the_seed_alone(boson_checks, boson):
    found = boson_checks("tiny")
    assert found["made"][0] == hashlib.sha256((boson / "model.safetensors").read_bytes()).hexdigest()
    assert found["made"][0] != found["made"][1]
    assert found["random_state_kept"]


def test_native_weights_depend_on_the_seed_alone(tmp_path):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        make_native_checkpoint(tmp_path / name, seed=seed)
        make_native_codec(tmp_path / f"codec-{name}", seed=seed)
    assert torch.equal(torch.random.get_rng_state(), before)  # the caller's random state is unchanged
    for kind in ("", "codec-"):
        a, b, c = ((tmp_path / f"{kind}{name}" / "model.safetensors").read_bytes() for name in "abc")
        assert a == b != c


def test_the_native_weights_need_a_later_transformers(boson_checks):
    kind, said = boson_checks("tiny")["native"]
    assert kind == "NotAvailable" and "no native Higgs Audio v2" in said


def test_ids_of_config_json_are_those_of_the_tokenizer(tokenizer):
    original = tiny_config()
    assert len(tokenizer) == original["text_config"]["vocab_size"] == VOCABULARY
    for token in ("audio_out_token", "audio_in_token"):
        assert tokenizer.convert_tokens_to_ids(original[token]) == original[f"{token}_idx"]
    assert tokenizer.convert_tokens_to_ids(original["audio_eos_token"]) == original["audio_eos_token_id"]
    assert tokenizer.convert_tokens_to_ids(original["audio_out_bos_token"]) == original["audio_out_bos_token_id"]
    assert tokenizer.pad_token_id == original["pad_token_id"]
    assert tokenizer.eos_token_id == native_config(original)["eos_token_id"]


def test_special_tokens_are_numbered_as_in_llama():
    names = special_tokens()
    assert len(set(names)) == 256
    assert names[:7] == ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
                         "<|finetune_right_pad_id|>", "<|reserved_special_token_2|>", "<|start_header_id|>"]  # fmt: skip
    # Llama's 128255, the last one, is called 247 (its tokenizer_config.json), and Higgs renamed none after it
    assert (names[14], names[255]) == ("<|reserved_special_token_6|>", "<|reserved_special_token_247|>")


@pytest.mark.parametrize("text", ["We <emph> guarantee 30%.", "Naïve — “ö” 音 🙂", "  two  spaces\n"])
def test_the_tokenizer_encodes_any_text(tokenizer, text):
    ids = encode(tokenizer, text)
    assert tokenizer.decode(ids) == text
    assert max(ids) < 256  # bytes: a tag is not a special token


def test_the_chat_template_says_what_prompt_says(tokenizer):
    parts = (("system", {"type": "text", "text": SYSTEM}), ("user", {"type": "text", "text": "Go <emph> on."}))
    asked = [{"role": role, "content": [part]} for role, part in parts]
    said = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    assert said == prompt("Go <emph> on.") + ANSWER_BEGIN
    answer = [*asked, {"role": "assistant", "content": [{"type": "audio"}]}]
    whole = tokenizer.apply_chat_template(answer, tokenize=False)
    assert whole == prompt("Go <emph> on.") + ANSWER_BEGIN + "<|AUDIO_OUT|>" + ANSWER_END
