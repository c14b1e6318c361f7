"""Compare detectors and listeners with the labels of real recordings, and with each other.

Nothing is fitted here: every value is that of the rules and models as they are. Intervals are 95 % cluster bootstraps by recording.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.prosody.detectors import Cue
from harness.prosody.listeners import Listener
from harness.prosody.validation.recordings import LabelledSet, Problem
from harness.prosody.validation.scores import DURATION, RecordingScores, score_recording
from harness.stats import DEFAULT_RESAMPLES, ClusterBootstrap, Interval, auc, number, ratio

SCHEMA = "harness.validation/1"
WORD_CUES = (Cue.EMPHASIS.value, Cue.LEVEL.value, DURATION)
RISING, FALLING = "H%", "L%"  # also at the end of a boundary of ToBI: L-H%
MIN_WORDS = 3  # with two words, a rank correlation is 1 or -1
Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Contrast:
    """Two groups of words that labels tell apart, and the cues that should."""

    name: str
    cues: tuple[str, ...]
    by_listeners: bool
    pick: Callable[[RecordingScores, int], bool | None]  # positive, negative, or neither


def validate(
    labelled: LabelledSet,
    listeners: Sequence[Listener] = (),
    *,
    n_resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Score all recordings of a set, and compare the scores with the labels.

    Parameters
    ----------
    labelled : LabelledSet
    listeners : sequence of Listener
    n_resamples, seed : int
        Of the cluster bootstrap by recording.
    progress : callable, optional
        Function that is called with the number of finished recordings and of all.

    Returns
    -------
    dict
        The fields are described in the how-to guide "Validate on real recordings" (``book/howto/validate.md``).

    Raises
    ------
    HarnessError
        If the set is empty, or a listener fails.
    """
    problems: list[Problem] = list(labelled.problems)
    scored: list[RecordingScores] = []
    for done, recording in enumerate(labelled.recordings, start=1):
        try:
            scored.append(score_recording(recording, listeners))
        except HarnessError as error:
            problems.append(Problem(recording.name, error))
        if progress:
            progress(done, len(labelled.recordings))
    if not scored and not problems:
        raise HarnessError("the set has no recordings")
    settings = {"n_resamples": n_resamples, "seed": seed}
    words = [word for scores in scored for word in scores.recording.words]
    return {
        "schema": SCHEMA,
        "recordings": {"all": len(scored) + len(problems), "scored": len(scored), "unmeasurable": len(problems),
                       "distinct": len({scores.cluster for scores in scored})},
        "words": len(words),
        "labels": {
            "accent": _counts(word.accent for word in words),
            "boundary": _counts(word.boundary for word in words),
            "pause": sum(word.pause for word in words),
        },
        "auc": [row for contrast in _contrasts(scored) for row in _areas(contrast, scored, listeners, settings)],
        "top1": [_top1(cue, scored, listeners, settings) for cue in _word_cues(listeners)],
        "agreement": [
            _agreement(cue, listener, scored, settings)
            for listener in listeners if listener.unit == "word" for cue in WORD_CUES
        ],
        "quality": [_quality(listener.name, scored, settings) for listener in listeners if listener.unit == "clip"],
        "listeners": {
            listener.name: {
                "unit": listener.unit, "revision": listener.revision,
                "unmeasurable": _counts(scores.unheard.get(listener.name, "") for scores in scored),
            }
            for listener in listeners
        },
        "bootstrap": {"unit": "recording", "resamples": n_resamples, "seed": seed},
        "clips": [*map(_clip, scored), *map(_unmeasurable, problems)],
        "problems": [str(problem.error) for problem in problems],
    }  # fmt: skip


def _counts(labels: Iterator[str]) -> dict[str, int]:
    return dict(Counter(label for label in labels if label).most_common())


def _word_cues(listeners: Sequence[Listener]) -> list[str]:
    return [*WORD_CUES, *(listener.name for listener in listeners if listener.unit == "word")]


def _role(cue: str, listeners: Sequence[Listener]) -> str:
    if cue in {listener.name for listener in listeners}:
        return "listener"
    return "baseline" if cue == DURATION else "detector"


def _value(scores: RecordingScores, cue: str) -> Array:
    """Return the values of a cue or listener, NaN for a listener that could not judge the clip."""
    if cue in scores.cues:
        return scores.cues[cue]
    return scores.words.get(cue, np.full(len(scores.times), np.nan))


# --- areas under the curve -------------------------------------------------------------------------------------------


def _contrasts(scored: Sequence[RecordingScores]) -> Iterator[_Contrast]:
    """Yield the contrasts that the labels allow."""
    words = [word for scores in scored for word in scores.recording.words]
    accents = _counts(word.accent for word in words)
    yield _Contrast("accent", WORD_CUES, True, lambda scores, k: bool(scores.recording.words[k].accent))
    if len(accents) > 1:
        for label in accents:
            yield _Contrast(f"accent {label}", WORD_CUES, True, _one_accent(label))
    tones = (Cue.END.value, Cue.LEVEL.value, DURATION)
    yield _Contrast(f"{RISING} v. {FALLING}", tones, False, _rising)
    if any(word.boundary for scores in scored for word in scores.recording.words[:-1]):
        last = f"{RISING} v. {FALLING}, last"
        yield _Contrast(last, tones, False, lambda s, k: _rising(s, k) if k == len(s.times) - 1 else None)
    gap = (Cue.PAUSE.value, DURATION)
    yield _Contrast("boundary inside", gap, False, lambda s, k: _inside(s, k, bool(s.recording.words[k].boundary)))
    yield _Contrast("pause inside", gap, False, lambda s, k: _inside(s, k, s.recording.words[k].pause))


def _one_accent(label: str) -> Callable[[RecordingScores, int], bool | None]:
    def pick(scores: RecordingScores, k: int) -> bool | None:
        accent = scores.recording.words[k].accent
        return accent == label if accent in (label, "") else None

    return pick


def _rising(scores: RecordingScores, k: int) -> bool | None:
    boundary = scores.recording.words[k].boundary
    return boundary.endswith(RISING) if boundary.endswith((RISING, FALLING)) else None


def _inside(scores: RecordingScores, k: int, positive: bool) -> bool | None:
    """Leave out the gap after the last word, which always has both."""
    return positive if k < len(scores.times) - 1 else None


def _areas(
    contrast: _Contrast, scored: Sequence[RecordingScores], listeners: Sequence[Listener], settings: dict[str, int]
) -> Iterator[dict[str, Any]]:
    at = [(s, k, up) for s in scored for k in range(len(s.times)) if (up := contrast.pick(s, k)) is not None]
    positive = np.array([up for _, _, up in at], dtype=bool)
    if not positive.any() or positive.all():
        return
    clusters = [s.cluster for s, _, _ in at]
    cues = [*contrast.cues, *(li.name for li in listeners if contrast.by_listeners and li.unit == "word")]
    for cue in cues:
        values = np.array([_value(s, cue)[k] for s, k, _ in at])
        known = np.isfinite(values)
        found = auc(clusters, positive, values, **settings)
        yield {
            "contrast": contrast.name, "cue": cue, "role": _role(cue, listeners), **_interval("auc", found),
            "positive": int((positive & known).sum()), "negative": int((~positive & known).sum()),
            "unmeasurable": int((~known).sum()),
            "recordings": len({name for name, ok in zip(clusters, known, strict=True) if ok}),
        }  # fmt: skip


def _interval(name: str, found: Interval) -> dict[str, float | None]:
    return {name: number(found.value), "low": number(found.low), "high": number(found.high)}


# --- the most prominent word, and agreement --------------------------------------------------------------------------


def _top(values: Array) -> int | None:
    return int(np.nanargmax(values)) if np.isfinite(values).any() else None


def _top1(
    cue: str, scored: Sequence[RecordingScores], listeners: Sequence[Listener], settings: dict[str, int]
) -> dict[str, Any]:
    """Count the recordings whose highest word has an accent, among those with words of both kinds."""
    clusters, rows = [], []
    for scores in scored:
        accents = [bool(word.accent) for word in scores.recording.words]
        best = _top(_value(scores, cue))
        if best is not None and 0 < sum(accents) < len(accents):
            clusters.append(scores.cluster)
            rows.append((accents[best], 1, sum(accents) / len(accents)))
    counts = np.array(rows, dtype=float).reshape(-1, 3)
    found = ClusterBootstrap(clusters, counts, **settings).interval(lambda total: ratio(total[..., 0], total[..., 1]))
    return {
        "cue": cue, "role": _role(cue, listeners), "hits": int(counts[:, 0].sum()), "recordings": len(rows),
        **_interval("rate", found), "chance": number(float(counts[:, 2].mean())) if rows else None,
    }  # fmt: skip


def _agreement(
    cue: str, listener: Listener, scored: Sequence[RecordingScores], settings: dict[str, int]
) -> dict[str, Any]:
    """Compare a detector cue with a listener inside each recording: rank correlation over its words, and the same highest word."""
    from scipy.stats import spearmanr

    clusters, rows = [], []
    for scores in scored:
        one, other = _value(scores, cue), _value(scores, listener.name)
        known = np.isfinite(one) & np.isfinite(other)
        one, other = one[known], other[known]
        if len(one) >= MIN_WORDS and np.ptp(one) > 0 and np.ptp(other) > 0:
            clusters.append(scores.cluster)
            rows.append((spearmanr(one, other).statistic, np.argmax(one) == np.argmax(other), 1 / len(one), 1))
    counts = np.array(rows, dtype=float).reshape(-1, 4)
    bootstrap = ClusterBootstrap(clusters, counts, **settings)
    rho = bootstrap.interval(lambda total: ratio(total[..., 0], total[..., 3]), rate=False)
    same = bootstrap.interval(lambda total: ratio(total[..., 1], total[..., 3]))
    return {
        "cue": cue, "listener": listener.name, "recordings": len(rows), "rank_correlation": _interval("value", rho),
        "same_top_word": {**_interval("rate", same), "chance": number(float(counts[:, 2].mean())) if rows else None},
    }  # fmt: skip


def _quality(name: str, scored: Sequence[RecordingScores], settings: dict[str, int]) -> dict[str, Any]:
    """Return the mean score of a listener that judges clips."""
    rows = [(s.cluster, s.clip[name]) for s in scored if np.isfinite(s.clip.get(name, np.nan))]
    counts = [(value, 1) for _, value in rows]
    bootstrap = ClusterBootstrap([cluster for cluster, _ in rows], np.array(counts).reshape(-1, 2), **settings)
    mean = bootstrap.interval(lambda total: ratio(total[..., 0], total[..., 1]), rate=False)
    return {"listener": name, "recordings": len(rows), **_interval("mean", mean)}


# --- every recording -------------------------------------------------------------------------------------------------


def _clip(scores: RecordingScores) -> dict[str, Any]:
    per_word = {**scores.cues, **scores.words}
    return {
        "name": scores.recording.name, "audio": scores.recording.audio.name, "status": "scored", "reason": "",
        "words": [
            {"word": label.word, "start": round(time.start, 4), "end": round(time.end, 4), "accent": label.accent,
             "boundary": label.boundary, "pause": label.pause,
             "values": {cue: number(float(values[k])) for cue, values in per_word.items()}}
            for k, (label, time) in enumerate(zip(scores.recording.words, scores.times, strict=True))
        ],
        "clip": {name: number(value) for name, value in scores.clip.items()}, "unheard": scores.unheard,
    }  # fmt: skip


def _unmeasurable(problem: Problem) -> dict[str, Any]:
    error = problem.error
    return {
        "name": problem.name,
        "status": "unmeasurable",
        "reason": error.message,
        "path": error.path,
        "line": error.line,
    }
