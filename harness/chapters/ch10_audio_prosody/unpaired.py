"""Score clips without their plain twins, to see what is lost: each clip is judged by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.audio import read_audio
from harness.prosody.rates import hit_rate
from harness.prosody.scorer import analyse, judge, score_clip
from harness.records import Arm, Clip, Outcome, Verdict
from harness.stats import number
from harness.store import read_jsonl
from harness.tagged import TAGS, TaggedText


def unpaired_rates(folder: Path, engine: str) -> dict[str, dict[str, Any]]:
    """Score the tagged clips of a finished run without their plain twins, and the plain clips as if they had been tagged.

    Parameters
    ----------
    folder : Path
        A run of a sentence set: one tag a clip.
    engine : str
        Title of the engine.

    Returns
    -------
    dict
        For each tag: ``hit`` with ``low`` and ``high``, ``false`` (how often the same rule fires on the plain clip, at the same
        place) with ``false_low`` and ``false_high``, ``n``, and ``paired``, the paired hit rate of the same clips.
    """
    clips = [clip for clip in read_jsonl(folder / "clips.jsonl", Clip) if clip.engine == engine]
    paired = [o for o in read_jsonl(folder / "outcomes.jsonl", Outcome) if o.engine == engine and o.arm is Arm.TAGGED]
    plain: dict[tuple[str, ...], Clip] = {}
    for clip in clips:
        if clip.arm is Arm.PLAIN:
            plain.setdefault(TaggedText.parse(clip.text).words, clip)
    features: dict[str, Any] = {}
    scores: dict[Arm, list[Outcome]] = {Arm.TAGGED: [], Arm.PLAIN: []}
    for clip in clips:
        text = TaggedText.parse(clip.text)
        if clip.arm is not Arm.TAGGED or len(text.tags) != 1:
            continue
        for arm, source in ((Arm.TAGGED, clip), (Arm.PLAIN, plain[text.words])):
            if source.audio not in features:
                features[source.audio] = analyse(read_audio(folder / source.audio), text)
            [score] = score_clip(text, features[source.audio], [])
            scores[arm].append(judge(score.named(engine, clip.tagger, clip.sentence)))
    table = {}
    for tag in TAGS:
        mine = {arm: [o for o in rows if o.tag is tag] for arm, rows in scores.items()}
        if not mine[Arm.TAGGED]:
            continue
        hit, false = hit_rate(mine[Arm.TAGGED]), hit_rate(mine[Arm.PLAIN])
        known = [o.verdict is Verdict.HIT for o in paired if o.tag is tag and o.value is not None]
        table[tag.value] = {
            "hit": number(hit.value), "low": number(hit.low), "high": number(hit.high),
            "false": number(false.value), "false_low": number(false.low), "false_high": number(false.high),
            "n": len(mine[Arm.TAGGED]), "paired": float(np.mean(known)) if known else None,
        }  # fmt: skip
    return table
