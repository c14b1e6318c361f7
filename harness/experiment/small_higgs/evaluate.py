"""Does the small Higgs speak unseen sentences, and does it obey?

The 60 test sentences have combinations of verb and object that no training clip has. Each is generated plain and with tags, one at
a time, at the places where tags are taught. All figures are of single greedy readings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.engines.base import SpeechRequest
from harness.engines.higgs.native import HiggsNativeEngine
from harness.experiment.small_higgs.grammar import Grammar, Sentence, Side, tagged_versions
from harness.experiment.small_higgs.measures import Spoken, provenance, tag_outcomes, tag_table, word_error_rate
from harness.experiment.small_higgs.teacher import Progress, spoken_frames
from harness.higgs.batches import ANSWER_BEGIN, encode
from harness.higgs.checkpoints import load_model, load_tokenizer
from harness.higgs.samples import prompt
from harness.higgs.speech.codec import SpeechCodec, load_speech_codec
from harness.higgs.speech.pretrain import batch_of, codebook_losses
from harness.processes.stacks import NATIVE
from harness.prosody.rates import named, share_of
from harness.tagged import TAGS, Tag, TaggedText

SCHEMA = "harness.small_higgs/1"
BATCH = 20  # sentences generated together
GATE = {"wer_above_teacher": 0.15, "ends_by_itself": 0.95, "hits": 0.70, "placebo": 0.05, "leaked": 0}


def evaluate(
    model: Path, codec: Path, *, side: Side = "test", tags_each: int = len(TAGS), limit: int | None = None, seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Measure a model on the held-out sentences of the grammar.

    Parameters
    ----------
    model, codec : Path
        Folders.
    side : {"test", "dev"}
        "dev" for choices during training, "test" for the figure that is reported.
    tags_each : int
        Number of tags in which each sentence is spoken, one at a time.
    limit : int, optional
        Only so many sentences.
    seed : int
        Random seed of the slots.
    progress : callable, optional

    Returns
    -------
    dict
        ``teacher`` and ``model``: word error rates and tags; ``likelihood``: how often a tagged clip of the teacher is likelier under
        its own text than under the plain one; ``gate`` and whether each condition is ``met``.
    """
    grammar, loaded = Grammar(), load_speech_codec(codec)
    sentences = grammar.held_out(side)[:limit]
    tagged = tagged_versions(sentences, tags_each, seed)
    engine = HiggsNativeEngine(checkpoint=str(model), codec=str(codec), temperature=0.0)
    speak = lambda texts: generated(engine, loaded, texts)  # noqa: E731
    mine = _measured(speak, sentences, tagged, grammar, progress)
    teacher = _measured(lambda texts: [_taught(loaded, text) for text in texts], sentences, tagged, grammar, progress)
    met = {
        "wer_above_teacher": mine["loop"]["wer"] - teacher["loop"]["wer"] <= GATE["wer_above_teacher"],
        "ends_by_itself": mine["ends_by_itself"] >= GATE["ends_by_itself"],
        "hits": mine["obeys"]["hits_of_all"] >= GATE["hits"],
        "placebo": (mine["obeys"]["placebo"] or 0.0) <= GATE["placebo"] if mine["obeys"]["placebo_n"] else False,
        "leaked": mine["obeys"]["leaked"] == GATE["leaked"],
    }
    return {
        "schema": SCHEMA, "provenance": provenance(), "side": side, "sentences": len(sentences), "tags_each": tags_each, "seed": seed,
        "model_sha256": hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest(),
        "model": mine, "teacher": teacher, "likelihood": likelihood(model, loaded, tagged),
        "gate": GATE, "met": {name: bool(value) for name, value in met.items()},
    }  # fmt: skip


def _measured(
    speak: Any, sentences: Sequence[Sentence], tagged: Sequence[TaggedText], grammar: Grammar, progress: Progress | None
) -> dict[str, Any]:
    plain = speak([TaggedText(sentence.words) for sentence in sentences])
    clips = speak(tagged)
    return {
        "loop": word_error_rate(plain, grammar.vocabulary),
        "free": word_error_rate(plain),
        **named("ends_by_itself", share_of([clip.stopped for clip in [*plain, *clips]], [clip.sentence for clip in [*plain, *clips]])),
        "median_seconds": float(np.median([0 if clip.samples is None else len(clip.samples) / 24000 for clip in plain])),
        "obeys": tag_table(tag_outcomes(plain, clips, progress)),
    }  # fmt: skip


def generated(engine: HiggsNativeEngine, codec: SpeechCodec, texts: Sequence[TaggedText]) -> list[Spoken]:
    """Let the engine speak texts in batches, and decode its codes; an end of stream among them becomes an ordinary code."""
    clips = []
    for start in range(0, len(texts), BATCH):
        some = texts[start : start + BATCH]
        made = engine.generate([SpeechRequest(text=text) for text in some])
        for text, one in zip(some, made, strict=True):
            codes = one.codes.clip(0, codec.codebook_size - 1)
            clips.append(Spoken(text.plain, text, codec.decode(codes) if codes.shape[1] else None, one.stopped))
    return clips


def _taught(codec: SpeechCodec, text: TaggedText) -> Spoken:
    return Spoken(text.plain, text, codec.decode(codec.encode_frames(spoken_frames(text))))


def likelihood(model: Path, codec: SpeechCodec, tagged: Sequence[TaggedText]) -> dict[str, Any]:
    """Return how often the model finds a clip of the teacher likelier under its own text than under another one.

    ``own_over_plain``: the text of a tagged clip against the same text without the tag. ``own_over_other``: against the same text with
    another tag in its place, drawn at random; by chance it would be half. ``plain_over_tagged``: a plain clip under its plain text against
    the tagged one. The likelihood is that of all codes, each codebook counting the same.
    """
    loaded, tokenizer = load_model(model, NATIVE, text_head=False).eval(), load_tokenizer(model)
    rng = np.random.default_rng(0)
    rows: list[tuple[str, str, bool, bool, bool]] = []
    for text in tagged:
        ((slot, tag),) = text.tags
        other = TaggedText(text.words, [(slot, [one for one in TAGS if one is not tag][rng.integers(len(TAGS) - 1)])])
        plain = TaggedText(text.words)
        clips = [codec.encode_frames(spoken_frames(one)) for one in (text, plain)]
        own, bare, wrong = _losses(loaded, tokenizer, [text, plain, other], clips[0])
        told, untold = _losses(loaded, tokenizer, [text, plain], clips[1])
        rows.append((text.plain, tag.bare, own < bare, own < wrong, untold < told))
    names = [row[0] for row in rows]
    return {
        "clips": len(rows),
        **named("own_over_plain", share_of([row[2] for row in rows], names)),
        **named("own_over_other", share_of([row[3] for row in rows], names)),
        **named("plain_over_tagged", share_of([row[4] for row in rows], names)),
        "by_tag": {tag.bare: _by_tag(rows, tag) for tag in TAGS},
    }  # fmt: skip


def _by_tag(rows: Sequence[tuple[str, str, bool, bool, bool]], tag: Tag) -> dict[str, Any]:
    mine = [row for row in rows if row[1] == tag.bare]
    return {
        "clips": len(mine),
        "own_over_plain": sum(row[2] for row in mine),
        "own_over_other": sum(row[3] for row in mine),
    }


def _losses(model: Any, tokenizer: Any, texts: Sequence[TaggedText], codes: np.ndarray) -> list[float]:
    ids = [encode(tokenizer, prompt(text.format()) + ANSWER_BEGIN) for text in texts]
    with torch.no_grad():
        return (
            codebook_losses(model, batch_of(ids, [codes] * len(ids), tokenizer.pad_token_id), by_clip=True)
            .mean(dim=1)
            .tolist()
        )
