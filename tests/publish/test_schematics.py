"""The drawings of mechanisms."""

import json
import re
from xml.etree import ElementTree

import pytest

from harness.paths import NOTEBOOKS
from harness.publish.schematics import DRAWINGS, IMAGE, with_drawings

NAMES = sorted(path.stem for path in DRAWINGS.glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


def named_images():
    """Return the text alternative and the name of each image of a drawing in the notebooks."""
    cells = [cell for path in NOTEBOOKS.glob("*.ipynb") for cell in json.loads(path.read_text())["cells"]]
    return [image for cell in cells for image in IMAGE.findall("".join(cell["source"]))]


def test_each_drawing_is_in_one_chapter_under_its_title():
    titles = {name: ElementTree.parse(DRAWINGS / f"{name}.svg").find(f"{SVG}title").text for name in NAMES}
    assert sorted(named_images()) == sorted((title, name) for name, title in titles.items())


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_is_one_line_that_screen_readers_can_read(name):
    before, html, after = with_drawings(f"Text.\n![T](../book/_static/schematics/{name}.svg)\nMore.").split("\n")
    assert (before, after) == ("Text.", "More.")
    root = ElementTree.fromstring(html)[0]
    title, description = (root.find(SVG + part) for part in ("title", "desc"))
    assert root.get("role") == "img" and root.get("aria-labelledby").split() == [title.get("id"), description.get("id")]
    assert title.text.startswith("Schematic: ") and len(description.text) > 100
    assert "schematic" in [text.text for text in root.iter(f"{SVG}text")] and "<style>" not in html


@pytest.mark.parametrize("name", NAMES)
def test_text_can_be_read_on_a_phone(name):
    """The column of a screen of 390 pixels is 358 wide."""
    svg = (DRAWINGS / f"{name}.svg").read_text()
    width = float(re.search(r'viewBox="0 0 (\d+)', svg)[1])
    assert all(float(size) * 358 / width >= 11 for size in re.findall(r'font-size="([\d.]+)"', svg))
