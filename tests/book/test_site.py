"""The files of the built site. `make test` builds it first."""

import importlib
import inspect
import json
import re
from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from site_pages import HTML, PAGES, PROSE

from harness.paths import BOOK, NOTEBOOKS, ROOT
from harness.publish.numbers import load
from harness.publish.verdicts import claims

CHAPTERS = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
MAX_PAGE_BYTES, MAX_LANDING_BYTES = 3_000_000, 500_000


@cache  # several tests look at each page
class Elements(HTMLParser):
    """All start tags with their attributes, and the text."""

    def __init__(self, path):
        super().__init__()
        self.found, self.text = [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


@cache
def ids_of(path):
    return {attributes.get("id") for _, attributes in Elements(path).found}


def test_the_site_has_every_chapter():
    assert PAGES, "the site is not built: make book"
    assert {f"notebooks/{chapter}.html" for chapter in CHAPTERS} | {"index.html"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_loaded_from_another_host(page):
    loading = {"script": "src", "img": "src", "iframe": "src", "audio": "src", "source": "src"}
    for tag, attributes in Elements(HTML / page).found:
        url = attributes.get(loading.get(tag, ""), "") or ""
        if tag == "link" and attributes.get("rel") not in ("canonical", "next", "prev", "search", "author", "index"):
            url = attributes.get("href", "")
        assert not url.startswith(("http:", "https:", "//")), f"{tag} loads {url}"


@pytest.mark.parametrize("claim", sorted(claims()))
def test_every_verdict_links_to_its_cells(claim):
    """On at least one page; the next test follows the links."""
    start = f'id="verdict-{claim}"'
    pages = [(HTML / page).read_text(encoding="utf-8") for page in PAGES if page.startswith("notebooks/")]
    boxes = [page.split(start)[1].split("</section>")[0] for page in pages if start in page]
    assert boxes and all('Shown under <a href="#' in box for box in boxes)


@pytest.mark.parametrize("page", PAGES)
def test_local_links_lead_somewhere(page):
    here = HTML / page
    for tag, attributes in Elements(here).found:
        link = urlsplit(attributes.get("href") or "")
        if tag != "a" or link.scheme or link.netloc:
            continue
        target = (here.parent / unquote(link.path)).resolve() if link.path else here
        assert target.exists(), f"{page} links to {link.path}"
        if link.fragment and target.suffix == ".html":
            assert unquote(link.fragment) in ids_of(target), f"{page} links to {link.path}#{link.fragment}"


@pytest.mark.parametrize("page", PROSE)
def test_figures_have_text_alternatives_and_numbers_are_filled_in(page):
    elements = Elements(HTML / page)
    for tag, attributes in elements.found:
        if tag == "img" and "harness-figure" in (attributes.get("class") or ""):
            assert len(attributes.get("alt") or "") > 40
        if tag == "audio":
            assert attributes.get("aria-label")
    for caption in re.findall(r"<figcaption>(.*?)</figcaption>", (HTML / page).read_text(encoding="utf-8"), re.DOTALL):
        assert re.search(r"\d", caption), f"{page}: a caption without a figure: {caption}"
    text = " ".join(elements.text)
    assert "Traceback" not in text
    assert "{{" not in text or page.startswith("reference/api/")  # where the way of quoting numbers is explained
    limit = MAX_LANDING_BYTES if page == "index.html" else MAX_PAGE_BYTES
    assert (HTML / page).stat().st_size < limit


def test_prose_quotes_the_result_files():
    figures = load()
    quoted = {
        "index.html": "ch10.obey_hibari ch12.counted",
        "notebooks/12_claims.html": "ch07.micro_f1 ch07.rules_f1 ch10.leak_found ch01.where ch11.joint_recall ch12.counted",
    }
    for page, names in quoted.items():
        text = re.sub(r"\s+", " ", " ".join(Elements(HTML / page).text))
        for chapter, name in (one.split(".") for one in names.split()):
            assert str(figures[chapter][name]) in text


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_chapter_has_its_parameter_box(chapter):
    text = " ".join(Elements(HTML / "notebooks" / f"{chapter}.html").text)
    assert "Rerun this page with other parameters" in text
    assert f".venv/bin/papermill notebooks/{chapter}.ipynb out.ipynb" in re.sub(r"\s+", " ", text)
    kernel = json.loads((NOTEBOOKS / f"{chapter}.ipynb").read_text())["metadata"]["kernelspec"]["name"]
    assert kernel in ("python3", "boson")


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith(("notebooks/", "howto/"))])
def test_terms_are_linked_once_and_lead_to_the_glossary(page):
    links = [attributes.get("href") or "" for tag, attributes in Elements(HTML / page).found if tag == "a"]
    found = [link for link in links if "glossary.html#term-" in link]
    assert len(found) == len(set(found))
    assert found or not page.startswith("notebooks/")


def test_every_package_is_in_the_api_reference_with_docstrings():
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (BOOK / "reference" / "api").glob("*.md"))
    modules = re.findall(r"automodule:: (\S+)", sources)
    packages = {path.parent.name for path in (ROOT / "harness").glob("*/__init__.py")}
    assert packages - {"cli"} <= {module.split(".")[1] for module in modules}
    for name in modules:
        module = importlib.import_module(name)
        assert module.__doc__
        for label, member in inspect.getmembers(module, lambda one: inspect.isclass(one) or inspect.isfunction(one)):
            if not label.startswith("_") and member.__module__ == name:
                assert inspect.getdoc(member), f"{name}.{label} has no docstring"
