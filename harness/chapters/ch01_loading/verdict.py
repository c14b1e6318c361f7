"""The verdicts on the claims about loading (L1, L2, L3), from executed outcomes and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from harness.higgs.probe import BOSON_LOADER, SETTINGS, LoadOutcome, StackReport
from harness.higgs.stacks import BOSON, NATIVE
from harness.higgs.tiny import NATIVE_TYPE, ORIGINAL_TYPE
from harness.publish.verdicts import Verdict

BARE, NEWER = "4.46.3 bare", "transformers 5"
SAID = "model type `higgs_audio` but Transformers does not recognize this architecture"  # the note's words, claim L2
_CAUSAL = "AutoModelForCausalLM"


def judge_loading(reports: Mapping[str, StackReport], model_type: str, checkpoint: str) -> list[Verdict]:
    """The verdicts on L1, L2 and L3.

    Parameters
    ----------
    reports : mapping
        From `harness.higgs.probe.matrix`, with one checkpoint labelled `ORIGINAL_TYPE` and one `NATIVE_TYPE`.
    model_type : str
        What config.json of the former says.
    checkpoint : str
        What the former is, in words: evidence from a tiny copy is weaker than from the true one.
    """
    return [_model_type(reports, model_type, checkpoint), _message(reports), _package(reports)]


def _model_type(reports: Mapping[str, StackReport], model_type: str, checkpoint: str) -> Verdict:
    tried = {stack: _one(reports, stack, ORIGINAL_TYPE, "AutoConfig") for stack in (BARE, NEWER)}
    unknown = [stack for stack, one in tried.items() if not one.loaded]
    newer = _one(reports, NEWER, NATIVE_TYPE, "AutoConfig")
    evidence = {
        "checkpoint": checkpoint,
        "`model_type` in its config.json": f"`{model_type}`",
        **{f"transformers {_release(reports, stack)}": _result(one) for stack, one in tried.items()},
        f"transformers {_release(reports, NEWER)} on `{NATIVE_TYPE}`": _result(newer),
    }
    if model_type != ORIGINAL_TYPE:
        return Verdict("L1", "depends on the revision", f"This checkpoint says `{model_type}`.", evidence)
    if len(unknown) < len(tried):
        known = ", ".join(_release(reports, stack) for stack in tried if stack not in unknown)
        return Verdict("L1", "refuted", f"transformers {known} knows the type.", evidence)
    reading = f"The type is `{model_type}`, and no transformers tried here knows it."
    if not newer.loaded:
        return Verdict("L1", "reproduced", reading, evidence)
    reading += (
        f" But it is the type of the 2025 revision: today's format, `{NATIVE_TYPE}`, the newer release does know."
    )
    return Verdict("L1", "reproduced, but", reading, evidence)


def _message(reports: Mapping[str, StackReport]) -> Verdict:
    tried = {stack: _one(reports, stack, ORIGINAL_TYPE, _CAUSAL) for stack in reports}
    same = [stack for stack, one in tried.items() if SAID in one.message]
    today = _one(reports, NEWER, NATIVE_TYPE, _CAUSAL)
    evidence = {f"`{ORIGINAL_TYPE}`, {stack}": _result(one) for stack, one in tried.items()}
    evidence[f"`{NATIVE_TYPE}`, {NEWER}"] = _result(today)
    if BARE not in same:
        reading = f"{BARE} does not say so here: {_result(tried[BARE])}."
        return Verdict("L2", "refuted", reading, evidence)
    reading = f"Word for word, in {' and in '.join(same)}."
    if SAID in today.message:
        return Verdict("L2", "reproduced", reading, evidence)
    outcome = "loads" if today.loaded else "fails with another message"
    reading += f" But on a checkpoint of today's format the same line {outcome} in {NEWER}: {_result(today)}."
    return Verdict("L2", "reproduced, but", reading, evidence)


def _package(reports: Mapping[str, StackReport]) -> Verdict:
    without: list[str] = []
    with_package: list[str] = []
    for stack, report in reports.items():
        for one in report.outcomes[ORIGINAL_TYPE]:
            if one.ok and one.loader != "AutoConfig":
                imported = bool(SETTINGS[stack].before) or one.loader == BOSON_LOADER
                (with_package if imported else without).append(f"{one.loader} in {stack}")
    native = [f"{one.loader} in {stack}" for stack, report in reports.items() if SETTINGS[stack].stack == NATIVE
              for one in report.outcomes[NATIVE_TYPE] if one.ok and one.loader != "AutoConfig"]  # fmt: skip
    evidence = {
        f"`{ORIGINAL_TYPE}` loads with the package": "; ".join(with_package) or "never",
        f"`{ORIGINAL_TYPE}` loads without it": "; ".join(without) or "never",
        f"`{NATIVE_TYPE}` loads without it": "; ".join(native) or "never",
    }
    if without:
        return Verdict(
            "L3", "refuted", f"The original format loads without the package: {'; '.join(without)}.", evidence
        )
    if not with_package:
        return Verdict(
            "L3", "not run here", f"Nothing loaded the original format, not even in the {BOSON} stack.", evidence
        )
    reading = "The original format loads only with the package."
    if not native:
        return Verdict("L3", "reproduced", reading, evidence)
    reading += f" The format of today's repository, `{NATIVE_TYPE}`, loads with {NEWER} alone."
    return Verdict("L3", "depends on the checkpoint's format", reading, evidence)


def _one(reports: Mapping[str, StackReport], stack: str, label: str, loader: str) -> LoadOutcome:
    return next(one for one in reports[stack].outcomes[label] if one.loader == loader)


def _release(reports: Mapping[str, StackReport], stack: str) -> str:
    return str(reports[stack].versions["transformers"])


def _result(one: LoadOutcome) -> str:
    if one.loaded:
        return f"loads `{one.loaded}`" + ("" if one.ok else f" with {one.status}")
    return f"{one.exception}: {one.reason}" if one.reason else one.exception
