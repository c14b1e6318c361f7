import pytest

from harness.errors import DataError, NotAvailable
from harness.higgs.accounting import (
    AUDIO_SIDE,
    BFLOAT16_BYTES,
    CHECKPOINT_BYTES,
    NATIVE_DEFAULT,
    NATIVE_SIZED,
    NATIVE_TEXT_HEAD,
    ORIGINAL,
    OTHER,
    TEXT_SIDE,
    group_of,
    lora_parameters,
    parameters,
    sides,
    used_for_a_token,
)
from harness.processes.stacks import BOSON, NATIVE, here


@pytest.fixture(scope="module")
def counts(boson_checks):
    return boson_checks("accounting") | parameters(NATIVE)


def test_groups_add_up_to_the_total(counts):
    for name in (ORIGINAL, NATIVE_DEFAULT, NATIVE_SIZED, NATIVE_TEXT_HEAD):
        groups = counts[name]["groups"]
        assert sum(groups.values()) == counts[name]["total"], name
        assert groups[OTHER] == 0
        assert sum(sides(groups)) == counts[name]["total"]


def test_the_count_is_the_size_of_the_real_checkpoint(counts):
    assert counts[ORIGINAL]["total"] * BFLOAT16_BYTES == CHECKPOINT_BYTES
    # by hand: width 3072, FFN 8192, 24 + 2 x 8 heads of 128, 28 layers
    groups = counts[ORIGINAL]["groups"]
    assert groups["attention"] == 28 * (2 * 3072 * 3072 + 2 * 3072 * 1024)
    assert groups["text FFN"] == groups["audio FFN"] == 28 * 3 * 3072 * 8192
    assert groups["text embedding"] == groups["text head"] == 128256 * 3072
    assert groups["audio embedding"] == groups["audio head"] == 8 * 1026 * 3072
    assert (groups["text norms"], groups["audio norms"]) == ((28 * 2 + 1) * 3072, 28 * 2 * 3072)


def test_the_sides_round_to_the_figures_of_the_note(counts):
    language, audio = sides(counts[ORIGINAL]["groups"])
    billions = [f"{count / 1e9:.1f}" for count in (language, audio, counts[ORIGINAL]["total"])]
    assert billions == ["3.6", "2.2", "5.8"]
    # the package counts the same: its LLM, and its adapter with the audio embedding
    package = counts["package"]
    assert package["llm_embed"] + package["llm_non_embed"] == language
    assert package["audio_adapter"] + package["audio_embed"] == audio


def test_the_stacks_differ_by_the_text_head_and_the_size_of_the_codebooks(counts):
    assert counts[NATIVE_TEXT_HEAD] == counts[ORIGINAL]
    assert counts[ORIGINAL]["total"] - counts[NATIVE_SIZED]["total"] == counts[ORIGINAL]["groups"]["text head"]
    missing = counts[NATIVE_SIZED]["total"] - counts[NATIVE_DEFAULT]["total"]
    assert missing == 2 * 8 * 2 * 3072  # begin and end, of 8 codebooks, in the embedding and in the head


def test_a_token_uses_one_ffn(counts):
    groups = counts[ORIGINAL]["groups"]
    text, audio = used_for_a_token(groups)
    assert text - audio == groups["text head"] - groups["audio head"]
    assert text + groups["audio FFN"] < counts[ORIGINAL]["total"]


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("layers.0.audio_mlp.up_proj.weight", "audio FFN"),
        ("model.layers.0.mlp.up_proj.weight", "text FFN"),
        ("layers.3.audio_post_attention_layernorm.weight", "audio norms"),
        ("norm.weight", "text norms"),
        ("model.embed_audio_tokens.embed_audio_tokens.weight", "audio embedding"),
        ("audio_decoder_proj.audio_lm_head.weight", "audio head"),
        ("audio_tower.conv1.weight", OTHER),
    ],
)
def test_parameters_are_grouped_by_name(name, group):
    assert group_of(name) == group
    assert group in (*TEXT_SIDE, *AUDIO_SIDE, OTHER)


def test_only_the_stack_of_the_process_is_counted():
    with pytest.raises(NotAvailable):
        parameters(BOSON if here() == NATIVE else NATIVE)


def test_lora_adds_rank_times_inputs_plus_outputs():
    pytest.importorskip("peft")
    query, value = 3072 + 3072, 3072 + 8 * 128
    ffn, head = 8192 + 3072, 3072 + 8 * 1026
    assert lora_parameters(["q_proj", "v_proj", "audio_mlp.down_proj"], 8) == 8 * 28 * (query + value + ffn)
    assert lora_parameters(["audio_lm_head"], 1) == head
    with pytest.raises(DataError, match="no_such"):
        lora_parameters(["q_proj", "no_such"], 8)
