"""Compare three ways of decoding one model: F1, text preservation, and sentences per second."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from harness.benchmark.examples import report, timed
from harness.records import Example
from harness.tagged import TaggedText
from harness.taggers.gpt2.tagger import DECODINGS, Gpt2Tagger

BATCH = 32  # number of sentences decoded at the same time
SENTENCES_ALONE = 16  # number of sentences that are also decoded one at a time, which is slow


def compare_decodings(folder: Path, examples: Sequence[Example]) -> list[dict]:
    """Decode the same sentences in each of the three ways.

    Parameters
    ----------
    folder : Path
        Folder of a tagger trained with ``objective="both"``.
    examples : sequence of Example
        Examples that the tagger was not trained on.

    Returns
    -------
    list of dict
        For each decoding ``f1`` with its interval, ``text_preserved`` and ``sentences_per_second`` by batch size.
    """
    plain = [example.tagged.stripped() for example in examples]
    rows = []
    for decoding in DECODINGS:
        alone = _speed_alone(Gpt2Tagger(adapter=folder, decoding=decoding, batch_size=1), plain[:SENTENCES_ALONE])
        tagged, speed = timed(Gpt2Tagger(adapter=folder, decoding=decoding, batch_size=BATCH), plain)
        scores = report(examples, tagged)
        rows.append(
            {
                "decoding": decoding,
                **{name: scores["micro"][name] for name in ("f1", "f1_low", "f1_high")},
                "text_preserved": scores["text_preserved"],
                "sentences_per_second": {"1": round(alone, 2), str(BATCH): round(speed, 2)},
            }
        )
    return rows


def _speed_alone(tagger: Gpt2Tagger, texts: Sequence[TaggedText]) -> float:
    """Return the sentences per second when each sentence is tagged separately, after a first one for loading."""
    tagger.tag(texts[:1])
    begun = time.perf_counter()
    for text in texts:
        tagger.tag([text])
    return len(texts) / (time.perf_counter() - begun)
