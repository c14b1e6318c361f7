"""Read the answers of listeners, and compute rates from them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import DataError
from harness.listening.kit import Kit
from harness.listening.trials import SAME, Kind, Trial
from harness.prosody.rates import UNKNOWN
from harness.reading import first_problem, read_json
from harness.records import Verdict
from harness.stats import DEFAULT_RESAMPLES, ClusterBootstrap, Interval, number, ratio
from harness.tagged import TAGS

ALL = "all"
_AGAIN = "ask the listener to save the file again"


class Answer(BaseModel):
    """One answer: the choice, how often clips were played, and how long it took."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    trial: str
    answer: int = Field(ge=0)
    plays: int = Field(ge=0)
    seconds: float = Field(ge=0)


class Results(BaseModel):
    """The file that one listener's page saved."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    schema_: Literal["harness.listening/1"] = Field(alias="schema")
    kit: str
    listener: str = Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")
    started: str
    finished: str | None
    answers: list[Answer]


@dataclass(frozen=True)
class Heard:
    """One answer of one listener, with its trial."""

    listener: str
    trial: Trial
    answer: int

    @property
    def right(self) -> bool:
        """Whether the answer is right."""
        return self.answer == self.trial.right

    @property
    def measured(self) -> bool:
        """Whether a detector could measure this tag."""
        return self.trial.verdict not in (None, Verdict.UNMEASURABLE, Verdict.NOT_EXPRESSIBLE)

    @property
    def hit(self) -> bool:
        """Whether the detector reported a hit."""
        return self.trial.verdict is Verdict.HIT


def read_results(paths: Sequence[str | Path], kit: Kit) -> list[Heard]:
    """Read the files of all listeners and check them against the key.

    Raises
    ------
    DataError
        If a file is not JSON, not a result file, or of another kit; has an unknown trial, a trial answered twice or an answer
        out of range; repeats a listener; or if there are no answers at all. Names the file.
    """
    trials = {one.trial: one for one in kit.trials}
    heard: list[Heard] = []
    read: dict[str, Path] = {}
    for path in map(Path, paths):
        results = _read(path)
        if results.kit != kit.kit:
            raise DataError(f"expected answers to kit {kit.kit!r} of the key, found answers to kit {results.kit!r}", path=path,
                            remedy="pass the key.json that belongs to the listener's page with --key")  # fmt: skip
        if results.listener in read:
            raise DataError(f"listener {results.listener!r} was already read from {read[results.listener]}", path=path,
                            remedy="pass each listener's file only once")  # fmt: skip
        read[results.listener] = path
        answered: set[str] = set()
        for one in results.answers:
            trial = trials.get(one.trial)
            if trial is None:
                raise DataError(f"the trial {one.trial!r} is not in the key", path=path, remedy=_AGAIN)
            if one.trial in answered:
                raise DataError(f"the trial {one.trial!r} is answered twice", path=path, remedy=_AGAIN)
            if one.answer >= trial.choices:
                raise DataError(
                    f"the answer {one.answer} to trial {one.trial!r} is out of range: it has {trial.choices} choices, "
                    "counted from 0", path=path, remedy=_AGAIN,
                )  # fmt: skip
            answered.add(one.trial)
            heard.append(Heard(results.listener, trial, one.answer))
    if not heard:
        raise DataError("there are no answers", path=paths[0] if paths else None,
                        remedy="pass the files that listeners saved on the last screen")  # fmt: skip
    return heard


def score(heard: Sequence[Heard], *, n_resamples: int = DEFAULT_RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """Compute the rates of the listeners, and those of the detectors on the same clips.

    Returns
    -------
    dict
        ``rows``, one for each engine, tag and kind, and one with the tag ``all`` where a kind has several tags: ``n``
        and ``right`` answers, ``rate`` with its 95 % interval ``low`` and ``high`` (``clusters`` says what was
        resampled: listeners if at least two answered, otherwise sentences), and ``chance``; ``detector_n`` clips that the
        detectors could measure, and ``detector_hit``, the share of hits among them; over the answers to those clips,
        ``agreement`` (share where listener and detector agree) and Cohen's ``kappa``. ``opposite`` counts answers for the
        wrong direction, such as a pause of the wrong length, and ``detector_opposite`` is the share of that verdict among
        the clips; both are None where the question has no such answer.
        ``catch`` is about trials with equal clips: the number of answers ``n``, the counts of "A" (``a``) and of "no difference"
        (``same``), the shares ``share_a`` and ``share_same`` with intervals, the share of "A" that is ``expected`` of an
        attentive listener, and ``attention``: for each listener ``n`` and ``same``. Keys from before have no answer "no
        difference"; ``same`` and ``attention`` are then None. Undefined values are None.
    """
    asked = [one for one in heard if one.trial.kind is not Kind.CATCH]
    groups: dict[tuple[str, str, str], list[Heard]] = {}
    for one in asked:
        for tag in (one.trial.tag.value, ALL):
            groups.setdefault((one.trial.engine, one.trial.kind.value, tag), []).append(one)
    tags = [tag.value for tag in TAGS]
    kinds = [kind.value for kind in Kind]
    order = sorted(groups, key=lambda name: (name[0], kinds.index(name[1]), [*tags, ALL].index(name[2])))
    rows = [
        _row(engine, kind, tag, groups[engine, kind, tag], n_resamples, seed)
        for engine, kind, tag in order
        if tag != ALL or sum(name[:2] == (engine, kind) for name in groups) > 2
    ]
    return {
        "listeners": len({one.listener for one in heard}),
        "answers": len(heard),
        "rows": rows,
        "catch": _catch([one for one in heard if one.trial.kind is Kind.CATCH], n_resamples, seed),
    }


def _row(engine: str, kind: str, tag: str, answers: list[Heard], n_resamples: int, seed: int) -> dict[str, Any]:
    right = [one.right for one in answers]
    rate, clusters = _rate(answers, right, n_resamples, seed)
    clips = {one.trial.trial: one.hit for one in answers if one.measured}
    compared = [(one.right, one.hit) for one in answers if one.measured]
    return {
        "engine": engine, "kind": kind, "tag": tag,
        "n": len(answers), "right": sum(right),
        "rate": number(rate.value), "low": number(rate.low), "high": number(rate.high), "clusters": clusters,
        "chance": float(np.mean([1 / one.trial.choices for one in answers])),
        "clips": len({one.trial.trial for one in answers}),
        "detector_n": len(clips), "detector_hit": float(np.mean(list(clips.values()))) if clips else None,
        "agreement": float(np.mean([a == b for a, b in compared])) if compared else None,
        "kappa": kappa(compared),
        **_opposite(answers),
    }  # fmt: skip


def _opposite(answers: list[Heard]) -> dict[str, Any]:
    """Return how often listeners, and the detectors, found the wrong direction."""
    asked = [one for one in answers if one.trial.opposite is not None]
    clips = {one.trial.trial: one.trial.verdict is Verdict.WRONG_DIRECTION for one in asked if one.measured}
    return {
        "opposite": sum(one.answer == one.trial.opposite for one in asked) if asked else None,
        "detector_opposite": float(np.mean(list(clips.values()))) if clips else None,
    }


def _catch(answers: list[Heard], n_resamples: int, seed: int) -> dict[str, Any]:
    first = [one.answer == 0 for one in answers]
    offered = [one for one in answers if one.trial.right == SAME]  # not in old keys
    same = [one.right for one in offered]
    attention: dict[str, dict[str, int]] = {}
    for one in offered:
        counts = attention.setdefault(one.listener, {"n": 0, "same": 0})
        counts["n"] += 1
        counts["same"] += one.right
    a_rate, clusters = _rate(answers, first, n_resamples, seed) if answers else (UNKNOWN, None)
    same_rate = _rate(offered, same, n_resamples, seed)[0] if offered else UNKNOWN
    return {
        "n": len(answers), "a": sum(first), "share_a": number(a_rate.value), "low": number(a_rate.low),
        "high": number(a_rate.high), "clusters": clusters, "expected": 0.0 if offered else 0.5,
        "same": sum(same) if offered else None, "share_same": number(same_rate.value),
        "same_low": number(same_rate.low), "same_high": number(same_rate.high), "attention": attention or None,
    }  # fmt: skip


def _rate(answers: list[Heard], yes: list[bool], n_resamples: int, seed: int) -> tuple[Interval, str]:
    """Return the share of `yes`, and what was resampled for its interval."""
    by_listener = len({one.listener for one in answers}) >= 2
    clusters = [one.listener if by_listener else one.trial.sentence for one in answers]
    bootstrap = ClusterBootstrap(clusters, [[one, 1] for one in yes], n_resamples=n_resamples, seed=seed)
    rate = bootstrap.interval(lambda total: ratio(total[..., 0], total[..., 1]))
    return rate, "listener" if by_listener else "sentence"


def kappa(pairs: Iterable[tuple[bool, bool]]) -> float | None:
    """Return Cohen's kappa of two raters, or None if it is undefined: no pairs, or only one rating is ever used."""
    from sklearn.metrics import cohen_kappa_score

    pairs = list(pairs)
    if len({rating for pair in pairs for rating in pair}) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = float(cohen_kappa_score([a for a, _ in pairs], [b for _, b in pairs], labels=[False, True]))
    return None if np.isnan(value) else value


def _read(path: Path) -> Results:
    try:
        fields = read_json(path)
    except DataError as error:
        raise DataError(error.message, path=path, line=error.line, remedy=error.remedy or _AGAIN) from error
    try:
        return Results.model_validate(fields)
    except ValidationError as error:
        raise DataError(f"not the results of a listener: {first_problem(error, 'file')[0]}", path=path,
                        remedy=_AGAIN) from error  # fmt: skip
