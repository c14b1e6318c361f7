"""Detectors, listeners and labels of chapter 10: do the rules agree with people, and with models of people?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.experiment.spec import NEGATIVE, POSITIVE, EngineSpec
from harness.prosody.validation.results import Area, ValidationResult
from harness.publish.html import Html
from harness.publish.style import (
    BLUE,
    BROWN,
    GREEN,
    GREY,
    PURPLE,
    VERMILLION,
    Figure,
    Look,
    dot_rows,
    look,
    looks,
    subplots,
)
from harness.publish.tables import Rate, interval, rate_of, table
from harness.tagged import TAGS, Tag

WORDS, CLIPS = "emphases", "distillmos"  # the listeners of the control run, which judge words and clips
CUES = {
    "emphasis": ("emphasis rule", Look(VERMILLION, "o")), "pitch_level": ("pitch of the word", Look(BLUE, "s")),
    "pitch_end": ("contour rule", Look(GREEN, "D")), "pause": ("pause rule", Look(BROWN, "P")),
    "duration": ("length alone (baseline)", Look(GREY, "X")), WORDS: ("emphases (a listener)", Look(PURPLE, "^")),
}  # fmt: skip
ACCENTS = "accented word (Dutch)"
ROWS = {  # set, contrast -> what is told from what
    ("todi", "accent"): ACCENTS,
    ("todi", "accent H*L"): "falling accent H*L",
    ("todi", "accent !H*L"): "lowered accent !H*L",
    ("emphassess", "accent"): "acted emphasis (English)",
    ("todi", "H% v. L%"): "rising v. low end (Dutch)",
    ("todi", "boundary inside"): "phrase boundary (Dutch)",
}


# --- labels of real recordings


def areas(published: Mapping[str, ValidationResult], name: str, contrast: str) -> dict[str, Area]:
    """Return the AUC of each cue for one contrast of a set."""
    return {row.cue: row for row in published[name].auc if row.contrast == contrast}


def shown_area(row: Area) -> str:
    """Format an AUC with its interval."""
    return interval(row.auc, row.low, row.high)


def auc_dots(published: Mapping[str, ValidationResult]) -> Figure:
    """Draw how well each cue tells labelled words of real recordings from the others."""
    found = {label: areas(published, *key) for key, label in ROWS.items()}
    rows = {
        f"{label}\n{_counts(cues)}": {cue: Rate(row.auc, row.low, row.high) for cue, row in cues.items()}
        for label, cues in found.items()
    }
    figure, axis = subplots(height=0.85 * len(rows) + 1.5)
    dot_rows(axis, rows, CUES, spread=0.8, legend=True)
    axis.axvline(0.5, color=GREY, linestyle="--", linewidth=1)
    axis.set(
        title="Do the scores rank words as people label them?", xlabel="AUC, 95 % interval by recording; dashed: chance"
    )
    figure.legend(loc="outside lower center", ncols=3)
    said = {
        label: "; ".join(f"{CUES[cue][0]} {shown_area(row)}" for cue, row in cues.items())
        for label, cues in found.items()
    }
    known = [(row.auc, label, cue) for label, cues in found.items() for cue, row in cues.items() if row.auc is not None]
    area, where, cue = min(known)
    return Figure(
        figure,
        "Area under the ROC curve of each cue. " + ". ".join(f"{label}: {text}" for label, text in said.items()),
        f"In brackets: words with the label, and words without it. {ACCENTS}: {said[ACCENTS]}. "
        f"Lowest of all: {CUES[cue][0]}, {where}, {area:.2f}.",
    )


def _counts(cues: Mapping[str, Area]) -> str:
    first = next(iter(cues.values()))
    return f"({first.positive} / {first.negative})"


def top_table(published: Mapping[str, ValidationResult]) -> Html:
    """Return how often the highest word of a recording is one that people labelled."""
    return table(
        [
            {"cue": CUES[row.cue][0], "set": name, "highest word is labelled": Rate(row.rate, row.low, row.high),
             "of": f"{row.hits} of {row.recordings}", "chance": "–" if row.chance is None else f"{row.chance:.2f}"}
            for name, result in published.items() for row in result.top1
        ],
        "The highest word of each recording, 95 % intervals by recording",
    )  # fmt: skip


# --- models of listeners, in the control run


def judged(controls: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield title, role and figures of each voice of the control run that obeys the tags, or is not told them."""
    for fields in controls["provenance"]["parameters"]["engines"]:
        spec = EngineSpec.model_validate(fields)
        if spec.role in (POSITIVE, NEGATIVE):
            yield spec.title, spec.role, controls["engines"][spec.title]


def shuffled(per_tag: Mapping[str, Mapping[str, Any]], tag: str) -> float | None:
    """Return how often the word rises most if a clip has another tag: the mean over the other tags, by clip."""
    others = [row for name, row in per_tag.items() if name != tag and row["n"]]
    clips = sum(row["n"] for row in others)
    return sum(row["rose_most"] * row["n"] for row in others) / clips if others else None


def _arms(engine: Mapping[str, Any], tag: str) -> dict[str, Rate]:
    """Return the rates of detector and listener for one tag of one voice: at the tag, elsewhere, and with shuffled labels."""
    detected, heard = engine["per_tag"][tag], engine["listeners"][WORDS]["per_tag"]
    return {
        "detector": Rate(detected["hit_rate"], detected["low"], detected["high"]),
        "detector, elsewhere": rate_of({"x": detected["false_positive"], "x_low": detected["fp_low"], "x_high": detected["fp_high"]}, "x"),
        "listener": rate_of(heard[tag], "rose_most"),
        "listener, elsewhere": rate_of(heard[tag], "placebo_rose_most"),
        "listener, shuffled": Rate(shuffled(heard, tag)),
        "chance": Rate(heard[tag]["chance"]),
    }  # fmt: skip


_SERIES = {
    "detector": ("detector fires", look("tagged")), "detector, elsewhere": ("detector, wrong word", look("placebo")),
    "listener": ("listener: rose most", Look(PURPLE, "^")), "listener, elsewhere": ("listener, wrong word", Look(BLUE, "v")),
    "listener, shuffled": ("listener, another tag", Look(BROWN, "D")), "chance": ("chance of the listener", Look(GREY, "<")),
}  # fmt: skip
_TOLD = {POSITIVE: "told", NEGATIVE: "not told"}


def listener_dots(controls: Mapping[str, Any], tag: Tag = Tag.EMPH) -> Figure:
    """Draw detector and listener side by side for each voice, at the tag's word and at a wrong one."""
    arms = {f"{title}\n({_TOLD[role]})": _arms(engine, tag.value) for title, role, engine in judged(controls)}
    figure, axis = subplots(height=0.95 * len(arms) + 1.5)
    dot_rows(axis, arms, _SERIES, spread=0.85, legend=True)
    axis.set(
        title=f"{tag.bare}: what the detector finds, and what a listener hears", xlabel="share of clips, 95 % interval"
    )
    figure.legend(loc="outside lower center", ncols=3)
    said = {
        name.replace("\n", " "): {arm: interval(*rate) for arm, rate in rates.items() if rate.value is not None}
        for name, rates in arms.items()
    }
    return Figure(
        figure,
        "Share of clips in which the detector fires, and in which the word rose most to the listener. "
        + "; ".join(
            f"{name}: " + ", ".join(f"{_SERIES[arm][0]} {rate}" for arm, rate in rates.items())
            for name, rates in said.items()
        ),
        "; ".join(
            f"{name}: detector {rates.get('detector', '–')}, listener {rates.get('listener', '–')}"
            for name, rates in said.items()
        )
        + ".",
    )


def listener_table(controls: Mapping[str, Any]) -> Html:
    """Return how often the word of each tag rose most to the listener, by voice."""
    voices = [(title, engine["listeners"][WORDS]["per_tag"]) for title, _, engine in judged(controls)]
    return table(
        [
            {"tag": tag.value} | {title: rate_of(heard.get(tag.value, {}), "rose_most") for title, heard in voices}
            for tag in TAGS
        ],
        "Share of clips in which the word of the tag rose most to the listener",
    )


def price_table(controls: Mapping[str, Any]) -> Html:
    """Return which of three words the listener names, and what obeying costs in judged quality, by voice."""
    emph = Tag.EMPH.value
    rows = []
    for title, role, engine in judged(controls):
        heard, quality = engine["listeners"][WORDS], engine["listeners"][CLIPS]["all"]
        named = heard["contrastive"].get(emph, {"accuracy": None, "low": None, "high": None})
        rows.append(
            {"voice": f"{title}, {_TOLD[role]}", "names the word out of three": Rate(named["accuracy"], named["low"], named["high"]),
             "quality, plain": rate_of(quality, "plain"), "quality, tagged": rate_of(quality, "tagged"),
             "change": rate_of(quality, "change"), "clips": quality["paired"]}
        )  # fmt: skip
    return table(rows, "emph named by the listener, and the judged quality of the clips (1 to 5)",
                 digits={"change": 3})  # fmt: skip


# --- what the markup promises


def promise_dots(controls: Mapping[str, Any]) -> Figure:
    """Draw the difference that the markup promises for each tag, and the median that each voice makes."""
    voices = {title: engine["compliance"] for title, _, engine in judged(controls) if engine["compliance"]}
    promises = {tag: row for rows in voices.values() for tag, row in rows.items()}
    units = list(dict.fromkeys(row["unit"] for row in promises.values()))
    figure, axes = subplots(1, len(units), height=3.4, squeeze=False)
    drawn, step = looks(voices), 0.5 / len(voices)
    for axis, unit in zip(axes.flat, units, strict=True):
        here = [tag for tag, row in promises.items() if row["unit"] == unit]
        for y, tag in enumerate(here):
            axis.fill_betweenx([y - 0.35, y + 0.35], *promises[tag]["promised"], color=GREY, alpha=0.3, linewidth=0)
        for number, (title, rows) in enumerate(voices.items()):
            places = [y + step * ((len(voices) - 1) / 2 - number) for y in range(len(here))]
            axis.plot(
                [rows[tag]["median"] for tag in here],
                places,
                drawn[title].marker,
                color=drawn[title].colour,
                label=title,
            )
        axis.set_yticks(range(len(here)), [tag.strip("<>") for tag in here])
        axis.set(xlabel=f"tagged minus plain ({unit})", ylim=(-0.6, len(here) - 0.4))
    figure.suptitle("What the markup promises, and what the voices do", x=0.01, ha="left", weight="bold")
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    inside = [(row["in_band"], tag, title) for title, rows in voices.items() for tag, row in rows.items()]
    (low, worst, one), (high, best, other) = min(inside), max(inside)
    said = [
        f"{tag} promised {row['promised'][0]:g} to {row['promised'][1]:g} {row['unit']}, "
        + ", ".join(f"{title} {rows[tag]['median']:.2f}" for title, rows in voices.items())
        for tag, row in promises.items()
    ]
    return Figure(
        figure,
        f"Promised differences and medians. {'; '.join(said)}.",
        f"Grey: the promise. A mark is the median of one voice. The promise is kept least often for `{worst}` by {one}, in {low:.2f} of "
        f"the clips, and most often for `{best}` by {other}, in {high:.2f}.",
    )


def promise_table(controls: Mapping[str, Any]) -> Html:
    """Return how often each voice makes the difference that its markup promises."""
    return table(
        [
            {"tag": f"{tag}, {title}", "promised": f"{row['promised'][0]:g} to {row['promised'][1]:g} {row['unit']}",
             "median": f"{row['median']:.2f} {row['unit']}", "inside the promise": rate_of(row, "in_band"),
             "hit": Rate(*(engine["per_tag"][tag][name] for name in ("hit_rate", "low", "high"))), "n": row["n"]}
            for tag in (tag.value for tag in TAGS)
            for title, _, engine in judged(controls) if (row := engine["compliance"].get(tag))
        ],
        "A hit does not mean a kept promise, 95 % intervals by sentence",
    )  # fmt: skip
