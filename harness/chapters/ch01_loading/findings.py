"""What chapter 01 found, in sentences that the outcomes of its loaders decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.chapters.ch01_loading.verdict import BARE, NEWER
from harness.higgs.memory_limit import COPIES, HEADROOM
from harness.higgs.probe import LoadOutcome, StackReport
from harness.higgs.tiny import NATIVE_TYPE, ORIGINAL_MODEL, ORIGINAL_REVISION, ORIGINAL_TYPE
from harness.publish.markup import code, literal

IMPORTED = "4.46.3 boson imported"
_CAUSAL = "AutoModelForCausalLM"


def crossed_found(reports: Mapping[str, StackReport]) -> str:
    """Return what the package's class does with a checkpoint in the format of transformers 5."""
    crossed = reports[BARE].outcomes[NATIVE_TYPE][-1]
    notes = "\n".join(f"- {literal(note)}" for note in crossed.notes)
    return (
        "The class `HiggsAudioModel` of the package, on a folder in the current format: "
        f"{crossed.status}, {crossed.exception or crossed.loaded}.\n\n{notes}\n\n"
        "It does not check the type. It looks for a nested `text_config`, finds none, and takes its defaults: the sizes of another, larger "
        f"model. The probe allows a loader {COPIES} times the size of the weights it was given plus {HEADROOM / 2**30:.0f} GiB, so this "
        "ends at once. Without that limit the operating system ends the process when the memory is full. The only warning is a line in "
        "the log, which the first of the notes above rephrases. Users of the package met this error when the repository changed "
        "([higgs-audio, issue 179](https://github.com/boson-ai/higgs-audio/issues/179))."
    )


def shortcuts_found(traps: Mapping[str, Sequence[LoadOutcome]], heads: int) -> str:
    """Return what the three shortcuts to the present format do; `heads` is the number of heads in the original config.json."""
    label, widened, moved = ({one.loader: one for one in traps[name]} for name in traps)
    native = moved["native"]
    return (
        f"- *New label*: {code(label['AutoConfig'].message.splitlines()[-1])} That number of heads is not in the file, which says {heads}. "
        "It is a default: the nested `text_config` was ignored.\n"
        f"- *New label, true width*: now `AutoConfig` returns a `{widened['AutoConfig'].loaded}` without a warning. Status here: "
        f"{widened['AutoConfig'].status} ({', '.join(widened['AutoConfig'].unread)}). The model fails later, with "
        f"`{widened['native'].exception or widened['native'].status}` at `{widened['native'].where}`, far from the cause.\n"
        f"- *Sizes moved*: a `{native.loaded}` comes back. But {native.missing} of its weights are not in the file and were set at random, "
        f"and {native.unexpected} weights of the file were not used. They belong to the embedding and the head of the audio codes. "
        "Such a model reads its text with trained weights and speaks with random ones.\n\n"
        "The last one is the dangerous one. transformers prints a table of such names, and goes on. So the probe calls it "
        f"*{native.status}*, never a success. Wherever this project loads Higgs, one missing or unused weight is an error. Converting a "
        "checkpoint correctly is a matter of names; chapter 04 does it exactly."
    )


def described(checkpoint: str, revision: str) -> str:
    """Describe the checkpoint in the original format that the page loads: `checkpoint` is ``tiny``, a folder or a hub name."""
    if checkpoint != "tiny":
        return f"{checkpoint} {revision}".strip()
    return (
        f"tiny: config.json has the fields of {ORIGINAL_MODEL} at revision {ORIGINAL_REVISION[:8]}, weights are random"
    )


def outcomes_as_json(reports: Mapping[str, StackReport]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return the outcomes of every stack by checkpoint format."""
    return {
        stack: {label: [one.as_json() for one in outcomes] for label, outcomes in report.outcomes.items()}
        for stack, report in reports.items()
    }


def every(reports: Mapping[str, StackReport]) -> list[LoadOutcome]:
    """Return the outcomes of all loaders, formats and stacks."""
    return [one for report in reports.values() for outcomes in report.outcomes.values() for one in outcomes]


def findings(reports: Mapping[str, StackReport]) -> dict[str, Any]:
    """Return the figures and sentences of "What we found" by name; other pages quote them, too."""
    bare, imported, newer = (
        {one.loader: one for one in reports[stack].outcomes[ORIGINAL_TYPE]} for stack in (BARE, IMPORTED, NEWER)
    )
    models = [one for one in every(reports) if one.loader != "AutoConfig"]
    upgrade = (
        "A newer transformers does not know the original format either, although its error message advises an upgrade."
    )
    if newer["AutoConfig"].loaded:
        upgrade = "A newer transformers loads the original format, as its error message suggests."
    return {
        "where": bare[_CAUSAL].where,
        "causal_lm_with_boson": imported[_CAUSAL].exception or "loads",
        "auto_model_with_boson": imported["AutoModel"].loaded or "fails",
        "boson_class": imported["boson"].loaded or "fails",
        "newer": "loads" if newer[_CAUSAL].loaded else "fails too",
        "models_tried": len(models),
        "models_loaded": sum(one.ok for one in models),
        "tried": len(every(reports)),
        "whole": sum(one.ok for one in every(reports)),
        "upgrade": upgrade,
    }
