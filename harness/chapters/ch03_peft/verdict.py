"""The verdicts on the claims about PEFT (P1, P2), from executed outcomes and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.chapters.ch03_peft.failure import Failure
from harness.chapters.ch03_peft.study import WITH_LABELS, Curve
from harness.publish.verdicts import Verdict

SAID = "forward() got an unexpected keyword argument 'labels'"  # the note's words, claim P1
_LEARNED = 0.5  # a cure works if what is left of both losses is less than this share; exactly how much does not matter


def judge_failure(calls: Mapping[str, Failure | None], control: Mapping[str, Failure | None]) -> Verdict:
    """The verdict on P1.

    Parameters
    ----------
    calls : mapping
        What was called on the plain model, wrapped as a causal language model -> its failure. `WITH_LABELS`, of which the note speaks, is
        one of them.
    control : mapping
        Other models, by name, wrapped and called in the same way.
    """
    evidence = {
        **{f"Higgs, {name}": told(one) for name, one in calls.items()},
        **{f"{name}, {WITH_LABELS}": told(one) for name, one in control.items()},
    }
    failure = calls[WITH_LABELS]
    if failure is None or SAID not in failure.message:
        return Verdict("P1", "refuted", f"Here it does not say so: {told(failure)}.", evidence)
    works = [name for name, one in calls.items() if one is None]
    same = [name for name, one in control.items() if one is not None and SAID in one.message]
    reading = "Word for word. But `get_peft_model` itself does not fail, the first forward does"
    if failure.cause:
        evidence["added by"] = f"`{failure.cause.place}`"
        reading += f": PEFT's class for causal language models adds the keyword at `{failure.cause.place}`"
    reading += "."
    if works:
        reading += f" What still works: {', '.join(works)}."
    if same:
        reading += f" It is not about Higgs: {' and '.join(same)} fails in the same way."
    return Verdict("P1", "reproduced, but", reading, evidence)


@dataclass(frozen=True)
class Control:
    """What LoRA alone can do, and what the head can do without it.

    Parameters
    ----------
    start, reached, limit : float
        Audio loss with the heads frozen: at first, after LoRA on the audio FFN, and the lowest that such a head allows.
    head_alone : float
        Audio loss after training the audio head without LoRA.
    """

    start: float
    reached: float
    limit: float
    head_alone: float

    @property
    def share(self) -> float:
        """How far LoRA went of the way that the frozen head allows."""
        return (self.start - self.reached) / (self.start - self.limit)


def judge_peft(curves: Sequence[Curve], control: Control, checkpoint: str) -> Verdict:
    """The verdict on P2.

    Parameters
    ----------
    curves : sequence of Curve
        Trainings with a cure each, LoRA and both heads.
    control : Control
    checkpoint : str
        What was trained, in words.
    """
    worked = [curve.cure for curve in curves if learned(curve)]
    evidence = {"checkpoint": checkpoint} | {
        curve.cure: f"`{curve.wrapper}`, audio loss {curve.audio[0]:.2f} to {curve.audio[-1]:.2f}, text loss {curve.text[0]:.2f} to "
        f"{curve.text[-1]:.2f} in {len(curve.audio)} steps"
        for curve in curves
    }
    evidence["LoRA on the audio FFN, heads frozen"] = (
        f"audio loss {control.start:.3f} to {control.reached:.3f}, {control.share:.1%} of the way that the random head allows"
    )
    evidence["control: the audio head alone, no LoRA"] = f"audio loss {control.start:.2f} to {control.head_alone:.2f}"
    if not worked and any(curve.audio[-1] < curve.audio[0] for curve in curves):
        steps = max(len(curve.audio) for curve in curves)
        reading = f"The loss falls, but {steps} steps are too few to call it learned. Run the page with more `steps`."
        return Verdict("P2", "not run here", reading, evidence)
    if not worked:
        return Verdict("P2", "reproduced", "No cure tried here let LoRA learn.", evidence)
    later = " The native class came with transformers 5; the note could not use it." if "native class" in worked else ""
    reading = (
        f"Wrapped in {len(worked)} of {len(curves)} ways it trains: {', '.join(worked)}. Most of that fall is the work of the two heads, "
        f"which are trained whole. With the heads frozen, LoRA alone goes {control.share:.1%} of the way that a random head allows. "
        f"One batch is learned by heart: this shows that LoRA can be used, and nothing about speech.{later}"
    )
    return Verdict("P2", "refuted", reading, evidence)


def learned(curve: Curve) -> bool:
    """Whether both losses fell below `_LEARNED` of what they were; NaN is no."""
    return all(losses[-1] < _LEARNED * losses[0] for losses in (curve.audio, curve.text))


def told(failure: Failure | None) -> str:
    """A call's outcome in words."""
    return "works" if failure is None else f"{failure.exception}: {failure.message}"
