"""The embedded base: its initialisation, its training texts, and its model card."""

import json
from functools import cache

import pytest
import torch
from helpers import needs_data

from harness.benchmark.suite import RESULT, load
from harness.chapters.ch07_tag_placement.tables import corpus_systems
from harness.datasets import bare_word, corpus_split, load_helsinki, sha256, word_ngrams
from harness.taggers.gpt2 import pretrain
from harness.taggers.gpt2.encoding import Encoder
from harness.taggers.gpt2.pretrain import COPYING_HEADS, PretrainConfig, copy_cross_entropy, start_copying
from harness.taggers.lm.base_model import EMBEDDED, has_smollm2, load_base

WORDS = tuple("We guarantee that it will be thirty percent cheaper than anything".split())
needs_corpus = needs_data("helsinki-prosody")


@pytest.fixture(scope="module")
def base():
    model, tokenizer = load_base("embedded")
    return model.eval(), Encoder(tokenizer)


def test_two_heads_start_by_attending_to_the_next_position(base):
    from transformers import AutoConfig, GPT2LMHeadModel

    _, encoder = base
    config = AutoConfig.from_pretrained(EMBEDDED)
    config._attn_implementation = "eager"
    torch.manual_seed(0)
    model = GPT2LMHeadModel(config).eval()
    model.transformer.wte.weight.data.normal_(0, 0.05)
    start_copying(model, 0)
    prompt = encoder.prompt(WORDS)
    ids = torch.tensor([prompt.ids])
    with torch.no_grad():
        maps = model(ids, position_ids=torch.tensor([prompt.positions]), attention_mask=torch.ones_like(ids),
                     output_attentions=True).attentions[0][0]  # fmt: skip
    for head in range(COPYING_HEADS):
        for at in range(prompt.copy, len(prompt.ids) - 2):
            following = prompt.positions.index(prompt.positions[at] + 1)
            assert maps[head, at, following] > 0.9


def test_the_embedded_base_copies(base):
    model, encoder = base
    figures = json.loads((EMBEDDED / "figures.json").read_text())
    assert copy_cross_entropy(model, encoder, [WORDS]) < 1.0, "a sentence that it has never seen"
    assert figures["dev_copy_cross_entropy"] < 0.5


def test_the_embedded_base_is_what_its_card_says():
    figures = json.loads((EMBEDDED / "figures.json").read_text())
    card = (EMBEDDED / "README.md").read_text()
    assert sha256(EMBEDDED / "model.safetensors") == figures["sha256"]
    assert figures["sha256"][:12] in card and f"{figures['training_words']:,} words" in card
    config = json.loads((EMBEDDED / "config.json").read_text())
    assert (config["model_type"], config["n_layer"], config["n_embd"]) == (
        "gpt2", figures["config"]["layers"], figures["config"]["width"],
    )  # fmt: skip
    assert figures["config"] == vars(PretrainConfig()), "made with the defaults"
    assert sum(path.stat().st_size for path in EMBEDDED.iterdir()) < 10_000_000


@pytest.mark.skipif(not RESULT.is_file(), reason="no benchmark results")
def test_the_card_quotes_the_benchmark():
    card = (EMBEDDED / "README.md").read_text()
    systems = corpus_systems(load())
    for tagger in ("gpt2", "lm_slots"):
        seeds = systems[f"{tagger} on gpt2-mini"]
        for name, scale, digits in (("accuracy_2way", 100, 2), ("accuracy_3way", 100, 2), ("emph_f1", 1, 3)):
            mean = sum(scale * one[name] for one in seeds) / len(seeds)
            assert f"{mean:.{digits}f}" in card, f"{tagger}, {name}: {mean}"


@needs_corpus
def test_the_base_was_not_trained_on_texts_of_the_test_split():
    test = load_helsinki("test")
    runs = {gram for u in test for gram in word_ngrams(u.words, 8)}
    sentences = {tuple(map(bare_word, u.words)) for u in test if len(u.words) >= 4}
    read, _ = corpus_split(load_helsinki("dev"))
    kept = [u for u in read if pretrain._is_own(u)]
    assert len(kept) < len(read), "there are some to leave out"
    for utterance in kept:
        assert tuple(map(bare_word, utterance.words)) not in sentences
        assert not runs.intersection(word_ngrams(utterance.words, 8)), utterance.file


@pytest.mark.skipif(not has_smollm2(), reason="SmolLM2 is not installed: make smollm2")
@needs_corpus
def test_the_same_seed_makes_the_same_base(tmp_path, monkeypatch):
    few = load_helsinki("dev")[::60]
    monkeypatch.setattr(pretrain, "load_helsinki", lambda split: few)
    monkeypatch.setattr(pretrain, "load_base", cache(load_base))  # SmolLM2, which is only read
    config = PretrainConfig(layers=1, width=48, heads=2, vocabulary=600, epochs=1)
    first, second = (pretrain.pretrain(tmp_path / name, config) for name in ("a", "b"))
    assert first["sha256"] == second["sha256"] == sha256(tmp_path / "a" / "model.safetensors")
    assert first["training_words"] == sum(len(u.words) for u in corpus_split(few)[0] if pretrain._is_own(u))
