"""Count the lines of code that the training took. The note estimated hours; lines can still be counted afterwards."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from harness.publish.code_lines import code_lines

# What the note says a custom training needs, and the modules in which this project has it.
NEEDS = {
    "the package, loaded in a second environment": ("processes", "processes.stacks", "higgs.checkpoints"),
    "its architecture, formats and names": ("higgs.formats", "higgs.lora"),
    "data: recordings, codes, delayed labels": ("higgs.samples", "higgs.codec", "higgs.delay", "higgs.batches"),
    "a loss over text and codebooks": ("higgs.labels",),
    "a training loop, saving, resuming": ("higgs.train_config", "higgs.trainer", "higgs.training"),
    "generation, to see what was learned": ("higgs.generate",),
    "conversion to the other format": ("higgs.convert",),
}


def effort() -> list[dict[str, object]]:
    """Return the modules and their lines of code for each of `NEEDS`."""
    return [
        {"need": need, "modules": list(modules), "lines": sum(code_lines(_path(name)) for name in modules)}
        for need, modules in NEEDS.items()
    ]


def _path(name: str) -> Path:
    spec = find_spec(f"harness.{name}")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin)
