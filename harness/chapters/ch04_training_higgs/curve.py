"""How many tagged examples a voice needs, as `harness higgs curve` measured it on the small Higgs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.chapters.ch04_training_higgs.small import CLIPS
from harness.paths import DATA
from harness.publish.html import Html
from harness.publish.style import BLUE, BROWN, GREEN, INK, PURPLE, SKY, VERMILLION, Figure, note, subplots
from harness.publish.tables import interval, table
from harness.store import read_json

RESULT = DATA / "results" / "higgs_curve.json"
Point = Mapping[str, Any]
Line = tuple[str, str, int]
NONE: Line = ("none", "own", 0)
MAIN: Line = ("attention+ffn", "own", 1000)
SHORT: Line = ("attention+ffn", "own", 100)
LONG: Line = ("attention+ffn", "own", 4000)
ATTENTION: Line = ("attention", "own", 1000)
SHIFTED: Line = ("attention+ffn", "shifted", 1000)
# Variant, pairs and steps -> words, colour, sign. The model before any training belongs to all lines.
_LINES = {
    MAIN: ("LoRA on attention and audio FFN", BLUE, "o-"),
    SHORT: ("the same, a tenth of the steps", SKY, "D"),
    LONG: ("the same, four times the steps", BROWN, "v-"),
    SHIFTED: ("the same, clips with the text of another one", VERMILLION, "X"),
    ("attention+ffn+heads", "own", 1000): ("the same, and the audio head", GREEN, "s"),
    ATTENTION: ("LoRA on attention only", PURPLE, "^-."),
}
# Variant -> the parts that get LoRA matrices, or are trained.
_PARTS = {
    "none": "nothing",
    "attention+ffn": "attention, FFN",
    "attention+ffn+heads": "attention, FFN, head",
    "attention": "attention",
}
HACKATHON = 98  # tagged examples that the note had


def curve_result() -> dict[str, Any]:
    """Return the published measurement."""
    return read_json(RESULT)


def _lines(result: Mapping[str, Any]) -> dict[Line, list[Point]]:
    points: Sequence[Point] = sorted(result["points"], key=lambda one: one["examples"])
    return {
        key: [one for one in points if (one["variant"], one["pairs"], one["steps"]) == key] for key in (NONE, *_LINES)
    }


def obedience_by_examples(result: Mapping[str, Any], small: Mapping[str, Any]) -> Figure:
    """Draw tags heard and word errors against the number of tagged examples.

    Parameters
    ----------
    result : mapping
        From `curve_result`.
    small : mapping
        From `.small.small_result`: the model that was trained with tags from the first step, and the teacher.
    """
    lines = _lines(result)
    ((start,),) = (lines.pop(NONE),)
    figure, axes = subplots(1, 2, height=4.2, sharex=True)
    for axis, name, title in zip(axes, ("hits", "wer"), ("Tags realised", "Word error rate"), strict=True):
        for place, (key, points) in enumerate(lines.items()):
            words, colour, sign = _LINES[key]
            if points:
                # A line from no examples would hide that none were tried between.
                few = points[0]["examples"] <= HACKATHON
                shown = [start, *points] if few and len(points) > 1 else points
                _draw(axis, shown, name, 1 + 0.15 * place, fmt=sign, color=colour, label=words)
        for speaker in ("teacher", "model"):
            axis.axhline(
                small[speaker]["obeys"]["hits_of_all"] if name == "hits" else small[speaker]["loop"]["wer"],
                color=INK,
                linewidth=0.8,
            )
        axis.set(xscale="log", title=title, xlabel="tagged examples", ylim=(0, 1.05))
        ticks = sorted({1, *(one["examples"] for points in lines.values() for one in points)})
        axis.set_xticks(
            ticks, ["0" if tick == 1 else f"{tick // 1000}k" if tick >= 1000 else f"{tick}" for tick in ticks]
        )
        axis.minorticks_off()
    note(axes[0], "teacher", (1, small["teacher"]["obeys"]["hits_of_all"]), (0, 6))
    note(axes[0], f"{CLIPS:,} clips, tags from the start", (1, small["model"]["obeys"]["hits_of_all"]), (0, -8))
    for one in lines[MAIN]:
        axes[0].plot([one["examples"]] * one["seeds"], one["hits_of_seeds"], ".", color=BLUE, alpha=0.5)
    _draw(axes[0], [start, *lines[MAIN]], "placebo", 0.9, fmt=":", color=INK, label="placebo")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, handlelength=3)
    said, longer = (
        "; ".join(f"{one['examples']:,} examples {one['hits']:.0%}" for one in lines[key]) for key in (MAIN, LONG)
    )
    return Figure(
        figure,
        "Two line charts against the number of tagged examples. Tags realised by LoRA on attention and audio FFN: "
        f"none {start['hits']:.0%}; {said}. With four times the steps: {longer}.",
        "Error bars: 95 % intervals over sentences, all seeds together; small dots: single seeds. Unmeasurable tags count as failures. "
        "Thin lines: the teacher, and the model that was trained with tags from the start.",
    )


def _draw(axis: Any, points: Sequence[Point], name: str, moved: float, **how: Any) -> None:
    """Draw points with their intervals; no examples are drawn at 1, as the scale is logarithmic, and lines are moved apart."""
    ends = [[one[name] - one[f"{name}_low"] for one in points], [one[f"{name}_high"] - one[name] for one in points]]
    xs, ys = [moved * max(1, one["examples"]) for one in points], [one[name] for one in points]
    axis.errorbar(xs, ys, yerr=ends, linewidth=2, markersize=6, capsize=3, **how)


def curve_table(result: Mapping[str, Any]) -> Html:
    """Return all points with their controls."""
    lines = _lines(result)
    rows = [
        {
            "LoRA on": _PARTS[key[0]] + (", shifted" if key[1] == "shifted" else ""),
            "clips": f"{one['examples']:,}",
            "seeds × steps": f"{one['seeds']} × {one['steps']:,}" if one["steps"] else "–",
            "tags realised": _rate(one, "hits"),
            "placebo": _rate(one, "placebo"),
            "word errors": _rate(one, "wer"),
            "own text likelier": f"{one['own_over_other']:.0%}",
            "text states moved": f"{one['text_change']:.0%}",
        }
        for key, points in lines.items()
        for one in points
    ]
    settings = result["settings"]
    caption = (
        f"{result['sentences']} unseen sentences, each plain and with {settings['tags_each']} tags, one at a time; "
        f"LoRA of rank {settings['rank']}, batches of {settings['batch_size']}; shifted: with the texts of other clips. "
        f"At most {max(one['leaked'] for one in result['points'])} tags of a row were read aloud"
    )
    return table(rows, caption)


def curve_numbers(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the figures that the pages quote."""
    lines = _lines(result)
    start, last = ends_of_curve(result)
    own = {one["examples"]: one for one in lines[MAIN]}
    longer = {one["examples"]: one for one in lines[LONG]}
    shifted, short = (next(one for one in lines[key] if one["examples"] == HACKATHON) for key in (SHIFTED, SHORT))
    return {
        "curve_none": _rate(start, "hits"),
        "curve_98": _rate(own[HACKATHON], "hits"),
        "curve_98_wer": _rate(own[HACKATHON], "wer"),
        "curve_none_wer": _rate(start, "wer"),
        "curve_1000": _rate(own[1000], "hits"),
        "curve_3000": _rate(own[3000], "hits"),
        "curve_1000_attention": _rate(lines[ATTENTION][-1], "hits"),
        "curve_1000_long": _rate(longer[1000], "hits"),
        "curve_3000_long": _rate(longer[3000], "hits"),
        "curve_most": f"{last['examples']:,}",
        "curve_most_hits": _rate(last, "hits"),
        "curve_most_placebo": _rate(last, "placebo"),
        "curve_most_wer": _rate(last, "wer"),
        "curve_98_short": _rate(short, "hits"),
        "curve_98_short_wer": _rate(short, "wer"),
        "curve_shifted": _rate(shifted, "hits"),
        "curve_shifted_wer": _rate(shifted, "wer"),
    }


def ends_of_curve(result: Mapping[str, Any]) -> tuple[Point, Point]:
    """Return the point before any training, and that with the most steps and examples."""
    lines = _lines(result)
    return lines[NONE][0], lines[LONG][-1]


def _rate(row: Point, name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
