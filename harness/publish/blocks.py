"""Pieces of a page that exist as HTML and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from harness.publish.tables import table

_TEMPLATE = Path(__file__).with_name("report.html")


@dataclass(frozen=True)
class Block:
    """A piece of a page; `markdown` is empty if the piece exists only in HTML."""

    html: str
    markdown: str = ""


def literal(text: str) -> str:
    """Return text on one line with the characters escaped that would be markup inside a line or a cell; the rest stays readable."""
    return re.sub(r"([\\`*_<>\[\]|#~])", r"\\\1", " ".join(text.split()))


def heading(level: int, text: str, anchor: str = "") -> Block:
    """Return a heading; `anchor` is its id."""
    name = f' id="{escape(anchor, quote=True)}"' if anchor else ""
    return Block(f"<h{level}{name}>{escape(text)}</h{level}>", f"{'#' * level} {literal(text)}")


def paragraph(text: str) -> Block:
    """Return a paragraph of plain text."""
    return Block(f"<p>{escape(text)}</p>", literal(text))


def bullets(texts: Sequence[str]) -> Block:
    """Return a list."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return Block(f"<ul>{items}</ul>", "\n".join(f"- {literal(text)}" for text in texts))


def grid(pieces: Sequence[Any]) -> Block:
    """Return pieces that a notebook could show, such as figures, next to each other where there is room; HTML only."""
    return Block(f'<div class="grid">{"".join(f"<div>{piece._repr_html_()}</div>" for piece in pieces)}</div>')


def rows_table(rows: Sequence[Mapping[str, Any]], caption: str) -> Block:
    """Return a table of rows that share their keys; each caption on a page must be different."""
    if not rows:
        return Block("")
    lines = [f"**{literal(caption)}**", "", *(_line(cells) for cells in (rows[0], ["---"] * len(rows[0])))]
    return Block(table(rows, caption).html, "\n".join([*lines, *(_line(row.values()) for row in rows)]))


def _line(cells: Any) -> str:
    return f"| {' | '.join(cell if cell == '---' else literal(str(cell)) for cell in cells)} |"


def as_html(title: str, blocks: Sequence[Block]) -> str:
    """Return a page that needs no other file and no network."""
    parts = {"title": escape(title), "body": "\n".join(block.html for block in blocks)}
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _TEMPLATE.read_text(encoding="utf-8"))


def as_markdown(blocks: Sequence[Block]) -> str:
    """Return the same page as Markdown, without figures and clips."""
    return "\n\n".join(block.markdown for block in blocks if block.markdown) + "\n"
