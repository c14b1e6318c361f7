"""Tables of chapter 10: the audio score and its controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.prosody.detectors import DETECTORS
from harness.prosody.features import ClipFeatures
from harness.prosody.rates import unlike_chance
from harness.prosody.scorer import UNPAIRED_FLOORS
from harness.publish.html import Html
from harness.publish.tables import interval, rate_of, table
from harness.records import WordTime
from harness.tagged import TAGS, Tag

# The bars that the project set for itself: hits at least, false positives (null, placebo) at most.
BARS: dict[Tag, tuple[float, float, float]] = {
    Tag.EMPH: (0.90, 0.03, 0.05),
    Tag.PAUSE_SHORT: (0.97, 0.02, 0.02),
    Tag.PAUSE_LONG: (0.97, 0.02, 0.02),
    Tag.PITCH_HIGH: (0.95, 0.03, 0.05),
    Tag.PITCH_LOW: (0.95, 0.03, 0.05),
    Tag.PITCH_RISING: (0.75, 0.03, 0.05),
    Tag.PITCH_FALLING: (0.75, 0.03, 0.05),
}
AT_FLOOR = "at the floor only"
MAX_UNMEASURABLE = 0.03  # more than this, and a rate says nothing
_FROM = {"null": "its own null", "floor": "floor (null is lower)", "too few": "floor (too few differences)",
         "not applicable": "floor (repeats itself: no null)"}  # fmt: skip


def feature_table(words: Sequence[WordTime], plain: ClipFeatures, tagged: ClipFeatures, clip: str) -> Html:
    """Return the features of every word of a plain and a tagged clip; `clip` says which tag the latter has."""

    def both(name: str, index: int, digits: int) -> str:
        values = [getattr(clip, name)[index] for clip in (plain, tagged)]
        return " → ".join("–" if not np.isfinite(value) else f"{value:.{digits}f}" for value in values)

    return table(
        [
            {
                "word": word.word,
                "silence before (s)": both("pause", index, 2),
                "length (s)": " → ".join(f"{np.exp(clip.log_duration[index]):.2f}" for clip in (plain, tagged)),
                "level (dB)": both("intensity", index, 1),
                "F0 (st re 100 Hz)": both("f0", index, 1),
                "its end above the lower third of the last 1.5 s (st)": both("final_movement", index, 1),
                "voiced": both("voiced_fraction", index, 2),
            }
            for index, word in enumerate(words)
        ],
        f"Features of each word, plain clip → {clip}; a dash: too little voicing",
    )


def detector_table() -> Html:
    """Return what each detector measures, with its floor and the source of the floor."""
    return table(
        [
            {
                "tag": tag.value,
                "measured": DETECTORS[tag].what,
                "direction": "falls" if DETECTORS[tag].sign < 0 else "rises",
                "floor": f"{DETECTORS[tag].floor:g} {DETECTORS[tag].unit}",
                "source of the floor": DETECTORS[tag].source,
                "without a plain twin": f"{UNPAIRED_FLOORS[tag]:g} {DETECTORS[tag].unit}",
            }
            for tag in TAGS
        ],
        "The detectors",
    )


def null_table(null: Mapping[str, Mapping[str, Any]], engine: str) -> Html:
    """Return the thresholds of an engine, and how often its plain clips exceed them."""
    return table(
        [
            {
                "tag": tag,
                "floor": f"{row['floor']:g} {row['unit']}",
                "threshold": f"{row['threshold']:.2f} {row['unit']}",
                "decided by": _FROM[row["threshold_from"]],
                "fires on plain clips": shown_rate(row, "null"),
                "differences": row["null_n"],
            }
            for tag, row in null.items()
        ],
        f"{engine} against itself",
    )


def control_table(controls: Mapping[str, Mapping[str, Any]]) -> Html:
    """Return the calibration table: hits, false positives, and the bars."""
    missed = [tag for tag, row in controls.items() if shortfalls(tag, row)]
    return table(
        [
            {
                "tag": tag,
                "bars met": _met(shortfalls(tag, row)),
                "told: hit": shown_rate(row, "hit"),
                "told: placebo": shown_rate(row, "placebo"),
                "plain: null": shown_rate(row, "null"),
                "stripped: hit": shown_rate(row, "stripped"),
                "stripped: placebo": shown_rate(row, "stripped_placebo"),
                "unmeasurable": _share(row["unmeasurable"]),
                "bars": asked(Tag(tag)),
                "clips told": row["n"],
                "differences of plain clips": row["null_n"],
            }
            for tag, row in controls.items()
        ],
        f"{len(controls) - len(missed)} of {len(controls)} tags meet all bars; 95 % intervals by sentence",
    )  # fmt: skip


def _met(problems: Sequence[str]) -> str:
    if not problems:
        return "yes"
    return AT_FLOOR if all(problem.startswith(AT_FLOOR) for problem in problems) else "no"


def asked(tag: Tag) -> str:
    """Describe the bars of a tag."""
    hit, null, placebo = BARS[tag]
    return f"hit ≥ {hit:.2f}, null ≤ {null:.2f}, placebo ≤ {placebo:.2f}"


def shortfalls(tag: str, row: Mapping[str, Any]) -> list[str]:
    """Describe the bars that the point estimates of a tag miss; empty if none."""
    hit, null, placebo = BARS[Tag(tag)]
    missed = []
    if row["hit"] is None or row["hit"] < hit:
        missed.append(f"hit {_share(row['hit'])}, below {hit:.2f}")
    elif row["hit_at_null"] is not None and row["hit_at_null"] < hit:
        missed.append(f"{AT_FLOOR}: hit {row['hit_at_null']:.3f} at Piper's threshold, below {hit:.2f}")
    for name, limit in (("null", null), ("placebo", placebo), ("stripped_placebo", placebo)):
        if row[name] is not None and row[name] > limit:
            missed.append(f"{name.replace('_', ' ')} {row[name]:.3f}, above {limit:.2f}")
    if (row["unmeasurable"] or 0) > MAX_UNMEASURABLE:
        missed.append(f"{row['unmeasurable']:.1%} unmeasurable, above {MAX_UNMEASURABLE:.0%}")
    return missed


def stricter_table(controls: Mapping[str, Mapping[str, Any]]) -> Html:
    """Return the hit rates of the same clips at the floor, at the threshold of the voice that varies most, and at 3 semitones."""
    lost = [
        tag for tag, row in controls.items() if row["hit_at_null"] is not None and row["hit_at_null"] < row["hit"] / 2
    ]
    return table(
        [
            {
                "tag": tag,
                "floor": f"{row['floor']:g} {row['unit']}",
                "hit at the floor": shown_rate(row, "hit"),
                "Piper's threshold": f"{row['threshold_at_null']:.2f} {row['unit']}",
                "hit at Piper's threshold": shown_rate(row, "hit_at_null"),
                "hit at 3 st": shown_rate(row, "hit_clear"),
            }
            for tag, row in controls.items()
        ],
        f"Stricter judges of the same clips: at Piper's threshold, {len(lost)} of {len(controls)} tags lose over half of their hits",
    )  # fmt: skip


def shuffled_table(controls: Mapping[str, Any]) -> Html:
    """Return the hit rates with the clips' own labels, and with the labels of other clips."""
    return table(
        [
            {"tag": tag, "own labels": f"{controls['controls'][tag]['hit']:.3f}", "labels of other clips": _share(share)}
            for tag, share in controls["shuffled"].items()
        ],
        "Hit rate if every clip gets another clip's label",
    )  # fmt: skip


def contrast_table(positive: Mapping[str, Mapping[str, Any]], negative: Mapping[str, Mapping[str, Any]]) -> Html:
    """Return the accuracy of naming the tagged word, where tags are obeyed and where they are stripped."""
    unlike = unlike_chance(negative)
    nothing = {"accuracy": None, "low": None, "high": None, "audible": None, "n": 0}
    rows = [
        {
            "tag": tag,
            "told the tags": interval(told["accuracy"], told["low"], told["high"]),
            "and above the floor": _share(told["audible"]),
            "n": told["n"],
            "tags stripped": interval(stripped["accuracy"], stripped["low"], stripped["high"]),
            "above the floor": _share(stripped["audible"]),
            "n stripped": stripped["n"],
            "chance": f"{told['chance']:.2f}",
            "stripped differs from chance": "yes" if tag in unlike else "no",
        }
        for tag, told in positive.items()
        for stripped in [negative.get(tag, nothing)]
    ]
    return table(rows, "Which of three words was tagged?")


def leak_table(leak: Mapping[str, Any]) -> Html:
    """Return how many of the tags that were read aloud were found."""
    found = {tag: _share(share) for tag, share in leak["by_tag"].items()}
    found[f"all {leak['n']}"] = shown_rate(leak, "found")
    found[f"false alarms in {leak['false_alarm_n']}"] = shown_rate(leak, "false_alarm")
    return table([{"tag": tag, "found": share} for tag, share in found.items()], "Tags read aloud")


def unpaired_table(rates: Mapping[str, Mapping[str, Any]]) -> Html:
    """Return the hit rates of the score with and without plain twins."""
    return table(
        [
            {
                "tag": tag,
                "hit, paired": interval(row["paired"], None, None),
                "hit, unpaired": interval(row["hit"], row["low"], row["high"]),
                "fires on plain clips, unpaired": interval(*rate_of(row, "false")),
                "n": row["n"],
            }
            for tag, row in rates.items()
        ],
        "Without a plain twin (exploratory, except for pauses)",
    )


def shown_rate(row: Mapping[str, Any], name: str) -> str:
    """Format a rate of a result row with its interval; see `rate_of`."""
    return interval(*rate_of(row, name), digits=3)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def dose_falls(dose: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Describe the dose curves that do not rise throughout: by how much they fall between neighbouring doses."""
    return [
        f"{edit} by {voice} falls by {-np.diff(curve['hit']).min():.2f} at one step ({curve['n']} clips per dose)"
        for voice, curves in dose.items()
        for edit, curve in curves.items()
        if not curve["monotone"]
    ]
