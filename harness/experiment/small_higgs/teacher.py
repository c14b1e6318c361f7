"""The teacher: hibari, which obeys tags, spoken into codes."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np

from harness.datasets import load_examples
from harness.engines.control.hibari import FRAME, HibariControls
from harness.errors import DataError, HarnessError
from harness.experiment.small_higgs.grammar import Grammar, tagged, tagged_versions
from harness.higgs.samples import Sample
from harness.higgs.speech.codec import CODEBOOKS, WEIGHTS, Frames, SpeechCodec, fit_codec, load_speech_codec
from harness.higgs.speech.shards import DEV, SHARD, write_shard
from harness.paths import ROOT
from harness.records import digest
from harness.store import locked, read_json, write_json
from harness.tagged import TaggedText

CODEC = ROOT / "data" / "models" / "hibari-codec"
CLIPS = 500  # in a shard
MARGIN = 8  # frames of 12.5 ms that a clip keeps before and after its sound
QUIET = 38.0  # decibels below the loud frames at which a clip has no sound any more
RECIPE = "teach.json"
Progress = Callable[[int, int], None]


@lru_cache(maxsize=1)
def teacher() -> HibariControls:
    """Return the voice heart of hibari, told what its tags ask for."""
    import hibari

    return HibariControls(hibari.Hibari("heart"), 1.0)


def spoken_frames(text: TaggedText) -> Frames:
    """Return the teacher's frames of a text, without the silence before and after it."""
    frames = teacher().frames(text)
    level = np.log(sum(np.exp(2 * part).sum(axis=0) for part in (frames.harmonic, frames.residual))) / 2
    heard = np.flatnonzero(level > np.percentile(level, 95) - QUIET * np.log(10) / 20)
    return frames.cut(max(0, heard[0] - MARGIN), heard[-1] + 1 + MARGIN)


def teach(
    out: Path,
    count: int,
    *,
    grammar: Grammar | None = None,
    codec: Path = CODEC,
    plain: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> int:
    """Speak random training sentences of a grammar into codes, and return the number of clips in the folder.

    Each file has its own seed, so a run that was stopped goes on where it was, and a larger `count` adds files.

    Parameters
    ----------
    out : Path
        Folder, made if missing.
    count : int
        Number of clips, rounded up to whole files of `CLIPS`.
    grammar : Grammar, optional
    codec : Path
        Folder of the codec.
    plain : bool
        Whether to leave out all tags.
    seed : int
    progress : callable, optional
        Called with the clips done and their total.

    Raises
    ------
    DataError
        If the folder holds clips of another recipe.
    """
    grammar = grammar or Grammar()
    loaded = load_speech_codec(codec)
    recipe = {"grammar": grammar.digest, "codec": digest((codec / WEIGHTS).read_bytes().hex())[:12], "plain": plain, "seed": seed,
              "vocabulary": [*grammar.vocabulary]}  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    shards = -(-count // CLIPS)
    with locked(out, "teacher"):
        if (out / RECIPE).is_file() and read_json(out / RECIPE) != recipe:
            raise DataError("the folder holds clips of another grammar, codec or seed", path=out / RECIPE,
                            remedy="choose another folder")  # fmt: skip
        write_json(out / RECIPE, recipe)
        if not (out / DEV / SHARD.format(0)).is_file():
            (out / DEV).mkdir(exist_ok=True)
            write_shard(out / DEV, 0, _dev_samples(grammar, loaded, plain))
        for number in range(shards):
            if not (out / SHARD.format(number)).is_file():
                write_shard(out, number, _shard(grammar, loaded, plain, f"{seed} {number}"))
            if progress:
                progress((number + 1) * CLIPS, shards * CLIPS)
    return shards * CLIPS


def _shard(grammar: Grammar, codec: SpeechCodec, plain: bool, seed: str) -> list[Sample]:
    rng, samples = random.Random(seed), list[Sample]()
    while len(samples) < CLIPS:
        sentence = grammar.draw(rng)
        text = tagged(sentence, rng)
        if plain:
            text = TaggedText(text.words)
        samples.append(Sample("", text.format(), codec.encode_frames(spoken_frames(text))))
    return samples


def _dev_samples(grammar: Grammar, codec: SpeechCodec, plain: bool) -> list[Sample]:
    """Return the development sentences, plain and with two tags each, for the loss that is watched during training."""
    sentences = grammar.held_out("dev")
    texts = [TaggedText(sentence.words) for sentence in sentences]
    texts += [] if plain else tagged_versions(sentences, 2, grammar.seed)
    return [Sample("", text.format(), codec.encode_frames(spoken_frames(text))) for text in texts]


def fit_to_teacher(out: Path, count: int, seed: int, progress: Progress | None = None) -> Path:
    """Fit the codec to the teacher, and save it.

    Parameters
    ----------
    out : Path
        Folder of the codec.
    count : int
        Number of tagged training sentences of the grammar; the training examples come on top, with and without their tags.
    seed : int
    progress : callable, optional

    Returns
    -------
    Path
        The file of the codebooks.
    """
    grammar, rng = Grammar(), random.Random(seed)
    texts = [tagged(grammar.draw(rng), rng) for _ in range(count)]
    texts += [text for example in load_examples("train") for text in (example.tagged, TaggedText(example.tagged.words))]
    total, clips = len(texts) + CODEBOOKS, list[Frames]()
    for done, text in enumerate(texts, start=1):
        with suppress(HarnessError):  # a pause between two sentences
            clips.append(spoken_frames(text))
        if progress:
            progress(done, total)
    codec = fit_codec(clips, seed, progress=lambda done, _: progress and progress(len(texts) + done, total))
    seconds = sum(map(len, clips)) * FRAME
    return codec.save(out, seed=seed, clips=len(clips), seconds=round(seconds, 1), grammar=grammar.digest)
