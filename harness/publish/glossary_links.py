"""Link the first use of each glossary term on a page, for readers who skip chapters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

from harness.paths import BOOK

GLOSSARY = BOOK / "reference" / "glossary.md"
FOLDERS = ("notebooks/", "howto/")
# Words with mostly their everyday meaning. They are linked only where the text does so itself, with {term}.
EVERYDAY = frozenset(
    {"word", "tag", "arm", "head", "hit", "leak", "margin", "null", "stack", "micro and macro", "checkpoint"}
)
_NOT_INSIDE = (nodes.title, nodes.literal, nodes.reference, nodes.table, nodes.caption, nodes.term, nodes.raw,
               addnodes.pending_xref, nodes.footnote, nodes.citation, nodes.math, nodes.math_block)  # fmt: skip


@cache
def terms() -> tuple[str, ...]:
    """Return the glossary terms that are linked, longest first."""
    text = GLOSSARY.read_text(encoding="utf-8").split(":::{glossary}")[1].split("\n:::")[0]
    found = [line for line in text.splitlines() if line and not line.startswith(" ")]
    return tuple(sorted((term for term in found if term.lower() not in EVERYDAY), key=len, reverse=True))


@cache
def _pattern() -> re.Pattern[str]:
    spelled = "|".join(r"\s+".join(map(re.escape, term.split())) for term in terms())  # a line may end within a term
    return re.compile(rf"(?<![\w-])({spelled})(s?)(?![\w-])", re.I)


def _name(match: re.Match[str]) -> str:
    return " ".join(match[1].lower().split())


class FirstUse(SphinxTransform):
    """Link the first use of a term in a paragraph; titles, code, links and tables are left unchanged."""

    default_priority = 750  # after the parser's own, before references are resolved

    def apply(self, **kwargs: Any) -> None:
        """Link the terms of a page; called by Sphinx."""
        if self.env.docname.startswith(FOLDERS):
            link(self.document, self.env.docname)


def link(document: nodes.document, page: str) -> None:
    """Link the terms of one page; those that it links itself count as used."""
    used = {
        node["reftarget"].lower() for node in document.findall(addnodes.pending_xref) if node.get("reftype") == "term"
    }
    names = {term.lower(): term for term in terms()}
    for text in list(_running(document)):
        pieces: list[nodes.Node] = []
        rest = str(text)
        while rest:
            found = next((m for m in _pattern().finditer(rest) if _name(m) not in used), None)
            if found is None:
                break
            used.add(_name(found))
            pieces += [nodes.Text(rest[: found.start()]), _reference(found[0], names[_name(found)], page)]
            rest = rest[found.end() :]
        if pieces and text.parent is not None:
            text.parent.replace(text, [*pieces, nodes.Text(rest)])


def _running(document: nodes.document) -> Iterator[nodes.Text]:
    """Yield the text of paragraphs, without titles, code, links and tables."""
    for paragraph in document.findall(nodes.paragraph):
        if _has_ancestor(paragraph, (nodes.table, nodes.footnote, nodes.citation)):
            continue
        for text in paragraph.findall(nodes.Text):
            if not _has_ancestor(text, _NOT_INSIDE):
                yield text


def _has_ancestor(node: nodes.Node, kinds: tuple[type, ...]) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def _reference(shown: str, term: str, page: str) -> addnodes.pending_xref:
    inner = nodes.inline(shown, shown, classes=["xref", "std", "std-term"])
    return addnodes.pending_xref(
        "", inner, refdomain="std", reftype="term", reftarget=term, refexplicit=True, refwarn=True, refdoc=page
    )
