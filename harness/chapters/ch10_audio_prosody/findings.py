"""What chapter 10 found, in sentences that the control run, the validation and the page's own run decide."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from harness.chapters.ch10_audio_prosody.obeying import heard_range, obeyed
from harness.chapters.ch10_audio_prosody.people import WORDS, areas, judged, shown_area
from harness.chapters.ch10_audio_prosody.tables import dose_falls, shortfalls, shown_rate
from harness.experiment.spec import POSITIVE
from harness.prosody.rates import reasons, unlike_chance
from harness.prosody.validation.results import ValidationResult
from harness.publish.tables import interval, rate_of
from harness.records import Outcome
from harness.tagged import Tag

_WORST = 3  # confusions that are named


def findings(
    controls: Mapping[str, Any],
    published: Mapping[str, ValidationResult],
    obey: Mapping[str, Any],
    outcomes: Iterable[Outcome],
) -> dict[str, str]:
    """Return the sentences of "What we found" by name.

    Parameters
    ----------
    controls : mapping
        Fields of the control run's result file.
    published : mapping
        Results of the validation by set.
    obey : mapping
        Fields of the result file of the voices that were made to obey.
    outcomes : iterable of Outcome
        Outcomes of the page's own run, whose unmeasurable tags are counted.
    """
    rows = controls["controls"]
    return {
        "rates": _rates(rows),
        "bars": _bars(rows),
        "leaks": _leaks(controls),
        "doses": _doses(controls["dose"]),
        "stricter": _stricter(rows),
        "guessing": _guessing(controls["contrastive"]["negative"]),
        "crossed": _crossed(controls["confusion"]),
        "promises": _promises(controls),
        "labels": _labels(published),
        "listener": _listener(controls),
        "obeyed": obeyed(obey),
        "unmeasured": "; ".join(f"{count} x {why}" for why, count in reasons(outcomes).items()) or "none",
    }


def numbers(
    controls: Mapping[str, Any], obey: Mapping[str, Any], summary: Mapping[str, Any], name: str
) -> dict[str, Any]:
    """Return the figures that other pages quote: of both long runs, and of the page's own run with engine `name`."""
    made, leak = controls["provenance"]["counts"], controls["leak"]
    per_tag = summary["engines"][name]["per_tag"]
    worst = max(per_tag.values(), key=lambda row: row["false_positive"] or 0)
    counted = {
        key: sum(row[key] for row in per_tag.values()) for key in ("hit", "leaked", "unmeasurable", "not_expressible")
    }
    return {
        "engine": name, "sentences": summary["sentences"], "hits": counted["hit"], "leaked": counted["leaked"],
        "tags_measured": sum(row["n"] - row["unmeasurable"] for row in per_tag.values()),
        "unmeasurable": counted["unmeasurable"], "not_expressible": counted["not_expressible"],
        "worst_placebo": interval(worst["false_positive"], worst["fp_low"], worst["fp_high"]),
        "control_clips": made["clips"], "control_minutes": round(made["seconds"] / 60),
        "leak_found": interval(*rate_of(leak, "found")),
        "bars_missed": sum(bool(shortfalls(tag, row)) for tag, row in controls["controls"].items()),
        **{f"obey_{re.sub(r'[^a-z]+', '_', title)}": heard_range(obey, title) for title in obey["engines"]},
    } | {
        f"{Tag(tag).bare}_{short}": shown_rate(row, field)
        for tag, row in controls["controls"].items() for short, field in (("at_null", "hit_at_null"), ("null", "null"))
    }  # fmt: skip


def _rates(rows: Mapping[str, Any]) -> str:
    def extreme(choose: Callable[..., str], field: str) -> str:
        tag = choose(rows, key=lambda tag: rows[tag][field] or 0.0)
        return f"`{tag}`, {shown_rate(rows[tag], field)}"

    return (
        f"When espeak gets a tag, the detector fires least often for {extreme(min, 'hit')}. "
        f"Between two plain clips of the voice that varies most, it fires most often for {extreme(max, 'null')}; "
        f"when that voice gets no tags, for {extreme(max, 'stripped')}."
    )


def _bars(rows: Mapping[str, Any]) -> str:
    missed = {tag: problems for tag, row in rows.items() if (problems := shortfalls(tag, row))}
    if not missed:
        return (
            "Every bar is met: espeak's hit rates at the floors and at Piper's thresholds, and Piper's false positives."
        )
    named = "; ".join(f"`{tag}` ({', '.join(problems)})" for tag, problems in missed.items())
    return f"{len(rows) - len(missed)} of {len(rows)} tags meet every bar. The others: {named}."


def _leaks(controls: Mapping[str, Any]) -> str:
    leak = controls["leak"]
    told = [row for _, role, engine in judged(controls) if role == POSITIVE for row in engine["per_tag"].values()]
    found, false = shown_rate(leak, "found"), shown_rate(leak, "false_alarm")
    espeak, clips = sum(row["leaked"] for row in told), sum(row["n"] for row in told)
    return (
        f"Tags read aloud: the leak check finds {found} of {leak['n']}. It raises a false alarm in {false} of {leak['false_alarm_n']} "
        f"clips of voices that did not get the tags, and in {espeak} of {clips} espeak clips. The latter count as failures above."
    )


def _doses(dose: Mapping[str, Any]) -> str:
    falls = dose_falls(dose)
    return (
        f"The dose-response curves rise, with these exceptions: {'; '.join(falls)}."
        if falls
        else "Every dose-response curve rises."
    )


def _stricter(rows: Mapping[str, Any]) -> str:
    def fewer(field: str) -> str:
        kept = [f"`{tag}`" for tag, row in rows.items() if row[field] is not None and row[field] < row["hit"] / 2]
        return ", ".join(kept) or "no tag"

    return (
        f"With Piper's thresholds in place of the floors, fewer than half of espeak's hits remain for: {fewer('hit_at_null')}. "
        f"At 3 semitones, this is so for: {fewer('hit_clear')}."
    )


def _guessing(negative: Mapping[str, Any]) -> str:
    unlike = ", ".join(f"`{tag}`" for tag in unlike_chance(negative))
    if unlike:
        return f"With the tags stripped, these tags differ from guessing: {unlike} (corrected for seven tags)."
    return "With the tags stripped, no tag's word was shown to differ from the other two (corrected for seven tags)."


def _crossed(confusion: Mapping[str, Mapping[str, float | None]]) -> str:
    shares = [
        (share, asked, heard)
        for asked, row in confusion.items()
        for heard, share in row.items()
        if asked != heard and share
    ]
    named = "; ".join(
        f"`{asked}` as `{heard}`: {share:.2f}" for share, asked, heard in sorted(shares, reverse=True)[:_WORST]
    )
    return f"The worst confusions, as the share of clips in which one tag is detected as another: {named}."


def _promises(controls: Mapping[str, Any]) -> str:
    kept: dict[str, list[float]] = {}
    for _, _, engine in judged(controls):
        for tag, row in engine["compliance"].items():
            kept.setdefault(tag, []).append(row["in_band"])
    named = "; ".join(f"`{tag}` {min(shares):.2f} to {max(shares):.2f}" for tag, shares in kept.items())
    return f"Share of clips in which espeak does what its markup promises, lowest and highest of the voices: {named}."


def _labels(published: Mapping[str, ValidationResult]) -> str:
    accents = {cue: shown_area(row) for cue, row in areas(published, "todi", "accent").items()}
    ends = {cue: shown_area(row) for cue, row in areas(published, "todi", "H% v. L%").items()}
    return (
        f"Recorded Dutch speech with experts' labels: for accented words, the emphasis rule has an AUC of {accents['emphasis']}, "
        f"the listener `{WORDS}` {accents[WORDS]}, and the length of the word alone {accents['duration']}. "
        f"For rising against low ends, the contour rule has {ends['pitch_end']}."
    )


def _listener(controls: Mapping[str, Any]) -> str:
    said = []
    for title, _, engine in judged(controls):
        row = engine["listeners"][WORDS]["per_tag"][Tag.EMPH.value]
        said.append(f"{title} {interval(*rate_of(row, 'rose_most'))}")
    chance = row["chance"]
    return f"The word of `<emph>` rose most to the listener in this share of clips: {'; '.join(said)}. Chance is about {chance:.2f}."
