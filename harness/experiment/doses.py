"""Dose-response: plain clips with known edits, and how often the detector answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from harness.audio import Audio
from harness.errors import HarnessError
from harness.prosody.align import align
from harness.prosody.detectors import DETECTORS
from harness.prosody.edits import EDITS
from harness.prosody.features import ClipFeatures
from harness.prosody.null import Thresholds
from harness.prosody.scorer import analyse, difference
from harness.records import Dose, Verdict
from harness.stats import ClusterBootstrap, number, ratio
from harness.tagged import PAUSES, TaggedText


def measure_doses(
    audio: Audio, text: TaggedText, slot: int, plain: Sequence[ClipFeatures | str], engine: str, sentence: str
) -> list[Dose]:
    """Edit one word of a plain clip by every dose of every edit, and measure it as a tagged clip would be.

    Parameters
    ----------
    audio : Audio
        A plain clip of the sentence.
    text : TaggedText
    slot : int
        The word to edit; a pause goes before it. Behind the last word: the last word.
    plain : sequence of ClipFeatures or str
        The plain clips to compare with.
    engine, sentence : str
        Names for the records.

    Returns
    -------
    list of Dose
        The value is the difference that the detector of `Edit.tag` measures, None where it cannot.
    """
    slot = min(slot, len(text.words) - 1)
    usable = [clip for clip in plain if not isinstance(clip, str)]
    try:
        word = align(audio, text.words)[slot]
    except HarnessError:
        return []
    doses = []
    for edit in EDITS:
        for dose in edit.doses:
            features = analyse(edit.apply(audio, word, dose), text)
            value = float("nan")
            if usable and not isinstance(features, str):
                asked = TaggedText(text.words, [(slot, edit.tag)])
                value = difference(DETECTORS[edit.tag].cue, asked, features, usable, slot)
            doses.append(
                Dose(engine=engine, sentence=sentence, edit=edit.name, dose=dose, tag=edit.tag,
                     value=round(value, 4) if np.isfinite(value) else None)
            )  # fmt: skip
    return doses


def dose_response(records: Iterable[Dose], thresholds: Thresholds, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Return the hit rate at each dose, with its 95 % interval by sentence.

    Returns
    -------
    dict
        For each edit: ``tag``, ``unit``, ``dose`` (list), ``hit``, ``low``, ``high`` (one for each dose), ``n``, ``monotone``
        (whether no larger dose is answered less often), and ``threshold`` of the detector, in its own unit.
    """
    rows = list(records)
    table: dict[str, dict[str, Any]] = {}
    for edit in EDITS:
        mine = [row for row in rows if row.edit == edit.name and row.value is not None]
        if not mine:
            continue
        detector = DETECTORS[edit.tag]
        columns: dict[str, list] = {"dose": [], "hit": [], "low": [], "high": []}
        for dose in edit.doses:
            here = [row for row in mine if row.dose == dose]
            hits = [_answers(row, thresholds, edit.tag in PAUSES) for row in here]
            rate = ClusterBootstrap([row.sentence for row in here], np.array([[hit, 1] for hit in hits], dtype=float).reshape(-1, 2),
                                    seed=seed).interval(lambda total: ratio(total[..., 0], total[..., 1]))  # fmt: skip
            for name, value in zip(columns, (dose, rate.value, rate.low, rate.high), strict=True):
                columns[name].append(number(value))
        rates = [rate for rate in columns["hit"] if rate is not None]
        table[edit.name] = {
            "tag": edit.tag.value, "unit": edit.unit, **columns, "n": len({row.sentence for row in mine}),
            "monotone": bool(np.all(np.diff(rates) >= 0)), "threshold": thresholds.typical(edit.tag),
            "threshold_unit": detector.unit,
        }  # fmt: skip
    return table


def _answers(row: Dose, thresholds: Thresholds, pause: bool) -> bool:
    """Whether the detector fires. A pause of any length counts: the dose is in doubt here, not its name."""
    assert row.value is not None
    threshold = thresholds.of(row.tag, row.sentence)
    return row.value >= threshold if pause else DETECTORS[row.tag].judge(row.value, threshold) is Verdict.HIT
