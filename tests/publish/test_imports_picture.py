"""The picture of the imports, and the floors that the architecture page names."""

import re
from xml.etree import ElementTree

from harness.paths import BOOK, ROOT
from harness.publish.imports_picture import floors, imports, page, picture


def test_every_part_of_the_package_has_a_floor():
    parts = {path.stem for path in (ROOT / "harness").glob("*.py")} | {
        path.parent.name for path in (ROOT / "harness").glob("*/__init__.py")
    }
    assert {name for floor in floors() for name in floor} == parts - {"__init__", "__main__"}


def test_nothing_imports_from_above_and_a_floor_has_no_circles():
    place = {name: number for number, name in enumerate(name for floor in floors() for name in floor)}
    wrong = [pair for pair in imports() if pair[0] in place and pair[1] in place and place[pair[0]] >= place[pair[1]]]
    assert not wrong and imports()["cli", "publish"] > 3 and len(floors()) == 7


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
    found = re.search(r"(\d+) pairs of parts, (\d+) of them .* and (\d+) within", page())
    assert int(found[1]) == int(found[2]) + int(found[3])
