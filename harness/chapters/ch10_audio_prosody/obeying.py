"""Voices that are made to obey: what each tag asks for, how it sounds, and how often it is heard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from harness.engines import SpeechRequest, make_engine
from harness.engines.control.curves import Span, Track, draw
from harness.engines.control.plan import Phone, Plan, make_plan
from harness.phonemes import phonemes
from harness.publish.html import Html, bare_player, player
from harness.publish.style import GREY, INK, SMALL, VERMILLION, Figure, dot_rows, looks, subplots
from harness.publish.tables import Rate, interval, rate_of, table
from harness.tagged import TAGS, Tag, TaggedText

VOICES: dict[str, tuple[str, dict[str, Any]]] = {
    "espeak": ("espeak", {}), "hibari": ("hibari", {}),
    "piper": ("piper", {"dialect": "controls"}), "obey:piper": ("obey:piper", {}),
}  # fmt: skip
# An imagined voice: seconds of a phone, F0 in Hz, seconds between two frames.
_PHONE, _VOICE_HZ, _FRAME = 0.08, 200.0, 0.005
_QUALITY, _WORDS, _PROMINENCE = "distillmos", "heard_words", "emphases"


# --- what a tag asks for


def planned(text: TaggedText) -> Plan:
    """Return the plan of a text, with the phones that espeak writes for its words."""
    return make_plan(text, [Phone(place, sound) for place, word in enumerate(text.words) for sound in phonemes(word)])


def plan_lines(texts: Mapping[Tag, TaggedText]) -> Figure:
    """Draw what each tag asks for, in a voice that says every phone in the same time and at the same pitch.

    Parameters
    ----------
    texts : mapping of Tag to TaggedText
        The same words with one tag each.
    """
    figure, axes = subplots(len(texts), 1, height=1.15 * len(texts) + 1.2, sharex=True, squeeze=False)
    parts = []
    for axis, (tag, text) in zip(axes.flat, texts.items(), strict=True):
        plan = planned(text)
        spans, words, seconds = _laid_out(plan)
        times = np.arange(0, seconds, _FRAME)
        inside = np.any([(times >= start) & (times <= end) for start, end in words], axis=0)
        asked = draw(plan, spans, Track(times, np.where(inside, _VOICE_HZ, np.nan)))
        axis.plot(times, np.where(inside, asked.semitones, np.nan), color=VERMILLION, linewidth=2)
        axis.plot(times, np.where(inside, asked.decibels, np.nan), color=INK, linewidth=1, linestyle="--")
        axis.axhline(0, color=GREY, linewidth=0.6)
        for word, (start, end) in zip(text.words, words, strict=True):
            axis.axvspan(start, end, color=GREY, alpha=0.18, linewidth=0)
            axis.text((start + end) / 2, -11.3, word, ha="center", fontsize=SMALL)
        axis.set(ylim=(-12, 12), yticks=(-8, 0, 8))
        axis.set_ylabel(tag.bare.replace("_", "\n"), rotation=0, ha="right", va="center", fontsize=SMALL)
        parts.append(
            f"{tag.bare}: F0 {asked.semitones.min():+.1f} to {asked.semitones.max():+.1f} st, level up to "
            f"{asked.decibels.max():+.1f} dB, {sum(plan.silence.values()):.2f} s of silence, {seconds:.2f} s in all"
        )
    axes.flat[-1].set_xlabel("time (s)")
    figure.suptitle("What each tag asks of a voice", x=0.01, ha="left", weight="bold")
    return Figure(
        figure,
        "Planned changes for each tag. " + "; ".join(parts),
        "Red: change of F0 in semitones. Dashed: change of level in dB. Grey bands are words; a longer band or gap is also requested.",
    )


def _laid_out(plan: Plan) -> tuple[list[Span], list[Span], float]:
    """Return the times of phones and of words if every phone lasts as long as the plan asks, and the length of all."""
    spans, words, now = list[Span](), list[Span](), 0.0
    for place in range(len(plan.text.words)):
        now += plan.silence.get(place, 0.0) + (_PHONE / 2 if place else 0.0)
        start = now
        for phone, factor in zip(plan.phones, plan.factors, strict=True):
            if phone.word == place:
                length = 0.0 if phone.mark else _PHONE * factor
                spans.append((now, now + length))
                now += length
        words.append((start, now))
    return spans, words, now + plan.silence.get(len(plan.text.words), 0.0)


# --- how it sounds


def voices_table(texts: Mapping[Tag, TaggedText], voices: Mapping[str, tuple[str, dict[str, Any]]] = VOICES) -> Html:
    """Return a table of players: a row for the plain text and for each tag, a column for each voice."""
    engines = {title: make_engine(name, **options) for title, (name, options) in voices.items()}
    plain = next(iter(texts.values())).stripped()
    rows = {"plain": plain} | {tag.bare: text for tag, text in texts.items()}
    return table(
        [
            {"tag": name} | {
                title: bare_player(engine.speak(SpeechRequest(text)).audio, f"{title}, {name}: {text}")
                for title, engine in engines.items()
            } for name, text in rows.items()
        ],
        f"“{plain.plain}” by {len(engines)} voices, with one tag at a time",
    )  # fmt: skip


def landing_players() -> str:
    """Return three players for the landing page, on one line: a sentence without a tag, and with one by two voices."""
    text = TaggedText.parse("We <emph> guarantee 30% savings.")
    clips = {
        f"espeak, no tag: {text.plain}": ("espeak", text.stripped()),
        f"espeak, a rule-based synthesiser: {text}": ("espeak", text),
        f"hibari, a neural voice that is made to obey: {text}": ("hibari", text),
    }
    return "".join(
        player(make_engine(name).speak(SpeechRequest(said)).audio, label).html for label, (name, said) in clips.items()
    )


# --- how often it is heard


def heard_dots(result: Mapping[str, Any]) -> Figure:
    """Draw for each tag how often the change that each voice makes reaches the detector's floor."""
    engines = result["engines"]
    rows = {
        tag.bare: {title: rate_of(engine["per_tag"][tag.value], "at_floor") for title, engine in engines.items()}
        for tag in TAGS
    }
    series = {title: (title, drawn) for title, drawn in looks(engines).items()}
    figure, axis = subplots(height=0.75 * len(rows) + 1.5)
    dot_rows(axis, rows, series, legend=True)
    axis.set(
        title="How often is the tag heard?", xlabel="share of tags at the detector's floor, 95 % interval by sentence"
    )
    figure.legend(loc="outside lower center", ncols=len(series))
    said = "; ".join(
        f"{tag}: " + ", ".join(f"{title} {interval(*rate)}" for title, rate in rates.items())
        for tag, rates in rows.items()
    )
    (value, voice, tag), *_ = sorted(
        (rate[0], title, tag) for tag, rates in rows.items() for title, rate in rates.items() if rate[0] is not None
    )
    return Figure(
        figure,
        f"Share of tags that reach the floor. {said}.",
        f"Each voice is compared with its own plain readings. Lowest: `{tag}` by {voice}, {value:.2f}.",
    )


def heard_table(result: Mapping[str, Any]) -> Html:
    """Return for each voice and tag the rates at the floor, at 3 semitones, at the voice's own null, at placebos."""
    return table(
        [
            {"tag, voice": f"{Tag(tag).bare}, {title}", "at the floor": rate_of(row, "at_floor"),
             "at 3 st": rate_of(row, "at_3st"),
             "at the voice's null": Rate(row["hit_rate"], row["low"], row["high"]),
             "placebo": Rate(row["false_positive"], row["fp_low"], row["fp_high"]),
             "unmeasurable": f"{row['unmeasurable']} of {row['n']}"}
            for tag, title, row in _rows(result)
        ],
        "Tags heard in voices that were made to obey; 95 % intervals by sentence",
    )  # fmt: skip


def price_of_obeying(result: Mapping[str, Any]) -> Html:
    """Return what three models say about the tagged clips: prominence of the word, quality, recognised words."""
    rows = []
    for tag, title, _ in _rows(result):
        heard = {name: found["per_tag"].get(tag, {}) for name, found in result["engines"][title]["listeners"].items()}
        rows.append(
            {"tag, voice": f"{Tag(tag).bare}, {title}", "rises most (emphases)": rate_of(heard[_PROMINENCE], "rose_most"),
             "chance": f"{heard[_PROMINENCE]['chance']:.2f}" if heard[_PROMINENCE].get("chance") is not None else "–",
             "quality, change": rate_of(heard[_QUALITY], "change"),
             "words recognised, change": rate_of(heard[_WORDS], "change")}
        )  # fmt: skip
    return table(
        rows,
        "Models of listeners. Changes are tagged minus plain: of quality (1 to 5), of the share of words recognised",
    )


def _rows(result: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for tag in TAGS:
        for title, engine in result["engines"].items():
            if tag.value in engine["per_tag"]:
                yield tag.value, title, engine["per_tag"][tag.value]


def codec_model_table(result: Mapping[str, Any], words: int) -> Html:
    """Return how often the small Higgs and its teacher are heard to obey, from `harness higgs evaluate`.

    Parameters
    ----------
    result : mapping
        Fields of the result file.
    words : int
        Number of words that the model knows.
    """
    voices = {"small Higgs": result["model"], "teacher": result["teacher"]}
    rows = [
        {"tag, voice": f"{Tag(tag).bare}, {title}", "n": row["n"], "unmeasurable": row["unmeasurable"],
         "hit rate": interval(row["hit_rate"], row["low"], row["high"]),
         "placebo": interval(row["false_positive"], row["fp_low"], row["fp_high"]), "placebos": row["placebo_n"]}
        for tag in result["model"]["obeys"]["tags"]
        for title, row in ((title, voice["obeys"]["tags"][tag]) for title, voice in voices.items())
    ]  # fmt: skip
    return table(
        rows,
        f"Each tag in {result['sentences']} other sentences, from a closed vocabulary of {words} words, by the detectors' floors; "
        "95 % intervals by sentence",
    )


def obeyed(result: Mapping[str, Any]) -> str:
    """Return a sentence with the lowest rate at the floor of each voice, and its worst placebo."""
    said = []
    for title, engine in result["engines"].items():
        lowest = min(engine["per_tag"].items(), key=lambda item: item[1]["at_floor"])
        worst = max(engine["per_tag"].items(), key=lambda item: item[1]["false_positive"] or 0.0)
        said.append(
            f"{title} {interval(*rate_of(lowest[1], 'at_floor'))} (`{Tag(lowest[0]).bare}`; its highest placebo rate is "
            f"{interval(worst[1]['false_positive'], worst[1]['fp_low'], worst[1]['fp_high'])})"
        )
    return f"The tag that is heard least often in each voice that was made to obey: {'; '.join(said)}."


def heard_range(result: Mapping[str, Any], title: str) -> str:
    """Return the lowest and the highest rate at the floor over the tags of one voice, as "0.93 to 1.00"."""
    rates: Sequence[float] = [row["at_floor"] for row in result["engines"][title]["per_tag"].values()]
    return f"{min(rates):.2f} to {max(rates):.2f}"
