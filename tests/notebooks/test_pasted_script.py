"""The visible cells of a chapter, pasted into a file in order, run without a notebook."""

import json
import os
import subprocess

import pytest

from harness.paths import NOTEBOOKS, ROOT
from harness.processes.stacks import BOSON, NATIVE, python_of

LEFT_OUT = {"hide-input", "hide-cell", "remove-cell", "solution"}
# Values that make a chapter quick, as papermill would inject them.
QUICK = {
    "03_peft": "steps = target_steps = 2\nseeds = 1",
    "06_training": "epochs = 1",
}


def pasted(notebook, quick):
    """Return the visible code cells of a notebook as one script, with other parameters."""
    lines = []
    for cell in notebook["cells"]:
        tags = set(cell["metadata"].get("tags", ()))
        if cell["cell_type"] == "code" and not tags & LEFT_OUT:
            lines.append("".join(cell["source"]))
            lines += [quick] if "parameters" in tags else []
    return "\n\n".join(lines) + "\n"


@pytest.mark.notebook
@pytest.mark.parametrize("chapter", QUICK)
def test_the_visible_cells_run_as_a_script(chapter, tmp_path):
    notebook = json.loads((NOTEBOOKS / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    script = tmp_path / f"{chapter}.py"
    script.write_text(pasted(notebook, QUICK[chapter]), encoding="utf-8")
    stack = BOSON if notebook["metadata"]["kernelspec"]["name"] == "boson" else NATIVE
    done = subprocess.run(
        [python_of(stack), script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
