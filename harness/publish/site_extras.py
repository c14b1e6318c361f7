"""What makes pages a site: edit links, a card for links to it, a sitemap, and a page for what is not there."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from html import escape, unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SITE_VARIABLE = "HARNESS_SITE_URL"
CARD = "_static/card.png"
CARD_SIZE = (1200, 630)  # pixels, the format that link previews expect
LEAD = 200  # characters of a page's first paragraph that describe it
# Pages whose source is not in book/.
_ELSEWHERE = {"reference/contributing": "CONTRIBUTING.md", "reference/security": "SECURITY.md"}
_PLAIN = (
    ":root{color-scheme:light dark}body{font:1.1rem/1.6 system-ui,sans-serif;margin:15vh auto;max-width:34rem;padding:0 1rem}"
    "body{background:#fff;color:#1a1a1a}a{color:#0a4f94}"
    "@media(prefers-color-scheme:dark){body{background:#14181e;color:#e8e8e8}a{color:#8cc4ff}}"
)
TITLE = "Can you hear the tag?"
SUBTITLE = "An executable book and evaluation harness for prosody tags"


def site_url() -> str:
    """Where the site is published, with a slash at its end: from `HARNESS_SITE_URL`, else GitHub Pages of the repository; or empty."""
    if url := os.environ.get(SITE_VARIABLE):
        return url.rstrip("/") + "/"
    owner, _, name = os.environ.get("GITHUB_REPOSITORY", "").partition("/")
    return f"https://{owner.lower()}.github.io/{name}/" if name else ""


def mend_edit_links(pagename: str, buttons: list[dict[str, Any]]) -> None:
    """Let edit buttons open the source: pages are staged, and all but the notebooks come from ``book/``."""
    if pagename.startswith("notebooks/"):
        return
    for button in buttons:
        mend_edit_links(pagename, button.get("buttons", []))
        if button.get("label") == "source-edit-button":
            source = _ELSEWHERE.get(pagename, f"book/{pagename}.md")
            button["url"] = button["url"].replace(f"/{pagename}.md", f"/{source}")


def meta_tags(pagename: str, title: str, body: str, base: str) -> str:
    """Description and preview of a page, for search engines and for whoever gets a link to it."""
    lead = first_paragraph(body)
    plain = unescape(re.sub(r"<[^>]+>", "", title))
    tags = {"og:title": plain, "og:type": "article", "og:site_name": TITLE, "og:description": lead}
    if base:
        tags |= {
            "og:url": f"{base}{pagename}.html",
            "og:image": f"{base}{CARD}",
            "og:image:alt": f"{TITLE} A pitch curve with a tag.",
        }
    lines = [f'<meta property="{name}" content="{escape(text, quote=True)}">' for name, text in tags.items() if text]
    lines.append(f'<meta name="description" content="{escape(lead, quote=True)}">' if lead else "")
    lines.append(f'<meta name="twitter:card" content="{"summary_large_image" if base else "summary"}">')
    return "\n".join(filter(None, lines))


def first_paragraph(body: str) -> str:
    """The text of the first paragraph that is more than a few words, in at most `LEAD` characters."""
    for found in re.finditer(r"<p(?: [^>]*)?>(.*?)</p>", body, re.S):
        text = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", found[1]))).strip()
        if len(text) > 40:
            return text if len(text) <= LEAD else text[:LEAD].rsplit(" ", 1)[0] + " …"
    return ""


def not_found(base: str, pages: Mapping[str, str]) -> str:
    """The page 404, which a server shows for any address that it does not have, at any depth: a way to each of `pages`.

    It loads nothing, so that it looks the same everywhere. Its links start at the server's root if the address of the site is
    known; without, they are right beside the landing page only.

    Parameters
    ----------
    base : str
        From `site_url`.
    pages : mapping
        Page, without its ending -> title, in the order of the book.
    """
    root = escape(urlsplit(base).path, quote=True)
    links = {"index": TITLE, "search": "Search the book", **pages}
    listed = "".join(
        f'<li><a href="{root}{escape(page, quote=True)}.html">{escape(title)}</a></li>' for page, title in links.items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="robots" content="noindex">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>There is no such page - {escape(TITLE)}</title><style>{_PLAIN}</style></head>"
        f"<body><main><h1>There is no such page</h1><p>It was moved, or it never was.</p><ul>{listed}</ul></main></body></html>\n"
    )


def sitemap(pages: list[str], base: str) -> str:
    """A sitemap of the pages (sitemaps.org, protocol 0.9)."""
    rows = "".join(f"  <url><loc>{escape(base)}{escape(page)}</loc></url>\n" for page in sorted(pages))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{rows}</urlset>\n'


def write_not_found(folder: Path, base: str, pages: Mapping[str, str]) -> None:
    """Write ``404.html``; see `not_found`."""
    (folder / "404.html").write_text(not_found(base, pages), encoding="utf-8")


def write_sitemap(folder: Path, base: str) -> None:
    """Write ``sitemap.xml`` and ``robots.txt`` if the address of the site is known; take old ones away if not."""
    pages = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.html")
        if "_static" not in path.parts and path.name not in ("404.html", "search.html", "genindex.html")
    ]
    if base:
        (folder / "sitemap.xml").write_text(sitemap(pages, base), encoding="utf-8")
        (folder / "robots.txt").write_text(f"User-agent: *\nAllow: /\nSitemap: {base}sitemap.xml\n", encoding="utf-8")
    else:
        (folder / "sitemap.xml").unlink(missing_ok=True)
        (folder / "robots.txt").unlink(missing_ok=True)


def draw_card(path: Path) -> None:
    """Draw the picture that stands beside links to the site: a pitch curve that rises where the tag is."""
    import matplotlib.pyplot as plt
    import numpy as np

    width, height = CARD_SIZE
    figure = plt.figure(figsize=(width / 100, height / 100), dpi=100, facecolor="#10243e")
    axis = figure.add_axes((0.06, 0.1, 0.88, 0.36))
    x = np.linspace(0, 10, 400)
    axis.plot(x, 0.25 * np.sin(1.7 * x) - 0.05 * x, color="#9ecae1", linewidth=6, alpha=0.55)
    axis.plot(
        x, 0.25 * np.sin(1.7 * x) - 0.05 * x + 1.4 * np.exp(-((x - 3.6) ** 2) / 0.5), color="#f0b429", linewidth=7
    )
    axis.set_axis_off()
    figure.text(0.06, 0.8, TITLE, fontsize=52, color="white", fontweight="bold")
    figure.text(0.06, 0.66, "We <emph> guarantee 30% savings.", fontsize=32, color="#f0b429", family="monospace")
    figure.text(0.06, 0.56, SUBTITLE, fontsize=24, color="#d7e3f0")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, facecolor=figure.get_facecolor())
    plt.close(figure)
