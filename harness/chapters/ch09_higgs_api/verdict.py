"""The verdicts on the claims about the Higgs API (H2, H4), from executed cells and from what is documented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.engines.openai_speech.engine import of_service
from harness.publish.verdicts import Verdict


def judge_api(
    spoken: Mapping[str, Any] | None,
    losses: Sequence[Mapping[str, str]],
    reached: Mapping[str, tuple[bool, str]],
    command: str,
) -> list[Verdict]:
    """The verdicts on H2 and H4.

    Parameters
    ----------
    spoken : mapping, optional
        If a server was named: ``host`` (its address), ``model``, ``requests`` sent by this run, and ``seconds`` of audio, the
        cache's included. A server of another domain than the service says nothing about the claim.
    losses : sequence of mapping
        From `harness.engines.higgs_v3.loss_table`.
    reached : mapping
        Address -> whether it answered, and what; empty if nothing was tried.
    command : str
        What asks the service.
    """
    return [_marked(spoken, losses, command), _always(reached)]


def _marked(spoken: Mapping[str, Any] | None, losses: Sequence[Mapping[str, str]], command: str) -> Verdict:
    by_reach: dict[str, list[str]] = {}
    for row in losses:
        by_reach.setdefault(row["reach"], []).append(row["tag"])
    evidence = {
        f"tags {reach}, as documented": ", ".join(f"`{tag}`" for tag in tags) for reach, tags in by_reach.items()
    }
    lost = len(by_reach.get("lost", ()))
    documented = f"Its documentation has control tags for {len(losses) - lost} of the seven tags, and none for {lost}."
    if spoken is None or not of_service(spoken["host"]):
        shown = "our own server" if spoken is None else spoken["host"]
        reading = (
            f"The client holds no model and needs no GPU. But the server that was asked is {shown}, and the service itself was not "
            f"asked. {documented} With a key and a network, run it with `{command}`."
        )
        return Verdict("H2", "not run here", reading, evidence)
    evidence = {"server": spoken["host"], "model": spoken["model"],
                "asked": f"{spoken['requests']} requests, {spoken['seconds']:.1f} s of audio", **evidence}  # fmt: skip
    if not spoken["seconds"]:
        return Verdict("H2", "refuted", f"The service gave no audio. {documented}", evidence)
    reading = f"The service speaks marked text, without training and without a GPU on this side. {documented}"
    return Verdict("H2", "reproduced, but" if lost else "reproduced", reading, evidence)


def _always(reached: Mapping[str, tuple[bool, str]]) -> Verdict:
    changed = (
        "The address and the model that the team used are not those that the documentation names today, and today's service is a "
        "preview with rate limits. A client must expect refusals, as this page shows."
    )
    if not reached:
        return Verdict("H4", "not run here", f"No endpoint was asked. {changed}", {"endpoints asked": "0"})
    evidence = {address: said for address, (_, said) in reached.items()}
    silent = [address for address, (answered, _) in reached.items() if not answered]
    if len(silent) == len(reached):
        reading = f"None answered, which may as well be this machine's network as theirs. {changed}"
        return Verdict("H4", "not run here", reading, evidence)
    if silent:
        return Verdict(
            "H4", "refuted", f"{' and '.join(silent)} did not answer when this page was made. {changed}", evidence
        )
    return Verdict(
        "H4", "not run here", f"Everything answered once, which shows nothing about always. {changed}", evidence
    )
