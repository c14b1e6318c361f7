"""Rows of the placement benchmark's result file: select them, and name systems and ablations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BASES = {"embedded": "gpt2-mini", "smollm2": "SmolLM2-135M"}
TAGS_FROZEN = "tag rows frozen"


def select(rows: Sequence[Mapping[str, Any]], kind: str, **parameters: Any) -> list[Mapping[str, Any]]:
    """Return the rows of one kind that were measured with these parameters."""
    return [
        row
        for row in rows
        if row["kind"] == kind
        and "figures" in row
        and all(row["parameters"].get(name) == value for name, value in parameters.items())
    ]


def system_name(parameters: Mapping[str, Any]) -> str:
    """Return the name under which a tagger and its base are shown."""
    base = str(parameters.get("base_model"))
    uses_base = parameters["tagger"] in ("lm_features", "lm_slots", "gpt2")
    return f"{parameters['tagger']} on {BASES.get(base, base)}" if uses_base else parameters["tagger"]


def ablation_name(settings: Mapping[str, Any]) -> str:
    """Return a description of what an ablation changes."""
    names = {
        ("tag_embeddings", "frozen"): TAGS_FROZEN,
        ("tag_embeddings", "modules_to_save"): "modules_to_save",
        ("prompt_format", "once"): "sentence once",
        ("mask_pads", False): "pads in the loss",
        ("objective", "both"): "also writes (chapter 06)",
    }
    changed = [names.get((key, value), f"{key.replace('_', ' ')} {value}") for key, value in settings.items()
               if (key, value) != ("objective", "read")]  # fmt: skip
    return ", ".join(changed) or "reads only"
