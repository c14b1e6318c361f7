"""Predicates for the claims about the architecture (A1, A2, A3); ``data/claims.yaml`` has the sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.chapters.ch02_architecture.routing import AUDIO, TEXT, what_moved
from harness.higgs.accounting import BFLOAT16_BYTES, CHECKPOINT_BYTES, LLAMA, NATIVE_DEFAULT, ORIGINAL, sides
from harness.publish.verdicts import Found, predicate

CLAIMED = {"language model": 3.6, "audio": 2.2, "total": 5.8}  # billions, claim A1
# The licence of the weights cannot be checked offline. Source: the copy at neiom-systems/higgs-audio,
# models/tokenizer/LICENSE: "Boson Higgs Audio 2 Community License Agreement", 20 June 2025.
WEIGHTS_LICENCE = "Boson Higgs Audio 2 Community License"
_SAME_LOGITS = 1e-6  # relative; float32 rounding


def billions(parameters: int, digits: int = 2) -> str:
    """Return a number of parameters in billions: ``5.77 B``."""
    return f"{parameters / 1e9:.{digits}f} B"


@predicate("A1")
def judge_size(counts: Mapping[str, Any]) -> Found:
    """Judge A1 from the counts of both stacks; see `harness.higgs.accounting.parameters`."""
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
        return Found("other_counts", evidence, {"parts": ", ".join(wrong)})
    if language == llama:
        return Found("counts_match", evidence)
    return Found("counts_match_but_head", evidence, {"llama": billions(llama), "text_head": billions(language - llama)})


@predicate("A2")
def judge_pathways(
    routed: Sequence[Mapping[str, Any]], llama: Mapping[str, float], code: Sequence[Mapping[str, Any]]
) -> Found:
    """Judge A2: separate FFNs, a standard Llama for text, and DualFFN in transformers.

    Parameters
    ----------
    routed : sequence
        Results of `harness.chapters.ch02_architecture.routing.route` for the two FFNs and the attention, of any stacks.
    llama : mapping
        Stack -> `harness.chapters.ch02_architecture.routing.difference_to_llama`.
    code : sequence
        `harness.chapters.ch02_architecture.routing.dual_ffn_code` of both stacks.
    """
    moved = [(one["part"], what_moved(one)) for one in routed]
    ffns = [(here, (TEXT, AUDIO) if part.startswith(TEXT) else (AUDIO, TEXT))
            for part, here in moved if part.endswith("FFN")]  # fmt: skip
    separate = bool(ffns) and all(here[kind] and here[f"no {other}"] for here, (kind, other) in ffns)
    attention = [here for part, here in moved if part == "attention"]
    shared = bool(attention) and all(here[TEXT] and here[AUDIO] for here in attention)
    same = all(difference <= _SAME_LOGITS for difference in llama.values())
    releases = [one["transformers"] for one in code if one["in_transformers"]]
    evidence = {
        "text alone, against Llama": "; ".join(f"{stack}: largest difference {size:.1g}" for stack, size in llama.items()),
        "a changed FFN moves": "positions of its kind alone" if separate else "positions of both kinds",
        "changed attention moves": "positions of both kinds" if shared else "not all positions",
        "DualFFN in transformers": "; ".join(
            f"{one['transformers']}: {'`' + one['class'] + '`' if one['in_transformers'] else 'no'}" for one in code
        ),
    }  # fmt: skip
    figures = {"releases": ", ".join(releases)}
    if not (same and separate):
        return Found("other_pathways", evidence)
    if shared and releases:
        return Found("separate_but_both", evidence, figures)
    if shared:
        return Found("separate_but_shared_attention", evidence)
    return Found("separate_but_in_transformers" if releases else "separate", evidence, figures)


@predicate("A3")
def judge_licence(code: Sequence[Mapping[str, Any]]) -> Found:
    """Judge A3 from `harness.chapters.ch02_architecture.routing.dual_ffn_code` of both stacks."""
    evidence = {
        f"{one['package']} {one['version']}": f"licence file: {one['licence'] or 'none'}; metadata: "
        f"{', '.join(one['declared']) or 'nothing'}; source file: {one['header'] or 'says nothing'}"
        for one in code
    }
    evidence["the weights (looked up, not run here)"] = f"{WEIGHTS_LICENCE}, built on Meta's for Llama 3"
    closed = [one["package"] for one in code if not one["licence"].startswith("Apache License")]
    return Found("no_open_licence" if closed else "code_open", evidence, {"packages": ", ".join(closed)})
