"""Every formula of the notebooks can be shown; the site would not be built otherwise."""

import re

import pytest

from harness.paths import NOTEBOOKS
from harness.publish.formulas import mathml
from harness.store import read_json


def test_every_formula_becomes_mathml():
    cells = [cell for path in NOTEBOOKS.glob("*.ipynb") for cell in read_json(path)["cells"]]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    found = re.findall(r"\$\$(.+?)\$\$", text, re.S)
    assert found
    for latex in found:
        made = mathml(latex.strip(), block=True)
        assert made.startswith("<math ") and 'display="block"' in made and "merror" not in made


def test_an_unknown_command_is_an_error():
    with pytest.raises(Exception, match="nonsense"):
        mathml(r"\nonsense{x}")
