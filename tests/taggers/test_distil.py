"""Distillation: recombined sentences, soft targets, and a short training."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from harness.datasets import load_examples
from harness.errors import DataError, HarnessError
from harness.paths import NOTEBOOKS
from harness.tagged import TaggedText
from harness.taggers.gpt2.config import DISTILLED, TrainingConfig
from harness.taggers.gpt2.distil import certain, soft_loss, taught, teacher_of
from harness.taggers.gpt2.encoding import Encoder
from harness.taggers.gpt2.recombine import MOST_WORDS, recombine
from harness.taggers.gpt2.slot_logits import logits_of_slots, slot_loss
from harness.taggers.gpt2.tagger import Gpt2Tagger
from harness.taggers.gpt2.training import read_summary, tagger_folder, train
from harness.taggers.hand.analysis import known_words
from harness.taggers.slots import TAG_QUESTIONS, columns, from_tags

pytest.importorskip("hibari")
TEXTS = [
    "We deliver 30 boxes today, or you pay nothing.".split(),
    "Do you like apples? We grow them, every day.".split(),
]


def test_recombined_sentences_are_new_different_and_depend_on_the_seed():
    made = recombine(TEXTS, 200, seed=3)
    assert len(made) == len(set(made)) == 200 and not set(made) & set(map(tuple, TEXTS))
    assert made == recombine(TEXTS, 200, seed=3) != recombine(TEXTS, 200, seed=4)
    assert all(len(words) <= MOST_WORDS and TaggedText(words).words == words for words in made)
    marks = {word[-1] for words in made for word in words if not word[-1].isalnum()}
    assert marks == {",", ".", "?"}
    assert recombine([], 5) == [] == recombine([("Hm",)], 5)


def test_words_come_from_the_given_sentences_and_the_word_list_only():
    inside = {word.strip(",.?").lower() for words in TEXTS for word in words}
    outside = {word for words in known_words().values() for word in words}
    found = {word.strip(",.?").lower() for words in recombine(TEXTS, 100) for word in words}
    assert {word for word in found if not word.isdigit()} <= inside | outside and found & (outside - inside)


def test_ahead_adds_what_is_read_before_the_word_and_after_it(base):
    encoder = Encoder(base[1].tokenizer, TAG_QUESTIONS, "ahead")
    prompt, before = encoder.prompt(("We", "pay?")), base[1].prompt(("We", "pay?"))
    assert prompt.ids == before.ids and prompt.slots == [*before.slots, len(prompt.ids) - 1]
    texts = [("We", "pay?"), (), ("So",)]
    with torch.no_grad():
        read = logits_of_slots(base[0], encoder, [encoder.prompt(words) for words in texts])
        ids, positions = torch.tensor([prompt.ids]), torch.tensor([prompt.positions])
        at = base[0](ids, position_ids=positions, attention_mask=torch.ones_like(ids)).logits[0][prompt.slots]
    answers = [token for part in encoder.answer_ids for token in part]
    assert read.shape == (3 + 1 + 2, 9)
    np.testing.assert_allclose(read[:3], (at[:-1] + at[1:])[:, answers], atol=1e-3)
    with pytest.raises(DataError, match="needs a teacher"):
        TrainingConfig(prompt_format="ahead")


def test_the_soft_loss_of_certain_targets_is_the_loss_of_the_labels():
    text = from_tags(TaggedText.parse("<pause_long> We <emph> pay"))
    logits = torch.randn(3, 9, generator=torch.Generator().manual_seed(0))
    ids = [list(range(part.start, part.stop)) for part in columns(TAG_QUESTIONS)]
    hard = slot_loss(logits, torch.from_numpy(text.labels), ids)
    assert float(soft_loss(logits, torch.from_numpy(certain(text)))) == pytest.approx(float(hard), abs=1e-5)


def test_a_teacher_must_have_probabilities():
    examples = load_examples("train")
    for name in ("rules", "gpt2"):
        with pytest.raises(HarnessError, match="cannot teach"):
            teacher_of(name, examples)
    with pytest.raises(DataError, match="writes no text"):
        TrainingConfig.of(distil="logistic", objective="both", prompt_format="twice")
    assert TrainingConfig.of(distil="logistic", epochs=9).epochs == 9
    assert TrainingConfig.of(distil="logistic").lora_rank == DISTILLED["lora_rank"]


def test_the_settings_of_other_taggers_and_their_folders_stay():
    assert "distil" not in TrainingConfig().settings()
    assert tagger_folder(TrainingConfig(), load_examples("train")).name == "gpt2-a30dcb7d27"


def test_a_student_is_trained_and_tags(tmp_path):
    examples = load_examples("train")[:21]
    config = TrainingConfig.of(distil="hand_features", recombined=40, corpus_sentences=0, epochs=2)
    words, targets = taught(config, examples)
    assert len(words) == len(targets) == 40 + 4 * len(examples)
    for text, target in zip(words, targets, strict=True):
        assert target.shape == (len(text) + 1, 9)
        np.testing.assert_allclose(target.sum(axis=1), len(TAG_QUESTIONS), atol=1e-4)
    folder = train(config, examples, tmp_path / "t", progress=False)
    summary = read_summary(folder)
    assert summary["history"][1]["loss"] < summary["history"][0]["loss"] and summary["limits"] is True
    assert (
        summary["examples"] == {"train": 21, "dev": 0, "recombined": 40, "corpus": 0}
        and summary["adapter_bytes"] < 10_000_000
    )
    tagger = Gpt2Tagger(adapter=folder)
    assert tagger.config == config and tagger.tag([TaggedText.parse("We pay")])[0].words == ("We", "pay")
    with pytest.raises(DataError, match="trained without generation"):
        Gpt2Tagger(adapter=folder, decoding="generate")


def test_the_loss_that_chapter_06_shows_is_the_one_that_is_used():
    chapter = json.loads((NOTEBOOKS / "06_training.ipynb").read_text(encoding="utf-8"))
    [cell] = [c for c in chapter["cells"] if "def soft_cross_entropy" in "".join(c["source"])]
    shown = {"TAG_QUESTIONS": TAG_QUESTIONS}
    exec("".join(cell["source"]), shown)
    logits, targets = torch.randn(4, 9), torch.rand(4, 9)
    torch.testing.assert_close(shown["soft_cross_entropy"](logits, targets), soft_loss(logits, targets))
