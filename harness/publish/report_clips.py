"""The clips of a report: for each tag a hit, a miss and a wrong direction, with F0 and the times of the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path

import numpy as np

from harness.audio import read_audio
from harness.errors import HarnessError
from harness.experiment.sentences import sentence_of
from harness.listening.kit import clip_file
from harness.prosody.align import align
from harness.prosody.features import ClipFeatures, measure
from harness.publish.blocks import Block, heading, paragraph
from harness.publish.clip_figures import clip_f0
from harness.publish.html import player
from harness.publish.run_tables import wrong_way
from harness.publish.tables import table
from harness.records import Arm, Clip, Outcome, Verdict, WordTime
from harness.tagged import TAGS, Tag, TaggedText

SHOWN = (Verdict.HIT, Verdict.MISS, Verdict.WRONG_DIRECTION)
LONGEST = 30.0  # seconds: a longer clip would take most of the page's size


def choose(outcomes: Sequence[Outcome]) -> dict[Tag, list[Outcome]]:
    """Return for each tag the median hit, the median miss and the median wrong direction, as far as there are any.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Outcomes of one engine with one tagger.
    """
    chosen: dict[Tag, list[Outcome]] = {}
    for tag in TAGS:
        for verdict in SHOWN:
            known = [
                (o.value, o.key, o) for o in outcomes
                if o.tag is tag and o.verdict is verdict and o.arm is Arm.TAGGED and o.value is not None
            ]  # fmt: skip
            if known:
                chosen.setdefault(tag, []).append(sorted(known, key=lambda one: one[:2])[(len(known) - 1) // 2][2])
    return chosen


def clip_blocks(
    folder: Path, outcomes: Sequence[Outcome], clips: Sequence[Clip], where: str, budget: int
) -> list[Block]:
    """Return a heading for each tag, and below it players, figures and word times.

    Parameters
    ----------
    folder : Path
        Run folder.
    outcomes : sequence of Outcome
        Outcomes of one engine with one tagger.
    clips : sequence of Clip
    where : str
        Name of run and engine, for labels that differ on the whole page.
    budget : int
        Size of all clips in characters. What does not fit is left out and counted.
    """
    by_place = {(c.engine, c.tagger, c.sentence, c.arm): c for c in clips if c.seconds <= LONGEST}
    chosen = choose(outcomes)
    # The first clip of every tag comes before the second of any, so that none is left out for another's third.
    order = sorted(((rank, TAGS.index(tag), o) for tag, found in chosen.items() for rank, o in enumerate(found)),
                   key=lambda one: one[:2])  # fmt: skip
    made: dict[Tag, list[str]] = {}
    left_out = lost = 0
    for _, _, outcome in order:
        if budget <= 0:
            left_out += 1
            continue
        shown = _clip(folder, outcome, by_place, where)
        if shown is None:
            lost += 1
            continue
        budget -= len(shown)
        made.setdefault(outcome.tag, []).append(shown)
    blocks = []
    for tag in (tag for tag in TAGS if tag in made):
        blocks += [heading(5, tag.value), Block(f'<div class="grid clips">{"".join(made[tag])}</div>')]
    if left_out:
        blocks.append(paragraph(f"{left_out} more clips are left out, to keep the page small."))
    if lost:
        blocks.append(paragraph(f"{lost} clips are not in the run folder, or longer than {LONGEST:.0f} s."))
    return [Block(block.html) for block in blocks]  # Markdown has no players


def _clip(folder: Path, outcome: Outcome, clips: Mapping[tuple[str, str, str, Arm], Clip], where: str) -> str | None:
    """Return the HTML of one tag in one clip; None if its audio cannot be read."""
    clip = clips.get((outcome.engine, outcome.tagger, outcome.sentence, Arm.TAGGED))
    if clip is None:
        return None
    text = TaggedText.parse(clip.text)
    try:
        audio = read_audio(clip_file(folder, clip.audio))
        words = align(audio, text.words)
        features = measure(audio, words)
    except HarnessError:
        return None
    verdict = wrong_way(outcome.tag.value) if outcome.verdict is Verdict.WRONG_DIRECTION else outcome.verdict.value
    measured = f"{outcome.value:.2f} {outcome.unit}, threshold {outcome.threshold or 0.0:.2f}"
    name = f"{outcome.tag.value} {verdict}, {outcome.sentence}"
    parts = [
        f"<p><strong>{escape(verdict)}</strong>: {escape(measured)}<br><code>{escape(clip.text)}</code></p>",
        player(audio, f"{name}, {where}").html,
    ]
    plain = clips.get((outcome.engine, "", sentence_of(outcome.sentence), Arm.PLAIN))
    if plain is not None:
        with suppress(HarnessError):
            parts.append(player(read_audio(clip_file(folder, plain.audio)), f"{name}: plain, {where}").html)
    parts.append(clip_f0(words, features, audio.seconds, outcome.slot, outcome.tag)._repr_html_())
    listed = table([_word(word, features) for word in words], f"Words of {name}, slot {outcome.slot}, {where}")
    return f"<div>{''.join(parts)}<details><summary>Word times</summary>{listed.html}</details></div>"


def _word(word: WordTime, features: ClipFeatures) -> dict[str, str]:
    inside = (features.track_times >= word.start) & (features.track_times <= word.end) & np.isfinite(features.track_hz)
    hz = features.track_hz[inside]
    return {"word": word.word, "start (s)": f"{word.start:.2f}", "end (s)": f"{word.end:.2f}",
            "F0 (Hz)": f"{np.median(hz):.0f}" if len(hz) else "–"}  # fmt: skip
