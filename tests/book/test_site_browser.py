"""The built site in a real browser, from the disk, on a wide light screen and on a narrow dark one. `make test` builds it first."""

from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from harness.paths import BUILD

HTML = BUILD / "html"
PAGES = sorted(
    str(p.relative_to(HTML)) for p in HTML.rglob("*.html") if "_static" not in p.parts and p.name != "404.html"
)
SCREENS = {"light": 1280, "dark": 390}
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", params=SCREENS)
def screen(browser, request):
    """A tab with this screen, and what it complained of or asked for since it was last cleared."""
    with opened(browser, request.param) as tab:
        yield request.param, tab


@contextmanager
def opened(browser, scheme):
    context = browser.new_context(viewport={"width": SCREENS[scheme], "height": 900}, color_scheme=scheme)
    tab = context.new_page()
    tab.problems, tab.outside = [], []
    tab.on("pageerror", lambda error: tab.problems.append(str(error)))
    tab.on("request", lambda request: tab.outside.append(request.url) if request.url.startswith("http") else None)
    yield tab
    context.close()


@pytest.fixture(scope="module")
def server():
    """The site on a web server of this machine."""
    handler = partial(QuietHandler, directory=HTML)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    extensions_map = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".ipynb": "application/json",
    }  # which a browser would show

    def log_message(self, format, *arguments):
        pass


def visit(tab, page):
    tab.problems.clear()
    tab.outside.clear()
    tab.goto((HTML / page).as_uri())


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("notebooks/")])
def test_players_take_the_keyboard(screen, page):
    _, tab = screen
    visit(tab, page)
    for player in tab.locator("audio").all():
        player.focus()
        assert tab.evaluate("document.activeElement.tagName") == "AUDIO"
        assert tab.evaluate("document.activeElement.duration || document.activeElement.currentSrc.length") > 0


def test_a_player_is_reached_with_the_tab_key(screen):
    _, tab = screen
    visit(tab, "notebooks/10_audio_prosody.html")
    tab.evaluate("""() => {
        const all = [...document.querySelectorAll('main a[href], main button, main summary, main audio, main [tabindex="0"]')];
        const shown = all.filter((one) => one.checkVisibility({visibilityProperty: true}));
        shown[shown.findIndex((one) => one.tagName === 'AUDIO') - 1].focus(); }""")
    assert tab.evaluate("document.activeElement.tagName") not in ("AUDIO", "BODY")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.tagName") == "AUDIO"


def test_the_parameter_box_opens(screen):
    _, tab = screen
    visit(tab, "notebooks/10_audio_prosody.html")
    box = tab.locator(".parameter-box")
    assert not box.locator("table").is_visible()
    box.locator(".toggle-button, button, summary").first.click()
    assert box.locator("table").is_visible()


def test_the_search_works_from_the_disk(screen):
    _, tab = screen
    visit(tab, "index.html")
    tab.keyboard.press("Control+k")
    field = tab.locator("dialog input[name=q]")
    field.fill("placebo")
    field.press("Enter")
    tab.wait_for_url("**/search.html?q=placebo*")
    results = tab.locator("#search-results li a")
    results.first.wait_for()
    tab.wait_for_function("document.querySelector('.search-summary')?.innerText.includes('finished')")
    assert results.count() >= 3 and tab.locator("#search-results li a[href*='reference/glossary']").count()
    assert (tab.problems, tab.outside) == ([], [])
    results.first.click()
    tab.wait_for_load_state()
    assert "placebo" in tab.locator(".bd-article").inner_text().lower()


def test_the_scheme_can_be_changed_and_stays(screen):
    scheme, tab = screen
    visit(tab, "index.html")
    assert tab.evaluate("document.documentElement.dataset.theme") == scheme
    seen = set()
    for _ in range(3):
        tab.locator("button.theme-switch-button:visible").first.click()
        seen.add(
            (
                tab.evaluate("document.documentElement.dataset.mode"),
                tab.evaluate("document.documentElement.dataset.theme"),
            )
        )
    assert {("light", "light"), ("dark", "dark"), ("auto", scheme)} == seen
    tab.evaluate("localStorage.clear()")


def source_button(tab):
    tab.locator(".dropdown-download-buttons > button").click()
    return tab.locator(".btn-download-source-button")


def test_a_page_can_be_downloaded_from_a_server(screen, server):
    _, tab = screen
    tab.goto(f"{server}/notebooks/07_tag_placement.html")
    with tab.expect_download() as waiting:
        source_button(tab).click()
    assert waiting.value.suggested_filename == "07_tag_placement.ipynb"


def test_a_page_that_was_opened_from_the_disk_shows_its_file(screen):
    _, tab = screen
    visit(tab, "notebooks/07_tag_placement.html")
    with tab.context.expect_page() as waiting:
        source_button(tab).click()
    assert waiting.value.url == (HTML / "_sources" / "notebooks" / "07_tag_placement.ipynb").as_uri()
    waiting.value.close()


def test_the_search_shows_extracts_where_pages_are_served(screen, server):
    """It cannot from a disk; see the test above."""
    _, tab = screen
    tab.goto(f"{server}/search.html?q=placebo")
    tab.locator("#search-results li p.context").first.wait_for()
