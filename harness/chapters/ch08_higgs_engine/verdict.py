"""Predicate for the claim about the Higgs engine (H1); ``data/claims.yaml`` has the sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.publish.verdicts import Found, predicate


@predicate("H1")
def judge_engine(
    found: Mapping[str, Any], failures: Sequence[Mapping[str, str]], weights: str, real: bool, command: str
) -> Found:
    """Judge H1: whether the engine runs here.

    Parameters
    ----------
    found : mapping
        ``seconds`` of speech that the engine made, its ``class``, its ``device``, its ``steps``: columns a second, and whether both code
        bases give the same codes for the ``small`` model.
    failures : sequence of mapping
        Rows of `harness.chapters.ch08_higgs_engine.failures.failures`.
    weights : str
        Description of the weights.
    real : bool
        Whether these are the model's own weights.
    command : str
        The command for real weights.
    """
    bad = [row for row in failures if not row["serve engine"].startswith("speaks")]
    evidence = {
        "class": f"`{found['class']}`",
        "weights": weights,
        "device": found["device"],
        "speech": f"{found['seconds']:.1f} s, at {found['steps']:,.0f} columns a second",
        "a small model of this project, which speaks": f"{'the same' if found['small'] else 'other'} codes from both code bases",
        "what it cannot serve, answered with a bare error or nothing": f"{len(bad)} of {len(failures)} tried",
    }
    figures = {
        "device": found["device"],
        "bad": len(bad),
        "tried": len(failures),
        "weights": weights,
        "command": command,
    }
    if not found["seconds"]:
        return Found("silent", evidence)
    if not real:
        return Found("runs_on_random_weights", evidence, figures)
    return Found("runs_with_bare_errors" if bad else "runs", evidence, figures)
