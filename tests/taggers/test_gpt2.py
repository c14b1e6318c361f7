"""The GPT-2 tagger: encoding, slot reading, a short training, and what wrong input gets."""

import json
import shutil

import numpy as np
import pytest
import torch

from harness.datasets import load_examples, sha256
from harness.errors import DataError, NotAvailable
from harness.tagged import TAGS, Tag, TaggedText
from harness.taggers import make_tagger
from harness.taggers.gpt2.base_model import EMBEDDED, load_base, tag_ids
from harness.taggers.gpt2.encoding import GROUPS, IGNORED, Encoder, collate
from harness.taggers.gpt2.slots import best_threshold, choose, place, slot_loss, slot_margins, tune
from harness.taggers.gpt2.training import TrainingConfig, ensure_trained, summary, train


@pytest.fixture(scope="module")
def base():
    model, tokenizer = load_base("embedded")
    return model, Encoder(tokenizer)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two epochs on half of the examples: enough to see that everything moves."""
    folder = tmp_path_factory.mktemp("tagger") / "t"
    seen = []
    train(TrainingConfig(epochs=2, patience=2), load_examples("train")[:49], folder, log=seen.append, progress=False)
    return folder, seen


def test_a_training_text_asks_two_questions_at_each_slot(base):
    _, encoder = base
    text = TaggedText.parse("<pause_long> We <pause_short> <emph> guarantee it <pitch_falling>")
    row = encoder.training(text)
    asked = [labels for labels in row["labels"] if labels[0] != IGNORED]
    answers = [[("none", *group)[k] for k, group in zip(labels, GROUPS, strict=True)] for labels in asked]
    assert answers == [
        [Tag.PAUSE_LONG, "none"], [Tag.PAUSE_SHORT, Tag.EMPH], ["none", "none"], ["none", Tag.PITCH_FALLING],
    ]  # fmt: skip
    assert encoder.tokenizer.decode(row["input_ids"]) == "<|endoftext|> We guarantee it\n We guarantee it"
    assert not set(row["input_ids"]) & set(encoder.tags.values()), "the answers are not in the input"


def test_a_word_has_the_same_position_in_both_halves(base):
    _, encoder = base
    prompt = encoder.prompt(("We", "guarantee", "thirty", "percent"))
    half = prompt.slots[0]
    assert prompt.ids[1:half] == prompt.ids[half + 1 :]
    assert prompt.positions[1:half] == prompt.positions[half + 1 :] == list(range(1, half))


def test_a_word_that_spells_a_tag_stays_text(base):
    _, encoder = base
    assert not set(encoder.word("<emph>")) & set(encoder.tags.values())


def test_pads_change_nothing(base):
    model, encoder = base
    short, long = TaggedText.from_plain("We pay"), TaggedText.from_plain("We pay for all of it " * 8)
    alone = slot_margins(model, encoder, [short])[0]
    padded = slot_margins(model, encoder, [short, long])[0]
    assert alone.shape == (3, len(TAGS))
    np.testing.assert_allclose(alone, padded, atol=1e-4)
    batch = collate([encoder.training(short), encoder.training(long)], encoder.end)
    assert (batch["labels"][batch["attention_mask"] == 0] == IGNORED).all()


def test_the_margin_is_tag_against_none(base):
    model, encoder = base
    prompt = encoder.prompt(("We", "pay"))
    ids, positions = torch.tensor([prompt.ids]), torch.tensor([prompt.positions])
    with torch.no_grad():
        logits = model(ids, position_ids=positions, attention_mask=torch.ones_like(ids)).logits[0]
    slot = 1
    expected = logits[prompt.slots[slot], encoder.tags[Tag.EMPH]] - logits[prompt.slots[slot], encoder.separator[-1]]
    margins = slot_margins(model, encoder, [TaggedText.from_plain("We pay")])[0]
    assert margins[slot, TAGS.index(Tag.EMPH)] == pytest.approx(float(expected), abs=1e-4)


def test_the_loss_is_the_cross_entropy_of_the_answers(base):
    _, encoder = base
    row = collate([encoder.training(TaggedText.parse("We <emph> pay"))], encoder.end)
    logits = torch.zeros(1, row["input_ids"].shape[1], encoder.tags[TAGS[-1]] + 1)
    even = float(np.log(3) + np.log(6))  # two pauses or none, five other tags or none
    assert float(slot_loss(logits, row["labels"], encoder.answers())) == pytest.approx(even, abs=1e-5)


def test_placing_adds_at_most_a_pause_and_one_other_tag_a_slot(base):
    model, encoder = base
    everything = place(model, encoder, [TaggedText.from_plain("We pay for it")], dict.fromkeys(TAGS, -1e9))[0]
    assert all(len(tags) == 2 for tags in everything.by_slot().values()) and len(everything.by_slot()) == 5
    assert place(model, encoder, [TaggedText.from_plain("We pay")], dict.fromkeys(TAGS, 1e9))[0].tags == ()


def test_the_best_threshold_is_found():
    scores = np.array([3.0, 2.0, 1.0, 0.0, -1.0])
    assert best_threshold(scores, np.array([True, True, False, False, False]), 2) == 1.5
    assert best_threshold(scores, np.zeros(5, dtype=bool), 0) == 0
    assert best_threshold(np.array([1.0, 1.0, 0.0]), np.array([True, False, False]), 1) == 0.5, (
        "equal scores stay together"
    )


def test_tags_of_a_question_share_their_threshold():
    margins = np.full((3, len(TAGS)), -5.0)
    margins[1, TAGS.index(Tag.EMPH)], margins[2, TAGS.index(Tag.PITCH_LOW)] = -1.0, -3.0
    thresholds = tune([margins], [TaggedText.parse("We <emph> pay")])
    assert thresholds[Tag.EMPH] == thresholds[Tag.PITCH_RISING] == -2.0
    assert thresholds[Tag.PAUSE_LONG] == thresholds[Tag.PAUSE_SHORT] == 0
    assert choose([TaggedText.from_plain("We pay")], [margins], thresholds)[0] == TaggedText.parse("We <emph> pay")


def test_training_moves_the_tags_and_leaves_the_base(trained):
    folder, seen = trained
    figures = summary(folder)
    assert [row["epoch"] for row in seen] == [1, 2] and figures["history"] == seen
    assert seen[1]["loss"] < seen[0]["loss"]
    assert set(figures["thresholds"]) == {tag.value for tag in TAGS}
    assert figures["adapter_bytes"] < 1_000_000, "an adapter, not a copy of the embeddings"
    from peft import PeftModel

    base, tokenizer = load_base("embedded")
    before = base.get_input_embeddings().weight.detach().clone()
    rows = PeftModel.from_pretrained(base, str(folder / "adapter")).merge_and_unload().get_input_embeddings().weight
    moved = (rows - before).abs().sum(dim=1).nonzero().ravel().tolist()
    assert sorted(moved) == sorted(tag_ids(tokenizer))


def test_a_trained_tagger_keeps_words_and_takes_any_line(trained):
    tagger = make_tagger("gpt2", adapter=trained[0])
    lines = ["", "We guarantee 30% savings", "\U0001f600 https://x.y/<emph> — 価格", "word " * 2000, "a" * 3000]
    texts = [TaggedText.from_plain(line) for line in lines]
    assert [text.words for text in tagger.tag(texts)] == [text.words for text in texts]


def test_training_repeats_itself(trained, tmp_path):
    train(TrainingConfig(epochs=2, patience=2), load_examples("train")[:49], tmp_path / "again", progress=False)
    assert summary(tmp_path / "again")["history"] == summary(trained[0])["history"]


def test_a_finished_tagger_is_not_trained_again(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.taggers.gpt2.training.MODELS", tmp_path)
    config, calls = TrainingConfig(epochs=1), []

    def fake(config, examples, folder, **options):
        calls.append(folder)
        folder.mkdir()
        (folder / "tagger.json").write_text("{}")
        return folder

    monkeypatch.setattr("harness.taggers.gpt2.training.train", fake)
    examples = load_examples("train")
    assert ensure_trained(config, examples) == ensure_trained(config, examples)
    ensure_trained(TrainingConfig(epochs=1, seed=1), examples)
    ensure_trained(config, examples[:50])
    assert len(calls) == len(set(calls)) == 3, "seed and data are part of the name"


@pytest.mark.parametrize("field", ["epochs", "batch_size", "lora_rank", "patience", "dev_folds", "learning_rate"])
def test_wrong_settings_are_refused(field):
    with pytest.raises(DataError, match=field):
        TrainingConfig(**{field: 0})


def test_a_base_that_cannot_be_loaded_is_one_clear_line(tmp_path):
    with pytest.raises(NotAvailable, match="does not exist"):
        load_base("./nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotAvailable, match="cannot be loaded"):
        load_base(str(tmp_path / "empty"))
    shutil.copytree(EMBEDDED, tmp_path / "cut")
    (tmp_path / "cut" / "tokenizer.json").unlink()
    with pytest.raises(NotAvailable) as caught:
        load_base(str(tmp_path / "cut"))
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="not a trained tagger"):
        make_tagger("gpt2", adapter=tmp_path)


def test_a_hub_name_without_a_network_is_one_clear_line(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(NotAvailable, match="a hub name needs the network"):
        load_base("someone/not-here")


def test_the_embedded_base_is_what_its_card_says():
    figures = json.loads((EMBEDDED / "figures.json").read_text())
    assert sha256(EMBEDDED / "model.safetensors") == figures["sha256"]
    assert figures["sha256"][:12] in (EMBEDDED / "README.md").read_text()
    config = json.loads((EMBEDDED / "config.json").read_text())
    assert (config["model_type"], config["n_layer"], config["n_embd"]) == (
        "gpt2", figures["config"]["layers"], figures["config"]["width"],
    )  # fmt: skip
    assert sum(path.stat().st_size for path in EMBEDDED.iterdir()) < 10_000_000
