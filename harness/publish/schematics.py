"""Schematic drawings of mechanisms: SVG files that a notebook shows as images, and that become part of its page.

Inside the page they follow the theme's colours, and a screen reader reads their title and description. In JupyterLab and on GitHub
the same files are plain images; their `<style>` is for that and is left out of the page.
"""

from __future__ import annotations

import re

from harness.paths import BOOK

DRAWINGS = BOOK / "_static" / "schematics"
IMAGE = re.compile(r"!\[([^\]]*)\]\(\.\./book/_static/schematics/(\w+)\.svg\)")


def with_drawings(source: str) -> str:
    """Return the text of a Markdown cell with its images of drawings replaced by the drawings."""
    return IMAGE.sub(lambda image: drawing(image[2]), source)


def drawing(name: str) -> str:
    """Return a drawing as one line of HTML: to Markdown, an empty line would be the end of it."""
    svg = (DRAWINGS / f"{name}.svg").read_text(encoding="utf-8")
    lines = re.sub(r"<style>.*?</style>", "", svg, flags=re.DOTALL).splitlines()
    return f'<div class="schematic">{" ".join(line.strip() for line in lines if line.strip())}</div>'
