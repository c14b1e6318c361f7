"""Predicates for the claims about the Higgs API (H2, H4); ``data/claims.yaml`` has the sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.engines.openai_speech.engine import of_service
from harness.publish.verdicts import Found, predicate


@predicate("H2")
def judge_marked_text(spoken: Mapping[str, Any] | None, losses: Sequence[Mapping[str, str]], command: str) -> Found:
    """Judge H2: whether the service speaks marked text.

    Parameters
    ----------
    spoken : mapping, optional
        The server that was named, if any: ``host`` (its address), ``model``, ``requests`` sent by this run, and ``seconds`` of
        audio, including cached audio. A server outside the service's domain says nothing about the claim.
    losses : sequence of mapping
        Rows of `harness.engines.higgs_v3.loss_table`.
    command : str
        The command that asks the service.
    """
    by_reach: dict[str, list[str]] = {}
    for row in losses:
        by_reach.setdefault(row["reach"], []).append(row["tag"])
    evidence = {
        f"tags {reach}, as documented": ", ".join(f"`{tag}`" for tag in tags) for reach, tags in by_reach.items()
    }
    lost = len(by_reach.get("lost", ()))
    figures: dict[str, Any] = {"kept": len(losses) - lost, "lost": lost, "command": command}
    if spoken is None:
        return Found("own_server", evidence, figures)
    if not of_service(spoken["host"]):
        return Found("other_server", evidence, figures | {"host": spoken["host"]})
    evidence = {"server": spoken["host"], "model": spoken["model"],
                "asked": f"{spoken['requests']} requests, {spoken['seconds']:.1f} s of audio", **evidence}  # fmt: skip
    if not spoken["seconds"]:
        return Found("no_audio", evidence, figures)
    return Found("speaks_without_some_tags" if lost else "speaks", evidence, figures)


@predicate("H4")
def judge_availability(reached: Mapping[str, tuple[bool, str]]) -> Found:
    """Judge H4 from the endpoints that were asked: address -> whether it answered, and what; empty if none was asked."""
    if not reached:
        return Found("not_asked", {"endpoints asked": "0"})
    evidence = {address: said for address, (_, said) in reached.items()}
    silent = [address for address, (answered, _) in reached.items() if not answered]
    if len(silent) == len(reached):
        return Found("none_answered", evidence)
    return Found("some_silent" if silent else "all_answered", evidence, {"silent": " and ".join(silent)})
