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
from harness.taggers.gpt2.encoding import IGNORED, Encoder, collate
from harness.taggers.gpt2.slots import best_threshold, place, slot_margins
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


def test_a_training_text_counts_only_the_copy(base):
    _, encoder = base
    text = TaggedText.parse("<pause_long> We <emph> guarantee it <pitch_falling>")
    row = encoder.training(text)
    prompt = [label for label in row["labels"] if label == IGNORED]
    learned = row["input_ids"][len(prompt) :]
    assert row["labels"] == [IGNORED] * len(prompt) + learned
    assert encoder.tokenizer.decode(learned) == "<pause_long> We<emph> guarantee it<pitch_falling><|endoftext|>"
    assert len(row["position_ids"]) == len(row["input_ids"])


def test_a_word_has_the_same_position_in_both_halves(base):
    _, encoder = base
    plain = encoder.prompt(TaggedText.from_plain("We guarantee thirty percent"))
    half = plain.slots[0]
    assert plain.ids[1:half] == plain.ids[half + 1 :]
    assert plain.positions[1:half] == plain.positions[half + 1 :]
    tagged = encoder.prompt(TaggedText.parse("We <pause_short> <emph> guarantee thirty percent"))
    without = [(i, p) for i, p in zip(tagged.ids, tagged.positions, strict=True) if i not in encoder.tags.values()]
    assert without == list(zip(plain.ids, plain.positions, strict=True))


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


def test_the_margin_is_tag_against_next_word(base):
    model, encoder = base
    text = TaggedText.from_plain("We pay")
    prompt = encoder.prompt(text)
    with torch.no_grad():
        ids, positions = torch.tensor([prompt.ids]), torch.tensor([prompt.positions])
        logits = model(ids, position_ids=positions, attention_mask=torch.ones_like(ids)).logits[0]
    slot = 1
    expected = logits[prompt.slots[slot], encoder.tags[Tag.EMPH]] - logits[prompt.slots[slot], encoder.word("pay")[0]]
    assert slot_margins(model, encoder, [text])[0][slot, TAGS.index(Tag.EMPH)] == pytest.approx(
        float(expected), abs=1e-4
    )


def test_placing_adds_at_most_a_pause_and_one_other_tag_a_slot(base):
    model, encoder = base
    everything = place(model, encoder, [TaggedText.from_plain("We pay for it")], dict.fromkeys(TAGS, -1e9))[0]
    assert all(len(tags) == 2 for tags in everything.by_slot().values()) and len(everything.by_slot()) == 5
    assert place(model, encoder, [TaggedText.from_plain("We pay")], dict.fromkeys(TAGS, 1e9))[0].tags == ()


def test_the_best_threshold_is_found():
    scores = np.array([3.0, 2.0, 1.0, 0.0, -1.0])
    assert best_threshold(scores, np.array([True, True, False, False, False])) == 1.5
    assert best_threshold(scores, np.zeros(5, dtype=bool)) == 0
    assert best_threshold(np.array([1.0, 1.0, 0.0]), np.array([True, False, False])) == 0.5, (
        "equal scores stay together"
    )


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
