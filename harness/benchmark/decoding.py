"""Compare three ways of decoding one model: F1, text preservation, and sentences per second."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from harness.benchmark.examples import report, timed
from harness.records import Example
from harness.tagged import TaggedText
from harness.taggers.gpt2.tagger import DECODINGS, Gpt2Tagger

BATCH_SIZES = (1, 32)


def compare_decodings(
    folder: Path, examples: Sequence[Example], batch_sizes: Sequence[int] = BATCH_SIZES, *, sentences_at_one: int = 16
) -> list[dict]:
    """Decode the same sentences in each of the three ways.

    Parameters
    ----------
    folder : Path
        Folder of a tagger trained with ``objective="both"``.
    examples : sequence of Example
        Examples that the tagger was not trained on.
    batch_sizes : sequence of int
        Numbers of sentences decoded at the same time when the speed is measured.
    sentences_at_one : int
        Number of sentences that are timed at batch size 1, which is slow.

    Returns
    -------
    list of dict
        For each decoding ``f1`` with its interval, ``text_preserved`` and ``sentences_per_second`` by batch size.
    """
    plain = [example.tagged.stripped() for example in examples]
    rows = []
    for decoding in DECODINGS:
        speeds = {}
        for size in batch_sizes:
            tagger = Gpt2Tagger(adapter=folder, decoding=decoding, batch_size=size)
            if size == 1:
                shown = plain[:sentences_at_one]
                tagger.tag(shown[:1])
                speeds[size] = _one_by_one(tagger, shown)
            else:
                tagged, speeds[size] = timed(tagger, plain)
        scores = report(examples, tagged)
        rows.append(
            {
                "decoding": decoding,
                **{name: scores["micro"][name] for name in ("f1", "f1_low", "f1_high")},
                "text_preserved": scores["text_preserved"],
                "sentences_per_second": {str(size): round(speed, 2) for size, speed in speeds.items()},
            }
        )
    return rows


def _one_by_one(tagger: Gpt2Tagger, texts: Sequence[TaggedText]) -> float:
    """Return the sentences per second when each sentence is tagged separately."""
    begun = time.perf_counter()
    for text in texts:
        tagger.tag([text])
    return len(texts) / (time.perf_counter() - begun)
