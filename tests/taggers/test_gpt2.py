"""The GPT-2 tagger: encoding, slot scores, a short training, and the errors for wrong input."""

import json
import shutil

import numpy as np
import pytest
import torch

from harness.datasets import load_examples
from harness.errors import DataError
from harness.tagged import TAGS, TaggedText
from harness.taggers import make_tagger
from harness.taggers.gpt2.config import TrainingConfig
from harness.taggers.gpt2.encoding import IGNORED, Encoder, collate, new_tokens
from harness.taggers.gpt2.slot_logits import slot_loss, slot_scores
from harness.taggers.gpt2.training import ensure_trained, read_summary, train
from harness.taggers.lm.base_model import load_base
from harness.taggers.slots import NOTHING, TAG_QUESTIONS, columns, from_tags


def test_a_slot_row_asks_two_questions_at_each_slot(base):
    _, encoder = base
    row = encoder.slot_row(
        from_tags(TaggedText.parse("<pause_long> We <pause_short> <emph> guarantee it <pitch_falling>"))
    )
    asked = [labels for labels in row["answers"] if labels[0] != IGNORED]
    answers = [[q.answers[k] for k, q in zip(labels, TAG_QUESTIONS, strict=True)] for labels in asked]
    assert answers == [
        ["<pause_long>", NOTHING], ["<pause_short>", "<emph>"], [NOTHING, NOTHING], [NOTHING, "<pitch_falling>"],
    ]  # fmt: skip
    assert encoder.tokenizer.decode(row["input_ids"]) == "<|endoftext|> We guarantee it\n We guarantee it<|endoftext|>"
    assert not set(row["input_ids"]) & set(encoder.answers.values()), "the answers are not in the input"
    assert set(row["next_ids"]) == {IGNORED}


def test_a_generation_row_predicts_the_tagged_copy_and_nothing_else(base):
    _, encoder = base
    text = from_tags(TaggedText.parse("We <pause_short> <emph> guarantee it <pitch_falling>"))
    row = encoder.generation_row(text)
    wanted = [token for token in row["next_ids"] if token != IGNORED]
    said = encoder.tokenizer.decode(wanted).strip()
    assert said == "We<pause_short><emph> guarantee it<pitch_falling><|endoftext|>"
    shifted = [*row["input_ids"][1:], IGNORED]
    assert all(label in (IGNORED, token) for label, token in zip(row["next_ids"], shifted, strict=True))
    plain = encoder.prompt(text.words)
    places = dict(zip(row["input_ids"][plain.copy :], row["position_ids"][plain.copy :], strict=True))
    tag, word = encoder.answers["<emph>"], encoder.word("guarantee")[0]
    assert places[tag] == places[word], "a tag has the position of its word"


def test_a_word_has_the_same_position_in_both_halves(base):
    _, encoder = base
    prompt = encoder.prompt(("We", "guarantee", "thirty", "percent"))
    words = len(prompt.ids) - prompt.copy - 1
    assert prompt.ids[1 : 1 + words] == prompt.ids[prompt.copy : -1]
    assert prompt.positions[1 : 1 + words] == prompt.positions[prompt.copy : -1] == list(range(1, words + 1))
    read = [prompt.ids[at] for at in prompt.slots]
    assert read == [encoder.separator[-1], *(encoder.word(w)[-1] for w in ("We", "guarantee", "thirty", "percent"))]


def test_the_sentence_once_is_read_without_a_copy(base):
    tokenizer = base[1].tokenizer
    encoder = Encoder(tokenizer, TAG_QUESTIONS, "once")
    assert tokenizer.decode(encoder.prompt(("We", "pay")).ids) == "<|endoftext|> We pay<|endoftext|>"
    with pytest.raises(DataError, match="thrice"):
        Encoder(tokenizer, TAG_QUESTIONS, "thrice")


def test_a_word_that_spells_a_tag_stays_text(base):
    _, encoder = base
    assert not set(encoder.word("<emph>")) & set(encoder.answers.values())


def test_padding_changes_nothing(base):
    model, encoder = base
    short, long = ("We", "pay"), tuple("We pay for all of it".split() * 8)
    alone = slot_scores(model, encoder, [short])[0]
    padded = slot_scores(model, encoder, [short, long])[0]
    assert alone.shape == (3, sum(len(q.answers) for q in TAG_QUESTIONS))
    np.testing.assert_allclose(alone, padded, atol=1e-4)
    rows = [encoder.generation_row(from_tags(TaggedText(words))) for words in (short, long)]
    batch = collate(rows, encoder.end)
    assert (batch["next_ids"][batch["attention_mask"] == 0] == IGNORED).all()
    unmasked = collate(rows, encoder.end, mask_pads=False)
    assert (unmasked["next_ids"][batch["attention_mask"] == 0] == encoder.end).all(), (
        "the mistake that chapter 07 measures"
    )


def test_scores_are_read_at_the_last_token_before_each_slot(base):
    model, encoder = base
    prompt = encoder.prompt(("We", "pay"))
    ids, positions = torch.tensor([prompt.ids]), torch.tensor([prompt.positions])
    with torch.no_grad():
        logits = model(ids, position_ids=positions, attention_mask=torch.ones_like(ids)).logits[0]
    scores = slot_scores(model, encoder, [("We", "pay")])[0]
    for question, part in enumerate(columns(TAG_QUESTIONS)):
        expected = logits[prompt.slots][:, encoder.answer_ids[question]].log_softmax(-1)
        np.testing.assert_allclose(scores[:, part], expected, atol=1e-4)


def test_the_loss_is_the_cross_entropy_of_the_answers(base):
    _, encoder = base
    row = collate([encoder.slot_row(from_tags(TaggedText.parse("We <emph> pay")))], encoder.end)
    asked = (row["answers"] != IGNORED).any(-1)
    logits = torch.zeros(int(asked.sum()), len(encoder.tokenizer))
    even = float(np.log(3) + np.log(6))  # two pauses or none, five other tags or none
    assert float(slot_loss(logits, row["answers"][asked], encoder.answer_ids)) == pytest.approx(even, abs=1e-5)


def test_training_moves_the_tags_and_leaves_the_base(trained):
    folder, seen = trained
    figures = read_summary(folder)
    assert [row["epoch"] for row in seen] == [1, 2] and figures["history"] == seen
    assert seen[1]["loss"] < seen[0]["loss"]
    assert set(figures["thresholds"]) == {tag.value for tag in TAGS}
    assert figures["adapter_bytes"] < 1_000_000, "an adapter, not a copy of the embeddings"
    assert list((folder / "logs").rglob("events.out.tfevents.*")), "tensorboard logs"
    from peft import PeftModel

    base, tokenizer = load_base("embedded", new_tokens(TAG_QUESTIONS))
    before = base.get_input_embeddings().weight.detach().clone()
    rows = PeftModel.from_pretrained(base, str(folder / "adapter")).merge_and_unload().get_input_embeddings().weight
    moved = (rows - before).abs().sum(dim=1).nonzero().ravel().tolist()
    assert sorted(moved) == sorted(tokenizer.convert_tokens_to_ids(list(new_tokens(TAG_QUESTIONS))))


class Stop(Exception):
    """Interrupts a training, as a power cut would."""


def test_an_interrupted_training_resumes_with_the_same_result(trained, tmp_path):
    examples, config = load_examples("train")[:49], TrainingConfig(epochs=2, patience=2)

    def cut(row):
        if row["epoch"] == 2:
            raise Stop

    with pytest.raises(Stop):
        train(config, examples, tmp_path / "t", log=cut, progress=False)
    assert not (tmp_path / "t" / "tagger.json").exists()
    weights = sum(f.stat().st_size for f in (tmp_path / "t" / "checkpoints").rglob("adapter_model.safetensors"))
    assert weights < 2_000_000, "checkpoints hold adapters, not embeddings"
    seen = []
    train(config, examples, tmp_path / "t", log=seen.append, progress=False, resume=True)
    assert [row["epoch"] for row in seen] == [2], "only what was missing is trained"
    assert read_summary(tmp_path / "t")["history"] == read_summary(trained[0])["history"]
    assert not (tmp_path / "t" / "checkpoints").exists()


def test_a_checkpoint_of_other_settings_is_not_resumed(tmp_path):
    examples = load_examples("train")[:35]

    def cut(row):
        raise Stop

    with pytest.raises(Stop):
        train(TrainingConfig(epochs=1), examples, tmp_path, log=cut, progress=False)
    seen = []
    train(TrainingConfig(epochs=1, seed=1), examples, tmp_path, log=seen.append, progress=False, resume=True)
    assert [row["epoch"] for row in seen] == [1]


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


def test_a_folder_without_a_tagger_is_refused(tmp_path):
    with pytest.raises(DataError, match="not a trained tagger"):
        make_tagger("gpt2", adapter=tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("adapter/adapter_model.safetensors", "torn", "the adapter cannot be loaded .SafetensorError"),
        ("adapter/adapter_config.json", "{", "the adapter cannot be loaded .JSONDecodeError"),
        ("adapter/adapter_config.json", {"r": 4}, "the adapter cannot be loaded .RuntimeError.*size mismatch"),
        ("tagger.json", {"thresholds": {"<emph>": 1}}, "not the summary .*<pause_short>"),
        ("tagger.json", {"config": None}, "not the summary of a trained tagger"),
        ("tagger.json", {"config": {"prompt_format": "thrice"}}, "not the summary .*thrice"),
    ],
)
def test_a_damaged_folder_is_named_with_a_remedy(trained, tmp_path, file, content, message):
    folder = tmp_path / "damaged"
    shutil.copytree(trained[0], folder)
    if isinstance(content, dict):
        content = json.dumps({**json.loads((folder / file).read_text()), **content})
    (folder / file).write_text(content)
    with pytest.raises(DataError, match=message) as found:
        make_tagger("gpt2", adapter=folder).tag([TaggedText.parse("We go")])
    assert str(folder) in str(found.value.path) and "train a new tagger" in found.value.remedy


def test_missing_weights_are_not_requested_from_the_hub(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained[0], "mine")
    (tmp_path / "mine" / "adapter" / "adapter_model.safetensors").unlink()
    with pytest.raises(DataError, match=r"the adapter has no adapter_model\.safetensors"):
        make_tagger("gpt2", adapter="mine").tag([TaggedText.parse("We go")])
