"""What the codec of the small Higgs keeps: words, F0 and the teacher's tags."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from harness.experiment.small_higgs.grammar import Grammar, tagged_versions
from harness.experiment.small_higgs.measures import Spoken, provenance, tag_outcomes, tag_table, word_error_rate
from harness.experiment.small_higgs.teacher import Progress, spoken_frames
from harness.higgs.speech.codec import VOICED_HZ, WEIGHTS, Frames, SpeechCodec, load_speech_codec
from harness.tagged import TAGS, TaggedText

SCHEMA = "harness.speech_codec/1"
BARS = {"wer_lost": 0.04, "f0_error_st": 0.2, "hits": 0.93, "placebo": 0.02}


def check_codec(
    folder: Path, *, tags_each: int = len(TAGS), seed: int = 0, progress: Progress | None = None
) -> dict[str, Any]:
    """Measure the codec on the 24 development sentences of the grammar, to which it was not fitted.

    Parameters
    ----------
    folder : Path
        Folder of the codec.
    tags_each : int
        Number of tags in which each sentence is spoken, one at a time.
    seed : int
        Random seed of the slots.
    progress : callable, optional

    Returns
    -------
    dict
        ``own`` and ``codec``: word error rates of hibari and through the codec, ``loop`` with the grammar's words only and ``free`` with
        English; ``f0``: error in semitones; ``tags``: hits of the teacher through the codec; ``bars`` and whether each is ``met``.
    """
    grammar, codec = Grammar(), load_speech_codec(folder)
    sentences = grammar.held_out("dev")
    texts = [TaggedText(sentence.words) for sentence in sentences]
    frames = [spoken_frames(text) for text in texts]
    own = [Spoken(text.plain, text, one.sound()) for text, one in zip(texts, frames, strict=True)]
    through = [_through(codec, text, one) for text, one in zip(texts, frames, strict=True)]
    rates = {
        name: {"loop": word_error_rate(clips, grammar.vocabulary), "free": word_error_rate(clips)}
        for name, clips in (("own", own), ("codec", through))
    }
    errors = np.concatenate([_f0_errors(codec, one) for one in frames])
    tagged = [_through(codec, text, spoken_frames(text)) for text in tagged_versions(sentences, tags_each, seed)]
    table = tag_table(tag_outcomes(through, tagged, progress))
    median = float(np.median(errors))
    lost = rates["codec"]["loop"]["wer"] - rates["own"]["loop"]["wer"]
    met = {"wer_lost": lost <= BARS["wer_lost"], "f0_error_st": median <= BARS["f0_error_st"],
           "hits": table["hit_rate"] >= BARS["hits"], "placebo": table["placebo"] <= BARS["placebo"]}  # fmt: skip
    return {
        "schema": SCHEMA, "provenance": provenance(), "codec_sha256": hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
        "sentences": len(sentences), **rates, "wer_lost": lost,
        "f0": {"median_st": median, "p95_st": float(np.percentile(errors, 95)), "frames": len(errors)},
        "obeys": table, "bars": BARS, "met": {name: bool(value) for name, value in met.items()},
    }  # fmt: skip


def _through(codec: SpeechCodec, text: TaggedText, frames: Frames) -> Spoken:
    return Spoken(text.plain, text, codec.decode(codec.encode_frames(frames)))


def _f0_errors(codec: SpeechCodec, frames: Frames) -> np.ndarray:
    """Return the F0 errors in semitones where both are voiced."""
    back = codec.frames(codec.encode_frames(frames)).f0[: len(frames)]
    voiced = (frames.f0 > VOICED_HZ) & (back > VOICED_HZ)
    return np.abs(12 * np.log2(back[voiced] / frames.f0[voiced]))
