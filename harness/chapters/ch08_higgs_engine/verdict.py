"""The verdict on the claim about the Higgs engine (H1), from an executed run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.publish.verdicts import Verdict


def judge_engine(
    found: Mapping[str, Any], failures: Sequence[Mapping[str, str]], weights: str, real: bool, command: str
) -> list[Verdict]:
    """The verdict on H1.

    Parameters
    ----------
    found : mapping
        ``seconds``: of speech that the engine made; ``class``: of the engine; ``device``; ``steps``: columns a second.
    failures : sequence of mapping
        From `harness.chapters.ch08_higgs_engine.failures.failures`.
    weights : str
        What spoke, in words.
    real : bool
        Whether these are the model's own weights.
    command : str
        What runs it on real weights.
    """
    bad = [row for row in failures if not row["serve engine"].startswith("speaks")]
    evidence = {
        "class": f"`{found['class']}`",
        "weights": weights,
        "device": found["device"],
        "speech": f"{found['seconds']:.1f} s, at {found['steps']:,.0f} columns a second",
        "what it cannot serve, answered with a bare error or nothing": f"{len(bad)} of {len(failures)} tried",
    }
    if not found["seconds"]:
        return [Verdict("H1", "refuted", "The engine made no sound here.", evidence)]
    hang = any("hangs" in row["serve engine"] for row in failures)
    reading = (
        "The engine runs on this machine, without a network"
        + ("" if found["device"] != "cpu" else " and without a GPU")
        + f". {len(failures)} things that it cannot serve were looked for; it answered {len(bad)} of them with a bare error or with nothing"
        + (", and a stream hangs when its thread dies." if hang else ".")
    )
    if not real:
        reading += f" But this was {weights}, and what they speak is noise. With the real weights it is not run here (`{command}`)."
    return [Verdict("H1", "reproduced, but" if bad or not real else "reproduced", reading, evidence)]
