"""The figures of a run as rows of text, for the terminal and for the page of `harness report`, and sentences that say why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.experiment.joint import READINGS
from harness.prosody.detectors import DETECTORS, PAUSE_LONG_SECONDS
from harness.prosody.null import FLOOR, NOT_APPLICABLE, NULL, TOO_FEW
from harness.publish.tables import interval, rate_of
from harness.tagged import PAUSES, Tag

# How a verdict is displayed. The records of pauses say `wrong_direction` too.
WRONG = "wrong way"
_WRONG_PAUSE = {Tag.PAUSE_SHORT: "too long", Tag.PAUSE_LONG: "too short"}
FROM = {NULL: "own plain clips", FLOOR: "floor", TOO_FEW: "floor, too few plain clips", NOT_APPLICABLE: "floor"}
# What a listener judges, by the unit of its judgements.
LISTENED = {"word": "prominence of the tagged word", "clip": "quality of the clips"}
# A hint is given where at least half of the tags, and not just one or two, fail for the same reason.
_DOMINANT, _FEW = 0.5, 3

Rows = list[dict[str, str]]


def wrong_way(tag: str) -> str:
    """Return how the verdict `wrong_direction` of a tag is displayed: a pause is "too long" or "too short"."""
    return _WRONG_PAUSE.get(Tag(tag), WRONG)


def audio_rows(per_tag: Mapping[str, Mapping[str, Any]], *, full: bool = False) -> Rows:
    """Return a row for each tag with counts, the measured median, hit rate and placebo rate.

    Intervals are by sentence, so if some have the same tag more than once, a column gives the number of sentences measured.

    Parameters
    ----------
    per_tag : mapping
        Result of `harness.prosody.rates.per_tag`; rows from before it had a median are shown with a dash.
    full : bool
        Whether to add all verdicts, the threshold, and the hit rate minus the placebo rate.
    """
    several = any(row.get("sentences", row["n"]) < row["n"] - row["unmeasurable"] for row in per_tag.values())
    return [
        {
            "tag": tag,
            "n": str(row["n"]),
            **({"sentences": str(row.get("sentences", "–"))} if several else {}),
            "hit": str(row["hit"]),
            **({"miss": str(row["miss"])} if full else {}),
            WRONG: f"{row['wrong_direction']} {_WRONG_PAUSE.get(Tag(tag), '') if row['wrong_direction'] else ''}".strip(),
            **({"read aloud": str(row["leaked"])} if full else {}),
            "median value": _with_unit(row, "median"),
            **({"threshold": _with_unit(row, "threshold")} if full else {}),
            "hit rate": interval(row["hit_rate"], row["low"], row["high"]),
            "placebo rate": _out_of(row["placebo_n"], row["false_positive"], row["fp_low"], row["fp_high"]),
            **(
                {"hit minus placebo": interval(row.get("above_placebo"), row.get("above_low"), row.get("above_high"))}
                if full
                else {}
            ),
            "unmeasurable": str(row["unmeasurable"]),
            "not expressible": str(row["not_expressible"]),
        }
        for tag, row in per_tag.items()
    ]


def _out_of(n: int, rate: float | None, low: float | None, high: float | None) -> str:
    """Format a rate with the number of cases that it is a share of: 0.02 of 96 [0.00, 0.07]."""
    value, *ends = interval(rate, low, high).split(" [")
    return " [".join([f"{value} of {n}" if n else value, *ends])


def _with_unit(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return "–" if value is None else f"{round(value, 2) + 0.0:.2f} {row['unit']}"


def hints(per_tag: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a sentence for each tag that fails mostly for one reason, with the figures behind it."""
    if unsaid := [tag for tag, row in per_tag.items() if not row["n"] and row["not_expressible"]]:
        yield f"not attempted, because the engine cannot express them: {', '.join(unsaid)}"
    for tag, row in per_tag.items():
        if not row["n"]:
            continue
        failures = {name: row[name] for name in ("miss", "wrong_direction", "leaked", "unmeasurable")}
        name = max(failures, key=failures.__getitem__)
        if failures[name] >= max(_FEW, _DOMINANT * row["n"]):
            yield f"{tag}: {failures[name]} of {row['n']} {_why(Tag(tag), name, row)}"


def _why(tag: Tag, failure: str, row: Mapping[str, Any]) -> str:
    detector = DETECTORS[tag]
    unit = detector.unit
    threshold = row.get("threshold")
    floor = f"{detector.floor if threshold is None else threshold:.2f} {unit}"
    median = f" (median of all: {_with_unit(row, 'median')})" if row.get("median") is not None else ""
    if failure == "unmeasurable":
        reason, count = next(iter(row.get("reasons", {}).items()), ("", 0))
        return "could not be measured" + (f"; most often ({count}): {reason}" if reason else "")
    if failure == "leaked":
        return "were read aloud: the engine spoke the markup instead of obeying it"
    if tag in PAUSES:
        if failure == "miss":
            return f"added less than {floor} of silence{median}"
        if tag is Tag.PAUSE_SHORT:
            return f"added {PAUSE_LONG_SECONDS} s or more, which is a long pause{median}"
        return f"added less than {PAUSE_LONG_SECONDS} s, which is a short pause{median}"
    asked = "rise" if detector.sign > 0 else "fall"
    if failure == "miss":
        return f"changed by less than {floor}; the tag asks for a {asked}{median}"
    return f"changed by {floor} or more in the wrong direction; the tag asks for a {asked}{median}"


def pause_rows(per_tag: Mapping[str, Mapping[str, Any]]) -> Rows:
    """Return for each kind of pause a row at punctuation and one elsewhere; none for a run before these were recorded."""
    return [
        {
            "tag": tag,
            "where": where,
            "n": str(row["n"]),
            "hit": str(row["hit"]),
            "hit rate": interval(row["hit_rate"], row["low"], row["high"]),
            "added": _with_unit({**row, "unit": "s"}, "median"),
            "whole": _with_unit({**row, "unit": "s"}, "median_length"),
            "as asked": str(row["told"]),
        }
        for tag, found in per_tag.items()
        for where, row in found.get("places", {}).items()
    ]


PAUSE_NOTE = (
    "a pause is a hit if it adds the silence to the engine's own plain reading, which may already pause at punctuation; added and "
    "whole: medians of the added and of the whole silence; as asked: clips whose whole silence is as long as the tag asks"
)


def threshold_rows(engine: Mapping[str, Any]) -> Rows:
    """Return thresholds, how often the engine's own plain clips exceed them, and the contrastive score, for each tag spoken.

    There are no rows if the run measured neither.
    """
    null, contrast = engine["null"], engine["contrastive"]
    if not contrast and not any(row["null_n"] for row in null.values()):
        return []
    rows = []
    for tag in engine["per_tag"]:
        spread, found = null.get(tag), contrast.get(tag, {})
        if spread is None:
            continue
        threshold = spread["threshold"]
        rows.append({
            "tag": tag,
            "threshold": "–" if threshold is None else f"{threshold:.2f} {spread['unit']}",
            "from": FROM.get(spread["threshold_from"], spread["threshold_from"]),
            "null rate": _out_of(spread["null_n"], *rate_of(spread, "null")),
            "contrastive": interval(found.get("accuracy"), found.get("low"), found.get("high")),
            "chance": interval(found.get("chance"), None, None),
        })  # fmt: skip
    return rows


def joint_rows(engine: Mapping[str, Any]) -> Rows:
    """Return for each tagger how many reference tags were found, how many of its tags were heard, and the joint rates."""
    return [
        {
            "tagger": name,
            "found": interval(*found["readings"]["recall"]),
            "heard": interval(*found["readings"]["hit rate"]),
            "joint recall": interval(*rate_of(found, "recall")),
            "joint precision": interval(*rate_of(found, "precision")),
            "joint F1": interval(*rate_of(found, "f1")),
        }
        for name, found in engine["end_to_end"].items()
    ]


JOINT_NOTE = (
    "found: reference tags that the tagger placed; heard: hits among its measurable tags; joint recall: reference tags that were "
    "found and heard; joint precision: spoken tags that were right and heard"
)


def reading_rows(engine: Mapping[str, Any]) -> Rows:
    """Return a row for each way to read the percentages of an end-to-end run, with a column for each tagger."""
    return [
        {"reading": reading.words, "of": reading.family}
        | {tagger: interval(*found["readings"].get(name, (None,) * 3)) for tagger, found in engine["end_to_end"].items()}
        for name, reading in READINGS.items()
    ]  # fmt: skip


def covers(engine: Mapping[str, Any]) -> str:
    """Return the tagger whose texts the audio table covers, as part of a sentence."""
    tagger = engine.get("tagger") or next(iter(engine["by_tagger"]), "gold")
    return "texts with the reference tags" if tagger == "gold" else f"texts tagged by {tagger}"


def listener_rows(found: Mapping[str, Any]) -> Rows:
    """Return what one listener judged, as `harness.prosody.listeners.rates` returns it."""
    if found["unit"] == "clip":
        return [
            {"tag": tag, "n": str(row["n"]), **{arm: mean_of(row, arm) for arm in ("tagged", "plain", "change")}}
            for tag, row in (*found["per_tag"].items(), ("all", found["all"]))
        ]
    return [
        {
            "tag": tag,
            "n": str(row["n"]),
            "rose most": interval(*rate_of(row, "rose_most")),
            "chance": interval(row["chance"], None, None),
            "placebo": interval(*rate_of(row, "placebo_rose_most")),
            "rise": mean_of(row, "rise"),
            "unmeas.": str(row["unmeasurable"]),
        }
        for tag, row in found["per_tag"].items()
    ]


def mean_of(row: Mapping[str, Any], name: str) -> str:
    """Format a mean with its interval, without a negative zero."""
    value, low, high = (figure if figure is None else round(figure, 2) + 0.0 for figure in rate_of(row, name))
    return interval(value, low, high)


def difference_rows(other: Mapping[str, Any]) -> Rows:
    """Return a row for each tag, and one for all, of one comparison of `harness.experiment.compare.compare_runs`."""
    rows = []
    for tag, row in (*other["per_tag"].items(), ("all", other["all"])):
        median = row["value_difference"]
        rows.append({
            "tag": tag,
            "pairs": str(row["n"]),
            "baseline": interval(row["baseline"], row["baseline_low"], row["baseline_high"]),
            "other": interval(row["other"], row["other_low"], row["other_high"]),
            "difference": _difference(row),
            "p": "–" if row["p_holm"] is None else f"{row['p_holm']:.2g}",
            "placebo": _difference(row["placebo"]),
            "hits - placebo": _difference(row["above_placebo"]),
            "value": "–" if median is None else f"{round(median, 2) + 0:.2f} {row['unit']}",
        })  # fmt: skip
    return rows


def _difference(row: Mapping[str, Any]) -> str:
    return interval(row["difference"], row["low"], row["high"]) + (" *" if row.get("marked") else "")
