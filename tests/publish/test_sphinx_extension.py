"""A small book, built as a published site: links open the right source, and previews, a sitemap and a page 404 come with it."""

import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import nbformat
import pytest

from harness.paths import ROOT
from harness.publish.hosting import SITE_VARIABLE, fix_edit_links, site_url
from harness.publish.sphinx_extension import SUBTITLE, write_sitemap

PAGES = ("index.html", "howto/rerun.html", "notebooks/07_tag_placement.html", "404.html")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build a small book whose address is known."""
    folder = tmp_path_factory.mktemp("site")
    stage = folder / "stage"
    (stage / "notebooks").mkdir(parents=True)
    (stage / "howto").mkdir()
    (stage / "index.md").write_text(
        "# A & B\n\nThis is the first paragraph of the landing page, which says what the book is about.\n"
    )
    (stage / "howto" / "rerun.md").write_text("# How\n\nShort: $a_1$.\n\n$$\n\\frac{a}{b}\n$$\n")
    (stage / "references.bib").write_text("")
    cell = nbformat.v4.new_markdown_cell("# Seven")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(
        nbformat.v4.new_notebook(cells=[cell], metadata=kernel), stage / "notebooks" / "07_tag_placement.ipynb"
    )
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nchapters:\n- file: howto/rerun\n- file: notebooks/07_tag_placement\n"
    )
    (stage / "_extra").mkdir()
    shutil.copytree(ROOT / "book" / "_static", stage / "_static")
    environment = {
        **os.environ,
        "GITHUB_REPOSITORY": "Some/book",
        "GITHUB_SERVER_URL": "https://github.com",
        SITE_VARIABLE: "",
    }
    program = Path(sys.executable).parent / "jupyter-book"
    done = subprocess.run(
        [program, "build", stage, "--config", ROOT / "_config.yml", "--toc", folder / "_toc.yml", "--path-output", folder, "-W", "-n"],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    html = folder / "_build" / "html"
    return html, {page: (html / page).read_text(encoding="utf-8") for page in PAGES}


def links(html):
    return re.findall(r'href="([^"]+)"', html.replace("&amp;", "&"))


def test_edit_buttons_open_the_source(built):
    _, html = built
    assert "https://github.com/Some/book/edit/main/book/howto/rerun.md" in links(html["howto/rerun.html"])
    assert "https://github.com/Some/book/edit/main/notebooks/07_tag_placement.ipynb" in links(
        html["notebooks/07_tag_placement.html"]
    )


def test_launch_buttons_open_the_notebook(built):
    _, html = built
    found = links(html["notebooks/07_tag_placement.html"])
    assert "https://colab.research.google.com/github/Some/book/blob/main/notebooks/07_tag_placement.ipynb" in found
    [binder] = [link for link in found if "mybinder.org" in link]
    assert "/v2/gh/Some/book/main" in binder and "notebooks/07_tag_placement.ipynb" in binder
    assert not any("mybinder" in link for link in links(html["howto/rerun.html"]))


def test_pages_have_a_preview_and_an_address(built):
    folder, html = built
    page = html["index.html"]
    assert '<meta property="og:title" content="A & B" />' in page
    assert 'og:description" content="This is the first paragraph' in page
    assert '<meta name="description" content="This is the first paragraph' in page
    assert '<meta property="og:url" content="https://some.github.io/book/index.html" />' in page
    assert '<meta property="og:image" content="https://some.github.io/book/_static/card.png" />' in page
    assert "https://some.github.io/book/howto/rerun.html" in links(html["howto/rerun.html"])  # canonical
    assert struct.unpack(">II", (folder / "_static" / "card.png").read_bytes()[16:24]) == (1200, 630)
    assert any("favicon.svg" in link for link in links(page))


def test_the_sitemap_lists_every_page_except_404(built):
    folder, _ = built
    found = [e.text for e in ElementTree.parse(folder / "sitemap.xml").iter() if e.tag.endswith("loc")]
    assert set(found) == {f"https://some.github.io/book/{page}" for page in PAGES if page != "404.html"}
    assert "sitemap.xml" in (folder / "robots.txt").read_text()


def test_the_missing_page_works_at_any_depth(built):
    page = built[1]["404.html"]
    assert "There is no such page" in page and "/book/notebooks/07_tag_placement.html" in links(page)
    loaded = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"', page)
    assert loaded and all(url.startswith(("/book/", "https://some.github.io/book/")) for url in loaded), loaded


@pytest.mark.parametrize(
    ("site", "repository", "url"),
    [("https://x.org/b", "", "https://x.org/b/"), ("", "A/b", "https://a.github.io/b/"), ("", "", "")],
)
def test_the_address_of_the_site(monkeypatch, site, repository, url):
    monkeypatch.setenv(SITE_VARIABLE, site)
    monkeypatch.setenv("GITHUB_REPOSITORY", repository)
    assert site_url() == url


def test_an_unknown_address_leaves_no_sitemap(tmp_path, monkeypatch):
    builder = SimpleNamespace(name="html")
    app = SimpleNamespace(builder=builder, outdir=tmp_path, env=SimpleNamespace(found_docs={"index"}))
    monkeypatch.setenv(SITE_VARIABLE, "https://x.org/")
    write_sitemap(app, None)
    assert "https://x.org/index.html" in (tmp_path / "sitemap.xml").read_text()
    monkeypatch.setenv(SITE_VARIABLE, "")
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    write_sitemap(app, None)
    assert not list(tmp_path.iterdir())


def test_the_guide_for_contributors_is_edited_in_its_own_place():
    buttons = [
        {
            "label": "group",
            "buttons": [{"label": "source-edit-button", "url": "https://x/edit/main/reference/contributing.md"}],
        }
    ]
    fix_edit_links("reference/contributing", buttons)
    assert buttons[0]["buttons"][0]["url"] == "https://x/edit/main/CONTRIBUTING.md"


def test_the_landing_page_has_its_title_once(built):
    page = built[1]["index.html"]
    title = re.search(r"<title>(.*?)</title>", page)[1]
    assert title.startswith(SUBTITLE) and title.count("Can you hear") <= 1
    assert not re.search(r'class="title logo__title">\s*</p>', page), "the logo's link needs a name"


def test_formulas_need_no_script(built):
    page = built[1]["howto/rerun.html"]
    assert re.search(r"<msub>\s*<mi>a</mi>\s*<mn>1</mn>\s*</msub>", page) and "<mfrac>" in page
    assert not any(re.search(r"<script[^>]*mathjax", html, re.I) for html in built[1].values())
