"""The built site in a real browser, from the disk, on a wide light and a narrow dark screen. `make test` builds it first."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from axe_playwright_python.sync_playwright import Axe
from site_pages import HTML, PAGES, PROSE

from harness.paths import BUILD

SCREENSHOTS = BUILD / "screenshots"
SCREENS = {"light": 1280, "dark": 390}
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", params=SCREENS)
def screen(browser, request):
    """A tab with this screen, and its errors and requests to other hosts since they were last cleared."""
    scheme = request.param
    context = browser.new_context(viewport={"width": SCREENS[scheme], "height": 900}, color_scheme=scheme)
    tab = context.new_page()
    tab.problems, tab.outside = [], []
    tab.on("pageerror", lambda error: tab.problems.append(str(error)))
    tab.on("request", lambda sent: tab.outside.append(sent.url) if sent.url.startswith("http") else None)
    yield scheme, tab
    context.close()


@pytest.fixture(scope="module")
def server():
    """Serve the site on this machine."""
    handler = partial(QuietHandler, directory=HTML)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    # A browser would show JSON.
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".ipynb": "application/json"}

    def log_message(self, format, *arguments):
        pass


def visit(tab, page):
    tab.problems.clear()
    tab.outside.clear()
    tab.goto((HTML / page).as_uri())


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_cleanly_and_is_accessible(screen, page):
    scheme, tab = screen
    visit(tab, page)
    # A colour that is still fading in on a busy machine has less contrast than in the end.
    tab.evaluate("Promise.all(document.getAnimations().map(animation => animation.finished))")
    tab.wait_for_timeout(200)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    name = Path(page).with_suffix("").as_posix().replace("/", "-")
    tab.screenshot(path=SCREENSHOTS / f"{name}-{scheme}-{SCREENS[scheme]}.png")
    scrolls = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    found = Axe().run(tab, options={"preload": False, "resultTypes": ["violations"]}).response["violations"]
    serious = [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found if v["impact"] in ("serious", "critical")]
    assert not serious, "\n".join(serious)
    assert (tab.problems, tab.outside) == ([], []) and (scrolls <= 0 or page not in PROSE)


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
        seen.add(tuple(tab.evaluate("[document.documentElement.dataset.mode, document.documentElement.dataset.theme]")))
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
