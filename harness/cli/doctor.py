"""`harness doctor`: report what can run on this machine."""

from __future__ import annotations

import shutil
from typing import Any

from harness.cli.output import AsJson, print_json, print_table


def doctor(as_json: AsJson = False) -> None:
    """Report which taggers, engines, listeners, data sets and environments are available here, and what each one lacks.

    An engine that is ready may still need something for real use, such as weights; its note says so.
    """
    report = examine()
    if as_json:
        print_json(report)
        return
    for kind in ("engines", "taggers", "listeners", "data", "environments"):
        rows = [[name, "ready" if not entry["lacks"] else "lacks " + "; ".join(entry["lacks"]), entry.get("note", "")]
                for name, entry in report[kind].items()]  # fmt: skip
        print_table(kind.capitalize(), ["name", "state", "note"], rows)


def examine() -> dict[str, dict[str, Any]]:
    """Return everything that is registered, and what each entry lacks."""
    from harness.datasets import REMOTES, locate
    from harness.engines.base import ENGINES
    from harness.errors import HarnessError
    from harness.paths import ROOT
    from harness.prosody.listeners import LISTENERS
    from harness.registry import Registry, Requirements
    from harness.taggers.base import TAGGERS

    def implementations(registry: Registry) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for name in registry.names():
            try:
                implementation = registry.find(name)
                needs: Requirements = getattr(implementation, "requirements", Requirements())
                lacks = needs.missing()
            except HarnessError as error:
                implementation, lacks = None, [error.message]
                needs = Requirements()
            doc = (getattr(implementation, "__doc__", "") or "").strip().splitlines()
            wants = {"Network": needs.network, "Weights": needs.weights, "GPU": needs.gpu}
            note = [doc[0]] if doc else []
            said = [f"{kind}: {words}." for kind, words in wants.items() if words]
            found[name] = {"lacks": lacks, "note": " ".join([*note, *said])}
        return found

    data = {
        name: {
            "lacks": [] if all(locate(f.path) for f in remote.files) else [f"a copy: harness data fetch {name}"],
            "note": remote.what,
        }
        for name, remote in REMOTES.items()
    }
    environments = {
        folder: {"lacks": [] if (ROOT / folder / ".installed").is_file() else ["installation: make env"], "note": note}
        for folder, note in (
            (".venv", "transformers 5, the book"),
            (".venv-boson", "transformers 4.46.3, boson_multimodal"),
        )
    }
    environments["GPU"] = {
        "lacks": [] if shutil.which("nvidia-smi") else ["a GPU: nvidia-smi was not found"],
        "note": "for Higgs with its real weights; nothing else needs it",
    }
    return {
        "engines": implementations(ENGINES),
        "taggers": implementations(TAGGERS),
        "listeners": implementations(LISTENERS),
        "data": data,
        "environments": environments,
    }
