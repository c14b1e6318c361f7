"""Sphinx extension of the book: numbers from result files, formulas, links to the hosted project, and what only a published site needs.

A site whose address is unknown (`hosting.site_url`) has no link previews, no sitemap and no page 404: all three name addresses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from harness.publish import formulas
from harness.publish.glossary_links import FirstUse
from harness.publish.hosting import BINDER, BRANCH, COLAB, fix_edit_links, repository_url, site_url
from harness.publish.numbers import load

KNOWN = ("https://github.com/", "https://gitlab.com/")
LAUNCH = {"colab_url": COLAB, "binderhub_url": BINDER, "notebook_interface": "jupyterlab"}
TITLE = "Can you hear the tag?"
SUBTITLE = "An executable book and evaluation harness for prosody tags"
CARD = "_static/card.png"  # the picture of a link preview, 1200 x 630 pixels
NOT_FOUND = {
    "title": "There is no such page",
    "body": "<h1>There is no such page</h1><p>It may have moved. The contents and the search lead to every page.</p>",
}


def setup(app: Any) -> dict[str, Any]:
    """Register the extension; called by Sphinx."""
    if site_url():
        app.setup_extension("sphinxext.opengraph")
        app.setup_extension("notfound.extension")
    formulas.setup(app)
    app.add_transform(FirstUse)
    app.connect("config-inited", configure, priority=400)  # before the extensions above check their settings
    app.connect("autodoc-process-docstring", keep_colon, priority=400)  # before napoleon reads it
    app.connect("html-page-context", drop_repeated_scripts, priority=900)
    app.connect("html-page-context", finish_page, priority=900)
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def configure(app: Any, config: Any) -> None:
    """Fill in the substitutions, the repository for edit and launch buttons, and the address of the site, if they are known."""
    config.myst_substitutions = {**config.myst_substitutions, **load()}
    url = repository_url()
    known = url.startswith(KNOWN)  # the theme supports no others
    buttons = {f"use_{name}_button": known for name in ("repository", "issues", "edit_page")}
    hosted = (
        {"repository_url": url, "repository_branch": BRANCH, "launch_buttons": LAUNCH}
        if known
        else {"launch_buttons": {}}
    )
    options = {name: value for name, value in config.html_theme_options.items() if name != "repository_url"}
    config.html_theme_options = options | buttons | hosted
    config.html_context = {**config.html_context, "source_type": "github"} if url else config.html_context
    if base := site_url():
        config.html_baseurl = config.ogp_site_url = base
        config.ogp_site_name, config.ogp_type = TITLE, "article"
        config.ogp_image, config.ogp_image_alt = base + CARD, f"{TITLE} A pitch curve with a tag."
        config.ogp_custom_meta_tags = ['<meta name="twitter:card" content="summary_large_image" />']
        config.notfound_urls_prefix, config.notfound_context = urlsplit(base).path, NOT_FOUND


def drop_repeated_scripts(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Drop repeated scripts: the theme and Jupyter Book both add sphinx-thebe's, and its second copy raises an error."""
    seen: set[str] = set()
    kept = []
    for script in context.get("script_files", []):
        key = str((getattr(script, "filename", script) or "", sorted(getattr(script, "attributes", {}).items())))
        if key not in seen:
            seen.add(key)
            kept.append(script)
    context["script_files"] = kept


def finish_page(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Fix the edit links, the title of the landing page, and docutils' list of references."""
    # docutils declares the references a list, but its entries are not list items.
    context["body"] = context.get("body", "").replace(
        '<div role="list" class="citation-list">', '<div class="citation-list">'
    )
    fix_edit_links(page, context.get("header_buttons", []))
    if page == app.config.root_doc:
        context["title"] = SUBTITLE  # its heading is the title of the book, which the theme appends to every title


def keep_colon(app: Any, what: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
    """Keep napoleon from reading the text before a colon in a property's docstring as its type."""
    if what in ("property", "attribute") and lines:
        lines[0] = lines[0].replace(": ", ", ", 1)


def write_sitemap(app: Any, error: Exception | None) -> None:
    """Write ``sitemap.xml`` and ``robots.txt`` if the address of the site is known; remove old ones if not.

    The package sphinx-sitemap lists only the pages that a build has written, and this book is built incrementally.
    """
    if error is not None or app.builder.name != "html":
        return
    files = {name: Path(app.outdir) / name for name in ("sitemap.xml", "robots.txt")}
    if base := site_url():
        rows = "".join(f"<url><loc>{escape(base + page)}.html</loc></url>\n" for page in sorted(app.env.found_docs))
        files["sitemap.xml"].write_text(
            f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{rows}</urlset>\n',
            encoding="utf-8",
        )
        files["robots.txt"].write_text(f"User-agent: *\nAllow: /\nSitemap: {base}sitemap.xml\n", encoding="utf-8")
    else:
        for path in files.values():
            path.unlink(missing_ok=True)
