from inspect import signature

import numpy as np
import pytest
from _overfit import outputs

from harness.higgs.batches import NativeCollator, count_labels
from harness.higgs.checkpoints import load_model
from harness.higgs.labels import IGNORED, higgs_loss
from harness.processes.stacks import NATIVE

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def model(native):
    return load_model(native, NATIVE).eval()


@pytest.fixture(scope="module")
def collator(tokenizer, model):
    return NativeCollator(tokenizer, model.config)


def nats(logits, label):
    """Return the negative log of a softmax, in double precision."""
    logits = np.asarray(logits, dtype=np.float64)
    top = logits.max()
    return top + np.log(np.exp(logits - top).sum()) - logits[label]


def by_hand(text_logits, text_labels, audio_logits, audio_labels):
    """Return both losses, label by label: the logits of a position predict the next one."""
    text = [nats(row[t - 1], labels[t]) for row, labels in zip(text_logits, text_labels, strict=True)
            for t in range(1, len(labels)) if labels[t] != IGNORED]  # fmt: skip
    audio = [nats(audio_logits[t - 1, k], audio_labels[t, k]) for t in range(1, len(audio_labels))
             for k in range(audio_labels.shape[1]) if audio_labels[t, k] != IGNORED]  # fmt: skip
    return text, audio


def random_case(seed=0):
    rng = np.random.default_rng(seed)
    text_labels = np.where(rng.random((3, 7)) < 0.5, rng.integers(0, 11, (3, 7)), IGNORED)
    audio_labels = np.where(rng.random((9, 4)) < 0.5, rng.integers(0, 6, (9, 4)), IGNORED)
    text_logits, audio_logits = 5 * rng.standard_normal((3, 7, 11)), 5 * rng.standard_normal((9, 4, 6))
    return text_logits, text_labels, audio_logits, audio_labels


def tensors(case):
    return [torch.from_numpy(one).float() if one.dtype == np.float64 else torch.from_numpy(one) for one in case]


@pytest.mark.parametrize("seed", range(2))
def test_the_loss_equals_a_plain_implementation(seed):
    case = random_case(seed)
    text, audio = by_hand(*case)
    loss, text_loss, audio_loss = (float(one) for one in higgs_loss(*tensors(case)))
    assert text_loss == pytest.approx(np.mean(text), rel=1e-5)
    assert audio_loss == pytest.approx(np.mean(audio), rel=1e-5)
    assert loss == pytest.approx(np.mean(text) + np.mean(audio), rel=1e-5)


def test_the_loss_is_divided_by_the_labels_of_a_whole_step():
    case = random_case()
    text, audio = by_hand(*case)
    items = torch.tensor([40, 1000])
    loss, text_loss, audio_loss = (float(one) for one in higgs_loss(*tensors(case), items=items))
    assert text_loss == pytest.approx(np.sum(text) / 40, rel=1e-5)
    assert audio_loss == pytest.approx(np.sum(audio) / 1000, rel=1e-5)
    assert loss == pytest.approx(text_loss + audio_loss, rel=1e-5)


def test_without_labels_the_loss_is_zero_not_nan():
    text_logits, text_labels, audio_logits, audio_labels = tensors(random_case())
    loss, text, audio = higgs_loss(
        text_logits, torch.full_like(text_labels, IGNORED), audio_logits, torch.full_like(audio_labels, IGNORED)
    )
    assert (float(loss), float(text), float(audio)) == (0.0, 0.0, 0.0)


def test_half_precision_logits_are_summed_in_full_precision():
    case = tensors(random_case())
    case[0], case[2] = case[0].bfloat16(), case[2].bfloat16()
    full = [case[0].float(), case[1], case[2].float(), case[3]]
    assert [float(one) for one in higgs_loss(*case)] == [float(one) for one in higgs_loss(*full)]


def test_clips_of_a_batch_are_learned_independently(model, collator, samples):
    """The clips of a batch are concatenated, but the last frame of a clip does not predict the first one of the next."""
    batch = collator(samples)
    with torch.no_grad():
        audio_logits = model(**batch)["audio_logits"].requires_grad_()
    ends = torch.cumsum(batch["audio_input_ids_mask"].sum(dim=1), dim=0) - 1
    text = torch.zeros(1, 2, 3), torch.full((1, 2), IGNORED)
    higgs_loss(*text, audio_logits, batch["audio_labels"])[0].backward()
    touched = audio_logits.grad.abs().sum(dim=(1, 2)) > 0
    assert not touched[ends].any()
    assert int(touched.sum()) == len(audio_logits) - len(samples)  # every other frame predicts something
    # the loss of a batch is the mean of its clips, weighted by their labels
    with torch.no_grad():
        single = [(model(**one)["audio_loss"], count_labels([one])[1]) for one in map(collator, ([s] for s in samples))]
        total = sum(float(loss) * int(count) for loss, count in single) / sum(int(count) for _, count in single)
        assert float(model(**batch)["audio_loss"]) == pytest.approx(total, abs=1e-5)


def test_the_native_class_computes_the_same_loss(model, collator, samples):
    batch = collator(samples)
    with torch.no_grad():
        out = model(**batch)
        original = super(type(model), model).forward(
            **{name: batch[name] for name in ("input_ids", "attention_mask", "audio_input_ids", "audio_input_ids_mask")}
        )
    # both forwards compute the same audio logits
    is_audio = (batch["input_ids"] == 272) | (batch["input_ids"] == 270)
    theirs = original.logits[is_audio].view(-1, 8, 1026)
    assert (out["audio_logits"] - theirs).abs().max() < 1e-6
    text, audio = by_hand(out["logits"].numpy(), batch["labels"].numpy(), theirs.numpy(), batch["audio_labels"].numpy())
    assert (len(text), len(audio)) == tuple(count_labels([batch]).tolist())
    assert float(out["llm_loss"]) == pytest.approx(np.mean(text), abs=1e-5)
    assert float(out["audio_loss"]) == pytest.approx(np.mean(audio), abs=1e-5)
    assert float(out["loss"]) == pytest.approx(np.mean(text) + np.mean(audio), abs=1e-5)


def test_text_weight_and_items_reach_the_loss(model, collator, samples, monkeypatch):
    batch = collator(samples)
    with torch.no_grad():
        whole = model(**batch)
        halved = model(**batch, items=2 * count_labels([batch]))
        monkeypatch.setattr(model, "text_weight", 0.5)
        lighter = model(**batch)
    assert float(halved["loss"]) == pytest.approx(float(whole["loss"]) / 2, rel=1e-6)
    assert float(lighter["loss"]) == pytest.approx(
        0.5 * float(whole["llm_loss"]) + float(whole["audio_loss"]), rel=1e-6
    )


def test_without_labels_it_is_the_original_model(model, collator, samples):
    batch = collator(samples)
    asked = {name: tensor for name, tensor in batch.items() if "labels" not in name}
    with torch.no_grad():
        out = model(**asked)
    assert out.loss is None and out.logits.shape == (4, batch["input_ids"].shape[1], 8 * 1026)
    known = signature(type(model).forward).parameters
    assert {"labels", "audio_labels", "items", "input_ids", "audio_input_ids"} <= set(known)


def test_transformers_own_loss_sums_over_codebooks(model, collator, samples):
    batch = collator(samples)
    padded = torch.full_like(batch["audio_input_ids"], IGNORED)
    padded[batch["audio_input_ids_mask"]] = batch["audio_labels"]
    with torch.no_grad():
        ours = model(**batch)
        theirs = super(type(model), model).forward(**{**batch, "audio_labels": padded})
    assert float(theirs.loss) == pytest.approx(float(ours["llm_loss"]) + 8 * float(ours["audio_loss"]), rel=1e-5)


def test_the_boson_class_computes_the_same_loss(boson_checks):
    found = boson_checks("base")
    # audio logits are (frames, codebooks, entries); text logits are those of the merged sequence
    text, audio = by_hand(found["logits"], found["expanded_labels"], found["audio_logits"], found["audio_labels"])
    assert (len(text), len(audio)) == (12, 336)
    loss, text_loss, audio_loss = found["losses"]
    assert text_loss == pytest.approx(np.mean(text), abs=1e-5)
    assert audio_loss == pytest.approx(np.mean(audio), abs=1e-5)
    assert loss == pytest.approx(np.mean(text) + np.mean(audio), abs=1e-5)


def test_peft_fails_on_the_original_class_and_works_on_ours(boson_checks, model, collator, samples):
    found = boson_checks("peft")
    kind, said = found["causal"]
    assert kind == "TypeError"
    assert said.startswith("HiggsAudioModel.forward() got an unexpected keyword argument 'labels'")
    assert found["no_task"] == [None, ""] and found["no_task_loss"] is None  # it runs, but computes no loss
    assert found["ours_unlabelled"] == [None, ""]
    assert found["ours"] == pytest.approx(float(outputs(model, collator(samples))["losses"][0]), abs=1e-5)
