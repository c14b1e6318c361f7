"""Predicates for the claims about PEFT (P1, P2); ``data/claims.yaml`` has the sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.chapters.ch03_peft.failure import Failure
from harness.chapters.ch03_peft.study import NATIVE_CLASS, WITH_LABELS, Curve
from harness.publish.verdicts import Found, predicate

SAID = "forward() got an unexpected keyword argument 'labels'"  # the note's words, claim P1
# A cure works if both losses fall below this share of their first value; the exact share does not matter.
_LEARNED = 0.5


@predicate("P1")
def judge_failure(calls: Mapping[str, Failure | None], control: Mapping[str, Failure | None]) -> Found:
    """Judge P1: the error of the wrapped model, and its cause.

    Parameters
    ----------
    calls : mapping
        Call of the plain model, wrapped as a causal language model -> its failure; contains `WITH_LABELS`, the call of the note.
    control : mapping
        The same call of other models, wrapped in the same way: model -> failure.
    """
    evidence = {
        **{f"Higgs, {name}": str(one or "works") for name, one in calls.items()},
        **{f"{name}, {WITH_LABELS}": str(one or "works") for name, one in control.items()},
    }
    failure = calls[WITH_LABELS]
    if failure is None or SAID not in failure.message:
        return Found("other_outcome", evidence, {"outcome": str(failure or "works")})
    same = [name for name, one in control.items() if one is not None and SAID in one.message]
    if failure.cause is None:
        return Found("same_error", evidence)
    evidence["added by"] = f"`{failure.cause.place}`"
    return Found(
        "same_error_also_elsewhere" if same else "same_error_traced",
        evidence,
        {"place": failure.cause.place, "models": " and ".join(same)},
    )


@dataclass(frozen=True)
class Control:
    """Losses of LoRA without the head, and of the head without LoRA.

    Parameters
    ----------
    start, reached, limit : float
        Audio loss with frozen heads: before training, after LoRA on the audio FFN, and the lowest value that such a head allows.
    head_alone : float
        Audio loss after training the audio head without LoRA.
    """

    start: float
    reached: float
    limit: float
    head_alone: float

    @property
    def share(self) -> float:
        """The progress of LoRA, as a share of what the frozen head allows."""
        return (self.start - self.reached) / (self.start - self.limit)


@predicate("P2")
def judge_peft(curves: Sequence[Curve], control: Control, checkpoint: str) -> Found:
    """Judge P2: whether any way of using LoRA trains.

    Parameters
    ----------
    curves : sequence of Curve
        Trainings with one cure each, LoRA and both heads.
    control : Control
    checkpoint : str
        Description of what was trained.
    """
    evidence = {"checkpoint": checkpoint} | {
        curve.cure: f"`{curve.wrapper}`, audio loss {curve.audio[0]:.2f} to {curve.audio[-1]:.2f}, text loss {curve.text[0]:.2f} to "
        f"{curve.text[-1]:.2f} in {len(curve.audio)} steps"
        for curve in curves
    }
    evidence["LoRA on the audio FFN, heads frozen"] = (
        f"audio loss {control.start:.3f} to {control.reached:.3f}, {control.share:.1%} of the way to the lowest loss "
        "that the random head allows"
    )
    evidence["control: the audio head alone, no LoRA"] = f"audio loss {control.start:.2f} to {control.head_alone:.2f}"
    # A loss that is NaN compares as false, so such a training has not worked.
    worked = [
        curve.cure for curve in curves if all(loss[-1] < _LEARNED * loss[0] for loss in (curve.audio, curve.text))
    ]
    if not worked:
        falls = any(curve.audio[-1] < curve.audio[0] for curve in curves)
        return Found("too_short" if falls else "no_cure", evidence, {"steps": max(len(one.audio) for one in curves)})
    figures = {"worked": len(worked), "tried": len(curves), "cures": ", ".join(worked), "share": control.share}
    return Found("native_trains" if NATIVE_CLASS in worked else "trains", evidence, figures)
