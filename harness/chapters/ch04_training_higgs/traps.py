"""Trigger the traps of training Higgs on purpose. The collators and the trainer avoid them."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from harness.chapters.ch04_training_higgs.evidence import read_cases, spoken_back
from harness.higgs.batches import BosonCollator, NativeCollator, encode
from harness.higgs.checkpoints import load_model, load_tokenizer
from harness.higgs.codec import FRAME_SAMPLES, RATE, native_codec_class, prepare_torchaudio
from harness.higgs.labels import IGNORED
from harness.higgs.lora import add_lora
from harness.higgs.samples import SYSTEM, Sample, prompt

_RATE = 1e-2


def collator_trap(model: str, cases: str, steps: int = 3) -> dict[str, Any]:
    """Use boson_multimodal's collator twice on the same samples, alone and under Trainer. Boson stack.

    Returns
    -------
    dict
        ``labels``, the number of audio labels on first and second use; ``losses`` on them, None for NaN; and ``logged``,
        what a stock Trainer logs for such a loss: it replaces NaN, so the log looks like success.
    """
    import torch
    from transformers import Trainer, TrainingArguments

    loaded, tokenizer = load_model(model, "boson"), load_tokenizer(model)
    collator = BosonCollator(tokenizer, loaded.config)
    kept = [collator.chatml(sample) for sample in read_cases(cases)]
    labels, losses = [], []
    for _ in range(2):
        batch = collator.original(kept)
        labels.append(int((batch.label_audio_ids != IGNORED).sum()))
        with torch.no_grad():
            loss = _boson_loss(loaded, batch).item()
        losses.append(loss if math.isfinite(loss) else None)

    class Stock(Trainer):
        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            return _boson_loss(model, inputs["batch"])

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(output_dir=folder, max_steps=steps, per_device_train_batch_size=len(kept), logging_steps=1,
                                      report_to=[], disable_tqdm=True, remove_unused_columns=False, use_cpu=True,
                                      save_strategy="no")  # fmt: skip
        fresh = [collator.chatml(sample) for sample in read_cases(cases)]
        trainer = Stock(model=loaded, args=arguments, train_dataset=fresh,
                        data_collator=lambda rows: {"batch": collator.original(rows)})  # fmt: skip
        trainer.train()
        logged = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    return {"labels": labels, "losses": losses, "logged": logged}


def _boson_loss(model: Any, batch: Any) -> Any:
    """Return the mean cross-entropy of the audio in its simplest form: NaN if there are no labels."""
    from torch.nn.functional import cross_entropy

    out = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, audio_out_ids=batch.audio_out_ids,
                audio_out_ids_start=batch.audio_out_ids_start)  # fmt: skip
    return cross_entropy(out.audio_logits[:-1].flatten(0, 1), batch.label_audio_ids.T[1:].flatten())


def processor_trap(model: str, cases: str, steps: int = 200) -> dict[str, Any]:
    """Compare the labels of transformers' processor with ours: do models trained on them stop? Native stack.

    Parameters
    ----------
    model, cases : str
        Paths of the checkpoint and of the samples of `write_cases`.
    steps : int
        Training steps: enough to overfit two samples.

    Returns
    -------
    dict
        For ``processor`` and ``ours``: ``prompt``, ``delay`` and ``end``, how many labels of each kind there are; after
        the same training on them, ``equal``, the share of codes that greedy generation gives back, and ``stopped``, of
        how many samples it ended the stream itself; ``samples`` and the ``frames`` generated.
    """
    prepare_torchaudio()  # before transformers is imported: the processor compares classes by name

    tokenizer = load_tokenizer(model)
    samples = read_cases(cases)
    found: dict[str, Any] = {"samples": len(samples)}
    for name in ("processor", "ours"):
        learner = load_model(model, "native")
        collator = NativeCollator(tokenizer, learner.config)
        batch = collator(samples)
        if name == "processor":
            batch |= _processor_labels(tokenizer, learner.config, samples, batch)
        counts = _label_counts(batch, collator, samples)
        found[name] = counts | _train_and_speak(learner, tokenizer, batch, samples, steps)
    return found


def _processor_labels(tokenizer: Any, config: Any, samples: Sequence[Sample], ours: Any) -> dict[str, Any]:
    import torch
    from transformers import DacFeatureExtractor
    from transformers.models.higgs_audio_v2.processing_higgs_audio_v2 import HiggsAudioV2Processor

    known = iter([torch.as_tensor(sample.codes)[None] for sample in samples])

    class Known(native_codec_class()):  # type: ignore[misc]
        """A codec that has encoded the samples already: the processor takes objects of this class only."""

        def __init__(self) -> None:
            torch.nn.Module.__init__(self)
            self.config = SimpleNamespace(num_quantizers=config.num_codebooks)

        device = torch.device("cpu")

        def encode(self, **_: Any) -> Any:
            return SimpleNamespace(audio_codes=next(known))

    processor = HiggsAudioV2Processor(
        DacFeatureExtractor(sampling_rate=RATE, hop_length=FRAME_SAMPLES), tokenizer, Known(),
        chat_template=tokenizer.chat_template, audio_stream_bos_id=config.audio_stream_bos_id,
        audio_stream_eos_id=config.audio_stream_eos_id,
    )  # fmt: skip
    texts = [
        tokenizer.apply_chat_template(
            [{"role": role, "content": [part]} for role, part in (
                ("system", {"type": "text", "text": SYSTEM}), ("user", {"type": "text", "text": sample.text}),
                ("assistant", {"type": "audio"}))],
            tokenize=False,
        )
        for sample in samples
    ]  # fmt: skip
    made = processor(
        text=texts,
        audio=[np.zeros(FRAME_SAMPLES, np.float32) for _ in samples],  # the codes are known
        output_labels=True,
        audio_kwargs={"sampling_rate": RATE, "padding": False, "return_tensors": "pt"},
        text_kwargs={"padding": True, "padding_side": "right", "return_tensors": "pt"},
    )
    same = (made["input_ids"] == ours["input_ids"]).all() and (made["audio_input_ids"] == ours["audio_input_ids"]).all()
    if not same:
        raise AssertionError("the processor's input differs from ours: labels cannot be compared")
    return {"labels": made["labels"], "audio_labels": made["audio_labels"][made["audio_input_ids_mask"]]}


def _label_counts(batch: Any, collator: NativeCollator, samples: Sequence[Sample]) -> dict[str, int]:
    asked = [len(encode(collator.tokenizer, prompt(sample.text))) for sample in samples]
    text, audio = batch["labels"], batch["audio_labels"]
    end = audio == collator.config.audio_stream_eos_id
    return {
        "prompt": sum(int((row[:length] != IGNORED).sum()) for row, length in zip(text, asked, strict=True)),
        "delay": int((text == collator.config.audio_delay_token_id).sum()),
        "end": int(end.sum()),
        "codes": int(((audio != IGNORED) & ~end).sum()),
    }


def _train_and_speak(model: Any, tokenizer: Any, batch: Any, samples: Sequence[Sample], steps: int) -> dict[str, Any]:
    import torch

    torch.manual_seed(0)
    learner = add_lora(model)
    optimiser = torch.optim.AdamW([one for one in learner.parameters() if one.requires_grad], lr=_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        loss = learner(**batch)["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
    spoken = [spoken_back(learner, tokenizer, sample, "native") for sample in samples]
    return {"loss": loss.item(), "equal": float(np.mean([one["equal"] for one in spoken])),
            "stopped": sum(one["stopped"] for one in spoken),
            "frames": [one["frames"] for one in spoken], "generated": [one["generated"] for one in spoken]}  # fmt: skip


def items_trap(model: str, cases: str) -> dict[str, float]:
    """Compute the native class's audio loss alone, and as under Trainer: divided by the number of *text* labels.

    Returns
    -------
    dict
        ``own``: its loss, a sum over codebooks of means; ``mean``: the mean over codebooks; ``under_trainer``: with
        ``num_items_in_batch`` of the text labels; ``text_items`` and ``audio_items_a_codebook``.
    """
    import torch
    from transformers import HiggsAudioV2ForConditionalGeneration

    from harness.higgs.checkpoints import load_strictly, resolve

    original = load_strictly(HiggsAudioV2ForConditionalGeneration, resolve(model))
    samples = read_cases(cases)
    batch = NativeCollator(load_tokenizer(model), original.config)(samples)
    labels, packed = batch.pop("labels"), batch.pop("audio_labels")
    padded = torch.full_like(batch["audio_input_ids"], IGNORED)
    padded[batch["audio_input_ids_mask"]] = packed
    items = int((labels != IGNORED).sum())
    with torch.no_grad():
        own = original(**batch, audio_labels=padded).loss.item()
        scaled = original(**batch, audio_labels=padded, num_items_in_batch=items).loss.item()
    codebooks = original.config.num_codebooks
    return {"own": own, "mean": own / codebooks, "under_trainer": scaled, "text_items": items,
            "audio_items_a_codebook": int((packed != IGNORED).sum()) // codebooks}  # fmt: skip
