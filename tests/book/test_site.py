"""The built site, as files and in a real browser. `make test` builds it first."""

import importlib
import inspect
import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from harness.paths import BOOK, BUILD, NOTEBOOKS, ROOT
from harness.publish.numbers import load
from harness.publish.verdicts import claims

HTML = BUILD / "html"
SCREENSHOTS = BUILD / "screenshots"
CHAPTERS = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
# The page 404, which only a site with an address has, needs that address for everything that it loads.
PAGES = sorted(
    str(p.relative_to(HTML)) for p in HTML.rglob("*.html") if "_static" not in p.parts and p.name != "404.html"
)
PROSE = [page for page in PAGES if page not in ("search.html", "genindex.html")]
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
    """On one page at least; that the link leads somewhere is the next test."""
    pages = [(HTML / page).read_text(encoding="utf-8") for page in PAGES if page.startswith("notebooks/")]
    boxes = [
        page.split(f'id="verdict-{claim}"')[1].split("</section>")[0]
        for page in pages
        if f'id="verdict-{claim}"' in page
    ]
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
    text = re.sub(r"\s+", " ", " ".join(Elements(HTML / "index.html").text))
    figures = load()
    for chapter, name in (
        ("ch07", "micro_f1"),
        ("ch07", "rules_f1"),
        ("ch10", "leak_found"),
        ("ch01", "where"),
        ("ch05", "leak_random"),
        ("ch11", "joint_recall"),
        ("ch12", "counted"),
    ):
        assert str(figures[chapter][name]) in text


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_chapter_carries_its_parameter_box(chapter):
    text = " ".join(Elements(HTML / "notebooks" / f"{chapter}.html").text)
    assert "Rerun this page with other parameters" in text
    assert f".venv/bin/papermill notebooks/{chapter}.ipynb out.ipynb" in re.sub(r"\s+", " ", text)
    assert json.loads((NOTEBOOKS / f"{chapter}.ipynb").read_text())["metadata"]["kernelspec"]["name"] in (
        "python3",
        "boson",
    )


# --- in a browser ----------------------------------------------------------------------------------------------------


def open_page(browser, page, scheme="light", width=1280, watch=None):
    """Open a page in a context of its own; `watch` is given the tab before anything is loaded."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab = context.new_page()
    if watch:
        watch(tab)
    tab.goto((HTML / page).as_uri())
    return context, tab


@pytest.mark.browser
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_a_page_opens_cleanly_and_is_accessible(browser, page, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    problems, outside = [], []

    def watch(tab):
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on("request", lambda request: outside.append(request.url) if request.url.startswith("http") else None)

    context, tab = open_page(browser, page, scheme, width, watch)
    # A colour that is still fading in when the machine is busy has less contrast than it will have.
    tab.evaluate("Promise.all(document.getAnimations().map(animation => animation.finished))")
    tab.wait_for_timeout(200)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=SCREENSHOTS / f"{Path(page).with_suffix('').as_posix().replace('/', '-')}-{scheme}-{width}.png")
    scrolls = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    results = Axe().run(tab, options={"preload": False, "resultTypes": ["violations"]}).response
    context.close()
    serious = [
        f"{v['id']}: {v['nodes'][0]['html'][:160]}"
        for v in results["violations"]
        if v["impact"] in ("serious", "critical")
    ]
    assert not serious, "\n".join(serious)
    assert (problems, outside) == ([], []) and (scrolls <= 0 or page not in PROSE)


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith(("notebooks/", "howto/"))])
def test_terms_are_linked_once_and_lead_to_the_glossary(page):
    found = [
        a["href"]
        for tag, a in Elements(HTML / page).found
        if tag == "a" and "glossary.html#term-" in (a.get("href") or "")
    ]
    assert len(found) == len(set(found))
    assert found or not page.startswith("notebooks/")


def test_every_package_is_in_the_api_reference_and_what_it_shows_is_documented():
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (BOOK / "reference" / "api").glob("*.md"))
    modules = re.findall(r"automodule:: (\S+)", sources)
    packages = {path.parent.name for path in (ROOT / "harness").glob("*/__init__.py")}
    assert packages - {"cli"} <= {module.split(".")[1] for module in modules}
    for name in modules:
        module = importlib.import_module(name)
        assert module.__doc__
        for label, thing in vars(module).items():
            if (
                not label.startswith("_")
                and getattr(thing, "__module__", "") == name
                and (inspect.isclass(thing) or inspect.isfunction(thing))
            ):
                assert inspect.getdoc(thing), f"{name}.{label} has no docstring"
