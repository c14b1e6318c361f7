"""Make the embedded base: a small GPT-2, pretrained on openly licensed text.

    harness train base --out data/models/gpt2-mini

The hub's `gpt2` is too large for this project (548 MB) and cannot be downloaded without a network. This model has the same
architecture and the same classes, so all code that uses it also runs on `gpt2`. It is trained on the text (not the labels) of
the Helsinki Prosody Corpus' dev split, except for the readers on which later choices are made. Each sentence is followed by a
copy of itself, as in the tagger's prompt. Two initialisations make this possible in minutes:

* **Embeddings** start as those of SmolLM2-135M for the same strings, reduced to the model's width by PCA, because 98,000 words
  are too few to learn word meanings.
* **Copying**: positions start as the powers of one random rotation, and in two heads of the first layer the queries are the keys rotated
  by one step, so that each token initially attends to the token after its own position. From random weights a model of this
  size needs many epochs to find this. It is a mimetic initialisation, after Trockman and Kolter (2023).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.datasets import ProsodyUtterance, corpus_split, load_helsinki, sha256
from harness.store import write_json
from harness.taggers.gpt2.encoding import IGNORED, Encoder, collate
from harness.taggers.lm.base_model import SMOLLM2, load_base

CARD = "figures.json"
EMBEDDING_SCALE = 0.05  # initial standard deviation of the token embeddings
POSITION_SCALE = 0.025  # initial standard deviation of the position embeddings
# Chapters of a book that is also read in the test split (Cather, Alexander's Bridge); a test finds them by their words.
ALSO_IN_TEST = ("1462_170138", "1462_170142", "1462_170145")
COPYING_HEADS = 2  # heads of the first layer that start by copying
MATCH_LOGIT = 15.0  # initial attention logit of the next position: large enough to dominate the softmax


@dataclass(frozen=True)
class PretrainConfig:
    """Size and training schedule of the base."""

    layers: int = 5
    width: int = 192
    heads: int = 6
    vocabulary: int = 8192
    context: int = 512
    epochs: int = 6
    batch_size: int = 32
    learning_rate: float = 1.5e-3
    seed: int = 0


def pretrain(out: Path, config: PretrainConfig) -> dict:
    """Train tokenizer and model, write them to `out`, and return the figures of the run.

    The figures are the training time in seconds, the numbers of parameters and words, and two cross-entropies on the held-back
    readers of the dev split, in nats per token: of the second copy, and of both copies.
    """
    import torch
    from transformers import GPT2LMHeadModel, Trainer, TrainingArguments, set_seed

    train, dev = ([u.words for u in part if _is_own(u)] for part in corpus_split(load_helsinki("dev")))
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = _train_tokenizer(train, config)
    encoder = Encoder(tokenizer)
    set_seed(config.seed)
    model: Any = GPT2LMHeadModel(_architecture(config, tokenizer))
    start_embeddings(model, tokenizer)
    start_copying(model, config.seed)
    begun = time.monotonic()
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(out / "checkpoints"), num_train_epochs=config.epochs, seed=config.seed,
            per_device_train_batch_size=config.batch_size, per_device_eval_batch_size=64,
            learning_rate=config.learning_rate, lr_scheduler_type="cosine", warmup_steps=50, weight_decay=0.1,
            adam_beta2=0.98, save_strategy="no", eval_strategy="epoch", logging_steps=50, report_to=[], bf16=True,
            use_cpu=not torch.cuda.is_available(), train_sampling_strategy="group_by_length",
            remove_unused_columns=False, prediction_loss_only=True,
        ),
        train_dataset=_documents(train, encoder, config.context),
        eval_dataset=_documents(dev, encoder, config.context),
        data_collator=lambda rows: _collate(rows, encoder.end),
    )  # fmt: skip
    trainer.train()
    both = trainer.evaluate()["eval_loss"]
    tokenizer.save_pretrained(out)
    model.half().save_pretrained(out)
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    figures = {
        "config": asdict(config),
        "parameters": sum(p.numel() for p in model.parameters()),
        "training_words": sum(len(words) for words in train),
        "training_seconds": round(time.monotonic() - begun, 1),
        "dev_cross_entropy": round(both, 4),
        "dev_copy_cross_entropy": round(copy_cross_entropy(model.float(), encoder, dev), 4),
        "sha256": sha256(out / "model.safetensors"),
    }
    write_json(out / CARD, figures)
    return figures


def _is_own(utterance: ProsodyUtterance) -> bool:
    """Return whether no reader of the test split reads the same text."""
    return utterance.chapter not in ALSO_IN_TEST and "LibriVox" not in utterance.words


def start_embeddings(model: Any, tokenizer: Any) -> None:
    """Set the token embeddings to SmolLM2's for the same strings, reduced to the model's width by PCA."""
    import torch

    donor, donor_tokenizer = load_base(SMOLLM2)
    table: Any = donor.get_input_embeddings().weight
    table = table.detach().float()
    rows = torch.empty(len(tokenizer), table.shape[1])
    for token in range(len(tokenizer)):
        string = tokenizer.decode([token])
        ids = [] if "\ufffd" in string else donor_tokenizer.encode(string, add_special_tokens=False)
        rows[token] = table[ids].mean(0) if ids else table.mean(0)
    rows -= rows.mean(0)
    directions = torch.linalg.svd(rows, full_matrices=False)[2][: model.config.n_embd]
    reduced = rows @ directions.T
    model.transformer.wte.weight.data.copy_(reduced * (EMBEDDING_SCALE / reduced.std()))


def start_copying(model: Any, seed: int) -> None:
    """Initialise two heads of the first layer so that each token attends to the next position.

    Position embeddings occupy a small subspace P, which is removed from the token embeddings: position p is ``P R^p v`` with a
    random rotation R. The keys of a copying head are ``P' x``, its queries ``R P' x``. So the query of position p equals the key
    of position p + 1. Different powers of a random rotation are nearly orthogonal, and token meanings do not interfere.
    """
    import torch

    width, heads = model.config.n_embd, model.config.n_head
    size = width // heads
    generator = torch.Generator().manual_seed(seed)

    def rotation(rows: int, columns: int) -> Any:
        return torch.linalg.qr(torch.randn(rows, columns, generator=generator))[0]

    space, turn = rotation(width, size), rotation(size, size)
    tokens = model.transformer.wte.weight.data
    tokens -= tokens @ space @ space.T
    place = torch.randn(size, generator=generator)
    place *= POSITION_SCALE * width**0.5 / place.norm()
    positions = model.transformer.wpe.weight.data
    for row in range(len(positions)):
        positions[row] = space @ place
        place = turn @ place
    # After the first layer norm, positions have this squared length; a match then scores MATCH_LOGIT.
    share = POSITION_SCALE**2 / (POSITION_SCALE**2 + EMBEDDING_SCALE**2)
    gain = (MATCH_LOGIT * size**0.5 / (width * share)) ** 0.5
    attention = model.transformer.h[0].attn
    weights = attention.c_attn.weight.data  # (width, 3 * width), applied from the right: queries, keys, values
    for head in range(COPYING_HEADS):
        here = slice(head * size, (head + 1) * size)
        keys = slice(width + here.start, width + here.stop)
        values = slice(2 * width + here.start, 2 * width + here.stop)
        weights[:, here] = space @ turn.T * gain
        weights[:, keys] = space * gain
        carried = rotation(width, size)
        weights[:, values] = carried
        attention.c_proj.weight.data[here] = carried.T


def copy_cross_entropy(model: Any, encoder: Encoder, texts: Sequence[Sequence[str]]) -> float:
    """Return the mean cross-entropy of the tokens of the second copy, in nats; a perfect copier has 0."""
    import torch
    from torch.nn.functional import cross_entropy

    total, count = 0.0, 0
    model.eval()
    with torch.inference_mode():
        for words in texts:
            prompt = encoder.prompt(words)
            ids = torch.tensor([prompt.ids])
            positions = torch.tensor([prompt.positions])
            logits = model(ids, position_ids=positions, attention_mask=torch.ones_like(ids)).logits[0]
            span = slice(prompt.copy, len(prompt.ids) - 1)
            wanted = ids[0, span.start : span.stop]
            total += float(cross_entropy(logits[span.start - 1 : span.stop - 1], wanted, reduction="sum"))
            count += len(wanted)
    return total / count


def _architecture(config: PretrainConfig, tokenizer: Any) -> Any:
    from transformers import GPT2Config

    return GPT2Config(
        vocab_size=len(tokenizer), n_positions=config.context, n_embd=config.width, n_layer=config.layers,
        n_head=config.heads, bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip


def _train_tokenizer(texts: Sequence[Sequence[str]], config: PretrainConfig):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocabulary, special_tokens=["<|endoftext|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    bpe.train_from_iterator((f" {' '.join(words)}\n" for words in texts), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|endoftext|>", bos_token="<|endoftext|>", pad_token="<|endoftext|>",
        model_max_length=config.context,
    )  # fmt: skip


def _documents(texts: Sequence[Sequence[str]], encoder: Encoder, context: int) -> list[dict]:
    """Return each text followed by its copy; the loss covers both, so one pass teaches language and copying."""
    documents = []
    for words in texts:
        end = encoder.windows(words, context - 8, encoder.copies)[0][1]
        prompt = encoder.prompt(words[:end])
        documents.append({"input_ids": prompt.ids, "position_ids": prompt.positions})
    return documents


def _collate(rows: Sequence[dict], pad: int) -> dict[str, Any]:
    batch = collate(rows, pad)
    batch["labels"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, IGNORED)
    return batch
