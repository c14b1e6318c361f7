"""The verdicts on the claims about the architecture (A1, A2, A3), from executed counts and runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.chapters.ch02_architecture.routing import AUDIO, TEXT, what_moved
from harness.higgs.accounting import BFLOAT16_BYTES, CHECKPOINT_BYTES, LLAMA, NATIVE_DEFAULT, ORIGINAL, sides
from harness.publish.verdicts import Verdict

CLAIMED = {"language model": 3.6, "audio": 2.2, "total": 5.8}  # billions, claim A1
# What cannot be checked without the network: the licence of the weights. Looked up in the copy at neiom-systems/higgs-audio,
# models/tokenizer/LICENSE: "Boson Higgs Audio 2 Community License Agreement", of 20 June 2025.
WEIGHTS_LICENCE = "Boson Higgs Audio 2 Community License"
_SAME_LOGITS = 1e-6  # relative; float32 rounding


def billions(parameters: int, digits: int = 2) -> str:
    """A number of parameters for people: ``5.77 B``."""
    return f"{parameters / 1e9:.{digits}f} B"


def judge_size(counts: Mapping[str, Any]) -> Verdict:
    """The verdict on A1; `counts` are those of both stacks, from `harness.higgs.accounting.parameters`."""
    original, llama = counts[ORIGINAL], counts[LLAMA]["total"]
    language, audio = sides(original["groups"])
    found = {"language model": language, "audio": audio, "total": original["total"]}
    evidence = {
        **{name: f"{billions(size, 3)}, claimed {CLAIMED[name]} B" for name, size in found.items()},
        "the checkpoint's index": f"{CHECKPOINT_BYTES:,} bytes of bf16: {billions(CHECKPOINT_BYTES // BFLOAT16_BYTES, 3)}",
        "Llama-3.2-3B by itself": billions(llama, 3),
        "native class, default": billions(counts[NATIVE_DEFAULT]["total"], 3),
    }
    wrong = [name for name, size in found.items() if round(size / 1e9, 1) != CLAIMED[name]]
    if wrong:
        return Verdict("A1", "refuted", f"Counted otherwise: {', '.join(wrong)}.", evidence)
    extra = language - llama
    if not extra:
        return Verdict("A1", "reproduced", "The three figures are the counted ones.", evidence)
    reading = (
        f"The three figures are the counted ones. But Llama-3.2-3B has {billions(llama)}: the language model inside Higgs has "
        f"a text head of its own, {billions(extra)} that Llama shares with its embedding."
    )
    return Verdict("A1", "reproduced, but", reading, evidence)


def judge_pathways(
    routed: Sequence[Mapping[str, Any]], llama: Mapping[str, float], code: Sequence[Mapping[str, Any]]
) -> Verdict:
    """The verdict on A2.

    Parameters
    ----------
    routed : sequence
        Results of `harness.chapters.ch02_architecture.routing.route` for the two FFNs and the attention, of any stacks.
    llama : mapping
        Stack -> `harness.chapters.ch02_architecture.routing.difference_to_llama`.
    code : sequence
        `harness.chapters.ch02_architecture.routing.dual_ffn_code` of both stacks.
    """
    said = [(one["part"], what_moved(one)) for one in routed]
    ffns = [
        (moved, (TEXT, AUDIO) if part.startswith(TEXT) else (AUDIO, TEXT))
        for part, moved in said
        if part.endswith("FFN")
    ]
    separate = bool(ffns) and all(moved[kind] and moved[f"no {other}"] for moved, (kind, other) in ffns)
    attention = [moved for part, moved in said if part == "attention"]
    shared = bool(attention) and all(moved[TEXT] and moved[AUDIO] for moved in attention)
    same = all(difference <= _SAME_LOGITS for difference in llama.values())
    natives = [f"transformers {one['transformers']}" for one in code if one["in_transformers"]]
    without = [one["transformers"] for one in code if not one["in_transformers"]]
    evidence = {
        "text alone, against Llama": "; ".join(
            f"{stack}: largest difference {size:.1g}" for stack, size in llama.items()
        ),
        "a changed FFN moves": "positions of its kind alone" if separate else "positions of both kinds",
        "changed attention moves": "positions of both kinds" if shared else "not all positions",
        "DualFFN in transformers": "; ".join(
            f"{one['transformers']}: {'`' + one['class'] + '`' if one['in_transformers'] else 'no'}" for one in code
        ),
    }
    if not (same and separate):
        return Verdict("A2", "refuted", "The pathways are not what the claim says: see the figures.", evidence)
    buts = []
    if shared:
        buts.append("both pathways share one attention, so text behind audio hears it")
    if natives:
        buts.append(f"{', '.join(natives)} has DualFFN" + (f" ({', '.join(without)} has not)" if without else ""))
    reading = "On text alone the network computes what Llama computes, and each kind of position has its own FFN."
    if not buts:
        return Verdict("A2", "reproduced", reading, evidence)
    return Verdict("A2", "reproduced, but", f"{reading} But {', and '.join(buts)}.", evidence)


def judge_licence(code: Sequence[Mapping[str, Any]]) -> Verdict:
    """The verdict on A3, from `harness.chapters.ch02_architecture.routing.dual_ffn_code` of both stacks."""
    evidence = {
        f"{one['package']} {one['version']}": f"licence file: {one['licence'] or 'none'}; metadata: "
        f"{', '.join(one['declared']) or 'nothing'}; source file: {one['header'] or 'says nothing'}"
        for one in code
    }
    evidence["the weights (looked up, not run here)"] = f"{WEIGHTS_LICENCE}, built on Meta's for Llama 3"
    closed = [one["package"] for one in code if not one["licence"].startswith("Apache License")]
    if closed:
        return Verdict("A3", "depends on the package", f"No open licence found in {', '.join(closed)}.", evidence)
    reading = (
        "The code of DualFFN is published twice under the Apache License 2.0. The weights have a licence of their own, which "
        "lets one use and change them under conditions, and calls them Boson's proprietary modification of Llama 3."
    )
    return Verdict("A3", "depends on whether code or weights are meant", reading, evidence)
