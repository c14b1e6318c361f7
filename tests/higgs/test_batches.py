"""Batches of both stacks teach the same, and avoid the traps of the two original collators."""

import numpy as np
import pytest

from harness.audio import read_audio
from harness.higgs.batches import ANSWER_BEGIN, ANSWER_END, NativeCollator, audio_labels, count_labels, encode
from harness.higgs.codec import load_codec
from harness.higgs.labels import IGNORED
from harness.higgs.samples import Sample, load_samples, prompt

torch = pytest.importorskip("torch")

LATE = 7  # columns after the first end of the stream: one for each codebook but the first


@pytest.fixture(scope="module")
def config(native):
    from transformers import HiggsAudioV2Config

    return HiggsAudioV2Config.from_pretrained(native)


@pytest.fixture(scope="module")
def collator(tokenizer, config):
    return NativeCollator(tokenizer, config)


@pytest.fixture(scope="module")
def batch(collator, samples):
    return collator(samples)


def rows(batch, name):
    """Return the rows of a batch without their padding."""
    return [row[: int(mask.sum())] for row, mask in zip(batch[name], batch["attention_mask"], strict=True)]


def test_labels_of_a_clip_by_hand():
    x = IGNORED
    assert audio_labels(np.array([[1, 2], [3, 4], [5, 6]]), eos=9).tolist() == [
        [x, 1, 2, 9, x, x],
        [x, x, 3, 4, 9, x],
        [x, x, x, 5, 6, 9],
    ]


def test_the_tokens_spell_the_prompt_and_the_answer(batch, tokenizer, samples):
    for row, sample in zip(rows(batch, "input_ids"), samples, strict=True):
        frames = sample.codes.shape[1] + 2  # with begin and end
        audio = "<|AUDIO_OUT|>" * frames + "<|reserved_special_token_6|>" * LATE
        assert tokenizer.decode(row) == prompt(sample.text) + ANSWER_BEGIN + audio + ANSWER_END


def test_all_codes_and_one_end_per_codebook_are_learned(batch, samples):
    inputs = batch["audio_input_ids"][batch["audio_input_ids_mask"]]
    targets = batch["audio_labels"]
    assert inputs.shape == targets.shape
    learned = targets != IGNORED
    assert (inputs[learned] == targets[learned]).all()  # labels are not shifted here: higgs_loss does that
    assert [int((targets[:, k] == 1025).sum()) for k in range(8)] == [len(samples)] * 8
    assert int(learned.sum()) == 8 * sum(sample.codes.shape[1] + 1 for sample in samples)
    start = 0
    for sample in samples:
        assert (targets[start] == IGNORED).all()  # another clip precedes the first frame
        assert (targets[start + 1, 1:] == IGNORED).all() and targets[start + 1, 0] == sample.codes[0, 0]
        start += sample.codes.shape[1] + 2 + LATE


def test_padding_is_masked(batch, config):
    padding = batch["attention_mask"] == 0
    assert padding.any()
    assert (batch["input_ids"][padding] == config.pad_token_id).all()
    assert (batch["labels"][padding] == IGNORED).all()


def test_the_last_token_of_a_shorter_sentence_is_learned(collator, tokenizer, samples):
    # <|eot_id|> is not padding, even if a tokenizer uses it as padding
    for order in (samples, samples[::-1]):
        batch = collator(order)
        ends = [row[row != IGNORED][-1] for row in batch["labels"]]
        assert tokenizer.decode(torch.stack(ends)) == "<|eot_id|>" * len(samples)


def test_both_stacks_learn_the_same(boson_checks, batch, config, samples):
    found = boson_checks("batches")
    assert found["our_labels"] == count_labels([batch]).tolist() == [12, 336]
    columns = batch["audio_input_ids"][batch["audio_input_ids_mask"]].numpy()
    assert (columns == found["audio_out_ids"].T).all()
    assert (found["audio_labels"] == batch["audio_labels"].numpy()).all()
    starts = np.cumsum([0] + [sample.codes.shape[1] + 2 + LATE for sample in samples[:-1]])
    assert found["audio_out_ids_start"].tolist() == starts.tolist()
    audio = (config.audio_token_id, config.audio_delay_token_id)
    for n in range(len(samples)):
        ours, theirs = ((ids[n][mask[n] == 1], labels[n][mask[n] == 1]) for ids, labels, mask in (
            [batch[name].numpy() for name in ("input_ids", "labels", "attention_mask")],
            [found[name] for name in ("input_ids", "labels", "attention_mask")],
        ))  # fmt: skip
        # boson_multimodal has one token per clip, the native model one per frame
        kept = [~np.isin(ids, audio) for ids, _ in (ours, theirs)]
        assert (theirs[0] == config.audio_token_id).sum() == 1
        for place in (0, 1):
            assert ours[place][kept[0]].tolist() == theirs[place][kept[1]].tolist()


def test_the_boson_collator_modifies_its_input_and_ours_does_not(boson_checks):
    found = boson_checks("batches")
    assert found["original_labels"] == [336, 0]  # the second time, the audio has no labels
    assert found["repeated"]  # our collator returns the same batch


def processed(sample, recording, codec, tokenizer):
    """Return the output of transformers' own processor for a recording, with its labels."""
    from transformers.models.higgs_audio_v2.processing_higgs_audio_v2 import HiggsAudioV2Processor

    loaded = load_codec(codec)
    text = prompt(sample.text) + ANSWER_BEGIN + "<|AUDIO_OUT|>" + ANSWER_END
    return HiggsAudioV2Processor(loaded.extractor, tokenizer, loaded.model)(
        text=[text], audio=[read_audio(recording).samples], output_labels=True, return_tensors="pt",
        audio_kwargs={"sampling_rate": 24000, "padding": False},
    )  # fmt: skip


@pytest.mark.parametrize("number", [0, 5])
def test_the_processor_of_transformers_has_the_same_inputs_and_other_labels(
    manifest, codec, codes, collator, config, tokenizer, number
):
    sample = load_samples(manifest, codec, codes, 8, 1024)[number]
    theirs = processed(sample, manifest.with_name(f"{number}.wav"), codec, tokenizer)
    ours = collator([sample])
    for same in ("input_ids", "attention_mask", "audio_input_ids", "audio_input_ids_mask"):
        assert torch.equal(ours[same].long(), theirs[same].long()), same
    # audio: ours has all their labels, and the first end of each codebook
    audio, their_audio = ours["audio_labels"], theirs["audio_labels"][0]
    added = audio != their_audio
    assert (their_audio[added] == IGNORED).all() and (audio[added] == 1025).all()
    assert added.sum(dim=0).tolist() == [1] * 8
    frames = sample.codes.shape[1]
    assert added.nonzero().tolist() == sorted([frames + 1 + k, k] for k in range(8))
    # text: ours lacks the prompt and the delay tokens, and has the token that begins the audio
    text, their_text, ids = ours["labels"][0], theirs["labels"][0], ours["input_ids"][0]
    asked = len(encode(tokenizer, prompt(sample.text)))
    expected = their_text.clone()
    expected[:asked] = IGNORED
    expected[ids == config.audio_delay_token_id] = IGNORED
    expected[asked] = config.audio_bos_token_id
    assert torch.equal(text, expected)
    # these three differences are the only ones
    assert (their_text[:asked] == ids[:asked]).all()
    assert int((their_text == config.audio_delay_token_id).sum()) == LATE
    assert their_text[asked] == IGNORED


def test_samples_are_not_modified(collator, samples):
    before = [sample.codes.copy() for sample in samples]
    collator(samples)["audio_input_ids"].zero_()
    assert all((one == sample.codes).all() for one, sample in zip(before, samples, strict=True))
    assert all(isinstance(sample, Sample) for sample in samples)
