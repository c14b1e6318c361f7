"""Sphinx extension of the book: numbers from result files, links to wherever the project is hosted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.publish import site_extras
from harness.publish.glossary_links import FirstUse
from harness.publish.hosting import BINDER, BRANCH, COLAB, repository_url
from harness.publish.numbers import load

KNOWN = ("https://github.com/", "https://gitlab.com/")
LAUNCH = {"colab_url": COLAB, "binderhub_url": BINDER, "notebook_interface": "jupyterlab"}


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_transform(FirstUse)
    app.connect("config-inited", configure)
    app.connect("autodoc-process-docstring", keep_colon, priority=400)  # before napoleon reads it
    app.connect("html-page-context", drop_repeated_scripts, priority=900)
    app.connect("html-page-context", dress, priority=900)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def configure(app: Any, config: Any) -> None:
    """Fill in the substitutions, and the repository for edit and launch buttons if it is known."""
    config.myst_substitutions = {**config.myst_substitutions, **load()}
    url = repository_url()
    options = {**config.html_theme_options}
    if url.startswith(KNOWN):  # the theme knows no others
        options |= {"repository_url": url, "use_repository_button": True, "use_issues_button": True,
                    "use_edit_page_button": True, "repository_branch": BRANCH, "launch_buttons": LAUNCH}  # fmt: skip
    else:
        for name in ("use_repository_button", "use_issues_button", "use_edit_page_button"):
            options[name] = False
        options["launch_buttons"] = {}
        options.pop("repository_url", None)
    config.html_theme_options = options
    config.html_context = {**config.html_context, "source_type": "github"} if url else config.html_context


def drop_repeated_scripts(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Keep one of equal scripts: theme and Jupyter Book both add sphinx-thebe's, and its second copy is an error."""
    seen: set[str] = set()
    kept = []
    for script in context.get("script_files", []):
        key = str((getattr(script, "filename", script) or "", sorted(getattr(script, "attributes", {}).items())))
        if key not in seen:
            seen.add(key)
            kept.append(script)
    context["script_files"] = kept


def dress(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Add what link previews and search engines read, and mend the edit links and docutils' list of references."""
    base = site_extras.site_url()
    # docutils calls it a list, and gives it entries that are no list items.
    context["body"] = context.get("body", "").replace(
        '<div role="list" class="citation-list">', '<div class="citation-list">'
    )
    site_extras.mend_edit_links(page, context.get("header_buttons", []))
    tags = site_extras.meta_tags(page, context.get("title", ""), context.get("body", ""), base)
    context["metatags"] = "\n".join(filter(None, (context.get("metatags", ""), tags)))
    if page == app.config.root_doc:
        context["title"] = site_extras.SUBTITLE  # its own is the book's, which the theme adds to every page's title
    if base:
        context["pageurl"] = f"{base}{page}.html"


def keep_colon(app: Any, what: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
    """Let napoleon not take what stands before a colon in a property's docstring for its type."""
    if what in ("property", "attribute") and lines:
        lines[0] = lines[0].replace(": ", ", ", 1)


def finish(app: Any, error: Exception | None) -> None:
    """Write what stands beside the pages."""
    if error is None and app.builder.name == "html":
        folder = Path(app.outdir)
        site_extras.draw_card(folder / site_extras.CARD)
        chapters = {
            page: app.env.titles[page].astext() for page in app.env.toctree_includes.get(app.config.root_doc, ())
        }
        site_extras.write_not_found(folder, site_extras.site_url(), chapters)
        site_extras.write_sitemap(folder, site_extras.site_url())
