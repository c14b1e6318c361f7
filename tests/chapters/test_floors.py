"""The picture of the imports, and the floors that the architecture page names."""

import re
from xml.etree import ElementTree

from harness.chapters.floors import floors, imports, page, picture
from harness.paths import BOOK, ROOT


def test_every_part_of_the_package_has_a_floor():
    parts = {path.stem for path in (ROOT / "harness").glob("*.py")} | {
        path.parent.name for path in (ROOT / "harness").glob("*/__init__.py")
    }
    assert {name for floor in floors() for name in floor} == parts - {"__init__", "__main__"}


def test_nothing_imports_from_its_own_floor_or_from_above():
    level = {name: number for number, floor in enumerate(floors()) for name in floor}
    wrong = [pair for pair in imports() if pair[0] in level and pair[1] in level and level[pair[0]] >= level[pair[1]]]
    assert not wrong and imports()["cli", "report"] > 3


def test_the_architecture_page_has_the_floors_of_the_project():
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", (BOOK / "reference" / "architecture.md").read_text(), re.M)
    shown = {int(number): set(re.findall(r"`(\w+)`", names)) for number, names in rows}
    assert shown == {len(floors()) - k: set(floor) for k, floor in enumerate(floors())}


def test_the_picture_is_well_formed_and_says_what_it_shows():
    root = ElementTree.fromstring(picture())
    circles = [e for e in root.iter() if e.tag.endswith("circle")]
    parts = sum(map(len, floors()))
    assert len(circles) > 40 and f"{parts} parts on {len(floors())} floors" in root.get("aria-label")
    assert all(float(c.get("cx")) > float(c.get("cy")) for c in circles)  # right of the diagonal
    found = re.search(r"(\d+) pairs of parts, (\d+) of them", page())
    assert found[1] == found[2]
