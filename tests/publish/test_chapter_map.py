"""The map that opens every chapter."""

import re

from harness.paths import NOTEBOOKS
from harness.publish.chapter_map import chapter_map, with_map


def test_every_chapter_is_on_the_map_and_one_is_lit():
    stems = {path.stem for path in NOTEBOOKS.glob("*.ipynb")}
    for chapter in stems:
        html = chapter_map(chapter)
        assert set(re.findall(r'href="([^"]+)\.html"', html)) == stems
        assert re.findall(r'href="([^"]+)\.html" class="map-lit" aria-current="page"', html) == [chapter]


def test_the_map_follows_the_title_on_one_line():
    title, empty, picture, *rest = with_map("# Title\n\nText.", "01_loading").split("\n")
    assert (title, empty, rest) == ("# Title", "", ["", "Text."]) and picture.endswith("</nav>")
