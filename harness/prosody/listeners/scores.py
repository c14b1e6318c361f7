"""What listeners say about a tag: the judged prominence of its word, and how much it rises above the plain clips of the sentence.

Absolute scores differ between words for reasons of their own: long words sound prominent. So, as for the detectors, only the rise
against plain clips of the same sentence counts, and whether the word of the tag rose most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio
from harness.errors import HarnessError
from harness.prosody.detectors import DETECTORS, affected_words
from harness.prosody.features import ClipFeatures
from harness.prosody.listeners.base import Listener, judge
from harness.records import Judgement, WordTime
from harness.tagged import PAUSES, Tag, TaggedText

TIE = 1e-6  # scores are float32; rises closer than this are equal
_NO_PLAIN = "no plain clip could be judged"


@dataclass(frozen=True, eq=False)
class Heard:
    """The scores of one listener for one clip, shape (words,) or (1,) as its unit says; or the reason why there are none."""

    unit: Literal["word", "clip"]
    scores: NDArray[np.float64] | None = None
    reason: str = ""


def hear(audio: Audio, words: Sequence[WordTime], listeners: Iterable[tuple[str, Listener]]) -> dict[str, Heard]:
    """Let each listener, with its name in the results, judge a clip; a clip that one of them cannot judge costs only its judgement."""
    found = {}
    for name, listener in listeners:
        try:
            found[name] = Heard(listener.unit, judge(listener, audio, words))
        except HarnessError as error:
            found[name] = Heard(listener.unit, reason=error.message)
    return found


def judgements(
    text: TaggedText,
    slot: int,
    tag: Tag,
    tagged: ClipFeatures,
    plain: Sequence[ClipFeatures | str],
    intruded: str | None = None,
) -> dict[str, Judgement]:
    """Return what each listener says about one tag, or placebo, of a clip.

    Parameters
    ----------
    text : TaggedText
        Tagged text of the clip.
    slot, tag
        Place of the tag or placebo. Its word is the one that the detector measures; for a pause, the word after it.
    tagged : ClipFeatures
    plain : sequence of ClipFeatures or str
        Clips of the same words without tags. Without them, there are scores but no rises.
    intruded : str, optional
        Why words cannot be judged: others were said at the slot.
    """
    place = slot if tag in PAUSES else DETECTORS[tag].place(text, slot)
    word = None if place is None else min(place, len(text.words) - 1)
    found = {}
    for name, heard in tagged.heard.items():
        levels = _scores(plain, name)
        if heard.scores is None:
            found[name] = Judgement(unit=heard.unit, reason=heard.reason)
        elif heard.unit == "clip":
            found[name] = _judgement(heard, heard.scores - _mean(levels) if plain else None, 0)
        elif intruded or word is None:
            found[name] = Judgement(unit=heard.unit, reason=intruded or "no word follows the tag")
        else:
            others = affected_words(text) - {word}
            found[name] = _judgement(heard, heard.scores - _mean(levels) if plain else None, word, others)
    return found


def _judgement(heard: Heard, rise: NDArray[np.float64] | None, at: int, others: Iterable[int] = ()) -> Judgement:
    assert heard.scores is not None
    if not np.isfinite(heard.scores[at]):
        return Judgement(unit=heard.unit, reason="the word is not spoken")
    score = round(float(heard.scores[at]), 4)
    if rise is None:
        return Judgement(unit=heard.unit, score=score)
    if not np.isfinite(rise[at]):
        return Judgement(unit=heard.unit, score=score, reason=_NO_PLAIN)
    own = round(float(rise[at]), 4)
    if heard.unit == "clip":
        return Judgement(unit=heard.unit, score=score, rise=own)
    rivals = np.delete(rise, list(others))
    rivals = rivals[np.isfinite(rivals)]
    best = rivals >= rivals.max() - TIE
    most = 1 / int(best.sum()) if rise[at] >= rivals.max() - TIE else 0.0
    return Judgement(unit=heard.unit, score=score, rise=own, rose_most=round(most, 4), words=len(rivals))


def _scores(plain: Sequence[ClipFeatures | str], name: str) -> list[NDArray[np.float64]]:
    heard = [clip.heard.get(name) for clip in plain if not isinstance(clip, str)]
    return [one.scores for one in heard if one is not None and one.scores is not None]


def _mean(levels: Sequence[NDArray[np.float64]]) -> NDArray[np.float64] | float:
    """Return the mean over clips, NaN where no clip has a score."""
    if not levels:
        return float("nan")
    stacked = np.array(levels)
    known = np.isfinite(stacked)
    counts = known.sum(axis=0)
    return np.where(counts > 0, np.where(known, stacked, 0).sum(axis=0) / np.maximum(counts, 1), np.nan)


def null_rises(plain: Sequence[ClipFeatures | str]) -> dict[str, list[float]]:
    """Return the rises of every word (or of the clip) in each plain clip of a sentence, above the mean of the others.

    They are computed as those of tagged clips are. Listeners with fewer than three judged clips are left out.
    """
    names = dict.fromkeys(name for clip in plain if not isinstance(clip, str) for name in clip.heard)
    found = {}
    for name in names:
        levels = _scores(plain, name)
        if len(levels) >= 3:
            rises = [level - _mean(levels[:k] + levels[k + 1 :]) for k, level in enumerate(levels)]
            found[name] = [round(float(rise), 4) for rise in np.concatenate(rises) if np.isfinite(rise)]
    return found
