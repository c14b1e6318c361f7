"""Predicates for the claims about loading (L1, L2, L3); ``data/claims.yaml`` has the sentences.

All take the reports of `harness.higgs.probe.matrix`, with one checkpoint labelled `ORIGINAL_TYPE` and one `NATIVE_TYPE`.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.higgs.probe import BOSON_LOADER, SETTINGS, LoadOutcome, StackReport
from harness.higgs.tiny import NATIVE_TYPE, ORIGINAL_TYPE
from harness.processes.stacks import NATIVE
from harness.publish.verdicts import Found, predicate

BARE, NEWER = "4.46.3 bare", "transformers 5"
SAID = "model type `higgs_audio` but Transformers does not recognize this architecture"  # the note's words, claim L2
_CAUSAL = "AutoModelForCausalLM"


@predicate("L1")
def judge_model_type(reports: Mapping[str, StackReport], model_type: str, checkpoint: str) -> Found:
    """Judge L1: the model type, and whether transformers knows it.

    Parameters
    ----------
    reports : mapping
        Stack -> report.
    model_type : str
        Value in config.json of the original checkpoint.
    checkpoint : str
        Description of that checkpoint: evidence from a tiny copy is weaker than evidence from the real one.
    """
    tried = {_release(reports, stack): _outcome(reports, stack, ORIGINAL_TYPE, "AutoConfig") for stack in (BARE, NEWER)}
    known = [release for release, outcome in tried.items() if outcome.loaded]
    newer = _outcome(reports, NEWER, NATIVE_TYPE, "AutoConfig")
    evidence = {
        "checkpoint": checkpoint,
        "`model_type` in its config.json": f"`{model_type}`",
        **{f"transformers {release}": _result(outcome) for release, outcome in tried.items()},
        f"transformers {_release(reports, NEWER)} on `{NATIVE_TYPE}`": _result(newer),
    }
    figures = {"model_type": model_type, "releases": ", ".join(known), "today": NATIVE_TYPE}
    if model_type != ORIGINAL_TYPE:
        return Found("other_revision", evidence, figures)
    if known:
        return Found("known", evidence, figures)
    return Found("unknown_but_today_known" if newer.loaded else "unknown", evidence, figures)


@predicate("L2")
def judge_message(reports: Mapping[str, StackReport]) -> Found:
    """Judge L2: the error message of the Auto class."""
    tried = {stack: _outcome(reports, stack, ORIGINAL_TYPE, _CAUSAL) for stack in reports}
    today = _outcome(reports, NEWER, NATIVE_TYPE, _CAUSAL)
    evidence = {f"`{ORIGINAL_TYPE}`, {stack}": _result(outcome) for stack, outcome in tried.items()}
    evidence[f"`{NATIVE_TYPE}`, {NEWER}"] = _result(today)
    same = [stack for stack, outcome in tried.items() if SAID in outcome.message]
    figures = {"bare": BARE, "outcome": _result(tried[BARE]), "stacks": " and in ".join(same), "today": _result(today)}
    if BARE not in same:
        return Found("other_outcome", evidence, figures)
    if SAID in today.message:
        return Found("same_everywhere", evidence, figures)
    return Found("same_but_today_loads" if today.loaded else "same_but_today_differs", evidence, figures)


@predicate("L3")
def judge_package(reports: Mapping[str, StackReport]) -> Found:
    """Judge L3: whether loading needs the package."""
    loads = [(label, stack, outcome.loader) for stack, report in reports.items() for label in (ORIGINAL_TYPE, NATIVE_TYPE)
             for outcome in report.outcomes[label] if outcome.ok and outcome.loader != "AutoConfig"]  # fmt: skip
    original = [(stack, loader) for label, stack, loader in loads if label == ORIGINAL_TYPE]
    imported = [(stack, loader) for stack, loader in original if SETTINGS[stack].before or loader == BOSON_LOADER]
    without = [load for load in original if load not in imported]
    native = [
        (stack, loader) for label, stack, loader in loads if label == NATIVE_TYPE and SETTINGS[stack].stack == NATIVE
    ]
    evidence = {
        f"`{ORIGINAL_TYPE}` loads with the package": _listed(imported),
        f"`{ORIGINAL_TYPE}` loads without it": _listed(without),
        f"`{NATIVE_TYPE}` loads without it": _listed(native),
    }
    if without:
        return Found("loads_without", evidence, {"loaders": _listed(without)})
    if not imported:
        return Found("nothing_loads", evidence)
    return Found("format_decides" if native else "package_needed", evidence, {"today": NATIVE_TYPE, "newer": NEWER})


def _listed(loads: list[tuple[str, str]]) -> str:
    return "; ".join(f"{loader} in {stack}" for stack, loader in loads) or "never"


def _outcome(reports: Mapping[str, StackReport], stack: str, label: str, loader: str) -> LoadOutcome:
    return next(one for one in reports[stack].outcomes[label] if one.loader == loader)


def _release(reports: Mapping[str, StackReport], stack: str) -> str:
    return str(reports[stack].versions["transformers"])


def _result(outcome: LoadOutcome) -> str:
    if outcome.loaded:
        return f"loads `{outcome.loaded}`" + ("" if outcome.ok else f" with {outcome.status}")
    return f"{outcome.exception}: {outcome.reason}" if outcome.reason else outcome.exception
