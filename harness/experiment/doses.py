"""Doses: does a detector fire more often on larger edits, and does an engine make the differences that its markup promises?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.audio import Audio
from harness.errors import HarnessError
from harness.prosody.align import align
from harness.prosody.detectors import DETECTORS
from harness.prosody.edits import EDITS
from harness.prosody.features import ClipFeatures
from harness.prosody.null import Thresholds
from harness.prosody.rates import MEASURED, named, share_of
from harness.prosody.scorer import analyse, difference
from harness.records import Arm, Dose, Outcome, Verdict
from harness.stats import number
from harness.tagged import PAUSES, Tag, TaggedText


def measure_doses(
    audio: Audio, text: TaggedText, slot: int, plain: Sequence[ClipFeatures | str], engine: str, sentence: str
) -> list[Dose]:
    """Apply every dose of every edit to one word of a plain clip, and measure the result as a tagged clip is measured.

    Parameters
    ----------
    audio : Audio
        Plain clip of the sentence.
    text : TaggedText
        Words of the sentence.
    slot : int
        Word to edit; a pause goes before it. The slot after the last word means the last word.
    plain : sequence of ClipFeatures or str
        Plain clips to compare with.
    engine, sentence : str
        Names for the records.

    Returns
    -------
    list of Dose
        `value` is the difference measured by the detector of `Edit.tag`; None if it could not be measured.
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


def dose_response(records: Iterable[Dose], thresholds: Thresholds) -> dict[str, dict[str, Any]]:
    """Return the hit rate at each dose, with its 95 % interval by sentence.

    Returns
    -------
    dict
        For each edit: ``tag``, ``unit``, ``dose`` (list), ``hit``, ``low``, ``high`` (one for each dose), ``n``, ``monotone``
        (whether the hit rate never falls as the dose grows), and the ``threshold`` of the detector in ``threshold_unit``.
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
            hits = [_fires(row, thresholds, edit.tag in PAUSES) for row in here]
            rate = share_of(hits, [row.sentence for row in here])
            for name, value in zip(columns, (dose, rate.value, rate.low, rate.high), strict=True):
                columns[name].append(number(value))
        rates = [rate for rate in columns["hit"] if rate is not None]
        table[edit.name] = {
            "tag": edit.tag.value, "unit": edit.unit, **columns, "n": len({row.sentence for row in mine}),
            "monotone": bool(np.all(np.diff(rates) >= 0)), "threshold": thresholds.typical(edit.tag),
            "threshold_unit": detector.unit,
        }  # fmt: skip
    return table


def _fires(row: Dose, thresholds: Thresholds, pause: bool) -> bool:
    """Return whether the detector fires. A pause of any length counts, because only the dose is under test."""
    assert row.value is not None
    threshold = thresholds.of(row.tag, row.sentence)
    return row.value >= threshold if pause else DETECTORS[row.tag].judge(row.value, threshold) is Verdict.HIT


def compliance(outcomes: Iterable[Outcome], promises: Mapping[Tag, tuple[float, float]]) -> dict[str, dict[str, Any]]:
    """Return how often an engine makes the difference that its markup promises.

    Parameters
    ----------
    outcomes : iterable of Outcome
        Outcomes of one engine.
    promises : mapping from Tag to (float, float)
        The smallest and the largest promised difference; see `harness.engines.dialects.Dialect`.

    Returns
    -------
    dict
        For each tag with a promise and an outcome: ``promised`` (the two limits) in ``unit``, ``in_band`` with ``in_band_low`` and
        ``in_band_high`` (95 % interval by sentence), ``median`` of the measured differences, and ``n``. As in the hit rate, a tag
        that was read aloud counts as outside, and the unmeasurable ones are left out, as are those without a plain clip.
    """
    rows = [o for o in outcomes if o.arm is Arm.TAGGED and o.verdict in MEASURED and o.paired]
    table: dict[str, dict[str, Any]] = {}
    for tag, (low, high) in promises.items():
        mine = [row for row in rows if row.tag is tag]
        if not mine:
            continue
        inside = [row.value is not None and low <= row.value <= high for row in mine]
        values = [row.value for row in mine if row.value is not None]
        table[tag.value] = {
            "promised": [low, high], "unit": DETECTORS[tag].unit,
            **named("in_band", share_of(inside, [row.sentence for row in mine])),
            "median": number(float(np.median(values))) if values else None, "n": len(mine),
        }  # fmt: skip
    return table
