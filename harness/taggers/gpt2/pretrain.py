"""Make the embedded base: a small GPT-2, pretrained from scratch on openly licensed text.

    harness train base --out data/models/gpt2-mini

The hub's `gpt2` cannot be part of this project (548 MB) and cannot be fetched where there is no network. This model has
the same architecture and the same classes, so everything downstream is the code that one would run on `gpt2`. It
is trained on the text (not the labels) of the Helsinki Prosody Corpus' dev split: each sentence followed by its own copy, the
form in which the tagger reads it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.datasets import load_helsinki, sha256
from harness.store import write_json
from harness.taggers.gpt2.encoding import Encoder, collate

CARD = "figures.json"


@dataclass(frozen=True)
class PretrainConfig:
    """Size and schedule of the base."""

    layers: int = 4
    width: int = 128
    heads: int = 4
    vocabulary: int = 4096
    context: int = 512
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 2e-3
    seed: int = 0


def pretrain(out: Path, config: PretrainConfig) -> dict:
    """Train tokenizer and model from scratch, write them to `out`, and return the figures of the run.

    Figures: training seconds, number of parameters, words, and the cross-entropy (nats a token) on the last chapters
    of the dev split, which are held out from training here.
    """
    import torch
    from transformers import (
        GPT2Config,
        GPT2LMHeadModel,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    sentences = [(u.chapter, " ".join(u.words)) for u in load_helsinki("dev")]
    chapters = sorted({chapter for chapter, _ in sentences})
    held_out = set(chapters[-max(1, len(chapters) // 20) :])
    train = [text for chapter, text in sentences if chapter not in held_out]
    dev = [text for chapter, text in sentences if chapter in held_out]
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = _train_tokenizer(train, config)
    encoder = Encoder(tokenizer)
    set_seed(config.seed)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer), n_positions=config.context, n_embd=config.width, n_layer=config.layers,
            n_head=config.heads, bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id,
        )
    )  # fmt: skip
    begun = time.monotonic()
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(out / "checkpoints"), num_train_epochs=config.epochs, seed=config.seed,
            per_device_train_batch_size=config.batch_size, per_device_eval_batch_size=64,
            learning_rate=config.learning_rate, lr_scheduler_type="cosine", warmup_steps=100, weight_decay=0.1,
            save_strategy="no", eval_strategy="epoch", logging_steps=100, report_to=[], use_cpu=not torch.cuda.is_available(),
            train_sampling_strategy="group_by_length", remove_unused_columns=False,
        ),
        train_dataset=_documents(train, encoder, config.context),
        eval_dataset=_documents(dev, encoder, config.context),
        data_collator=lambda rows: collate(rows, encoder.end),
    )  # fmt: skip
    trainer.train()
    evaluation = trainer.evaluate()
    tokenizer.save_pretrained(out)
    model.half().save_pretrained(out)
    figures = {
        "config": asdict(config),
        "parameters": sum(p.numel() for p in model.parameters()),
        "training_words": sum(len(text.split()) for text in train),
        "training_seconds": round(time.monotonic() - begun, 1),
        "dev_cross_entropy": round(evaluation["eval_loss"], 4),
        "sha256": sha256(out / "model.safetensors"),
    }
    write_json(out / CARD, figures)
    return figures


def _train_tokenizer(texts: Sequence[str], config: PretrainConfig):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocabulary, special_tokens=["<|endoftext|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    bpe.train_from_iterator((f" {text}\n" for text in texts), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|endoftext|>", bos_token="<|endoftext|>", pad_token="<|endoftext|>",
        model_max_length=config.context,
    )  # fmt: skip


def _documents(texts: Sequence[str], encoder: Encoder, context: int) -> list[dict]:
    """Each text with its copy behind it; both halves count, so one pass teaches language and copying."""
    documents = []
    for text in texts:
        words = text.split()
        start, end = encoder.windows(words, context)[0]
        prompt = encoder.prompt(words[start:end])
        ids, positions = [*prompt.ids, encoder.end], [*prompt.positions, prompt.positions[-1] + 1]
        documents.append({"input_ids": ids, "position_ids": positions, "labels": ids})
    return documents
