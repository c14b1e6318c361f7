"""The page of a listening test in a real browser, worked by the keyboard alone."""

import json
from pathlib import Path

import pytest
from test_kit import TEXTS, make_run

from harness.listening.answers import read_results, score
from harness.listening.kit import PAGE, write_kit
from harness.listening.trials import Kind
from harness.paths import BUILD

pytestmark = pytest.mark.browser
SCREENSHOTS = BUILD / "screenshots"
LONG = "This is a sentence of very many words in which the <emph> fourteenth word and no other stands out."
REFUSE_STORAGE = (
    "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }});"
)


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kit")
    run = make_run(folder / "run", [*TEXTS[:3], TEXTS[4]], ["one"], seconds=1.0)  # long enough to be seen playing
    made = write_kit(run, folder / "out", trials=7)
    assert {one.kind for one in made.trials} == set(Kind) - {Kind.GAP}
    return made, folder / "out"


class Listener:
    """A person at the keyboard. `pick` maps a trial of the key to an answer."""

    def __init__(self, browser, page, kit, pick, *, scheme="light", width=1280, script=None):
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        if script:
            self.context.add_init_script(script)
        self.tab = self.context.new_page()
        self.problems, self.requests = [], []
        self.tab.on("pageerror", lambda error: self.problems.append(str(error)))
        self.tab.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        self.tab.on("request", lambda request: self.requests.append(request.url.split(",")[0]))
        self.trials = {one.trial: one for one in kit.trials}
        self.pick = pick
        self.asked = []
        self.tab.goto(page.as_uri())

    def press(self, *keys):
        for key in keys:
            self.tab.keyboard.press(key)

    def begin(self, name=None):
        self.press("Tab")
        if name:
            self.press("Control+a")
            self.tab.keyboard.type(name)
        self.press("Enter")

    @property
    def trial(self):
        return self.trials[self.tab.locator("form").get_attribute("data-trial")]

    @property
    def title(self):
        return self.tab.locator("h1").inner_text()

    def play_all(self):
        for number in range(self.tab.locator("button.play").count()):
            self.press("Space")
            button = self.tab.locator("button.play").nth(number)
            button.and_(self.tab.locator(".playing")).wait_for()
            self.tab.locator("button.play:not(.playing)").nth(number).wait_for()

    def answer(self):
        trial = self.trial
        self.asked.append(trial)
        self.play_all()
        self.press(*str(self.pick(trial) + 1))
        self.press("Enter")

    def save(self, folder):
        """Tab to the link on the last screen, press Enter, and keep the file."""
        self.tab.locator("a.download").wait_for()
        with self.tab.expect_download() as download:
            self.press("Tab", "Enter")
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        assert path.read_text() == self.tab.locator("textarea").input_value()
        return path


def test_a_listener_who_knows_the_key(browser, kit, tmp_path):
    made, folder = kit
    person = Listener(browser, folder / PAGE, made, lambda trial: trial.right or 0)
    assert person.title == "Listening test"
    person.begin()
    for _ in range(3):
        person.answer()
    assert person.tab.locator(".progress").inner_text() == "4 of 7"
    waiting = person.trial
    person.tab.reload()
    assert (person.tab.locator(".progress").inner_text(), person.trial) == ("4 of 7", waiting)
    for _ in range(4):
        person.answer()
    path = person.save(tmp_path)
    person.tab.reload()
    assert person.title == "Thank you"
    again = person.tab.get_by_role("button", name="Start again")
    again.click()
    assert person.title == "Thank you", "not before the file is said to be saved"
    person.tab.get_by_label("I have saved the file").check()
    again.click()
    person.tab.reload()
    assert person.title == "Listening test"
    assert person.problems == []
    assert all(url.startswith(("file:", "data:audio", "blob:")) for url in person.requests), person.requests
    person.context.close()

    results = json.loads(path.read_text())
    assert path.name == f"listening-{results['listener']}.json"
    assert [one["trial"] for one in results["answers"]] == [one.trial for one in person.asked]
    kinds = [one.kind is Kind.WORD for one in person.asked]
    assert kinds == sorted(kinds, reverse=True), "pairs point at the tag, so they come last"
    assert [one["plays"] for one in results["answers"]] == [len(one.clips) for one in person.asked]
    assert all(one["seconds"] > 0 for one in results["answers"])
    assert results["started"] < results["finished"]
    report = score(read_results([path], made))
    assert report["rows"] and all(row["rate"] == 1.0 for row in report["rows"])
    assert report["catch"] == {**report["catch"], "n": 1, "same": 1, "share_same": 1.0}


def test_a_listener_who_always_takes_the_first_and_may_store_nothing(browser, kit, tmp_path):
    made, folder = kit
    person = Listener(browser, folder / PAGE, made, lambda trial: 0, script=REFUSE_STORAGE)
    assert "does not let the page keep your answers" in person.tab.locator("main").inner_text()
    person.begin("L-7")
    for _ in range(7):
        person.answer()
    path = person.save(tmp_path)
    assert person.problems == []
    person.context.close()
    assert path.name == "listening-L-7.json"
    report = score(read_results([path], made))
    expected = {}
    for one in made.trials:
        if one.kind is not Kind.CATCH:
            right, n = expected.get((one.kind.value, one.tag.value), (0, 0))
            expected[one.kind.value, one.tag.value] = (right + (one.right == 0), n + 1)
    found = {(row["kind"], row["tag"]): (row["right"], row["n"]) for row in report["rows"] if row["tag"] != "all"}
    assert found == expected and 0 < sum(right for right, _ in found.values()) < 6


def test_nothing_goes_on_before_clips_are_played_and_an_answer_is_chosen(browser, kit):
    made, folder = kit
    person = Listener(browser, folder / PAGE, made, lambda trial: 0)
    person.begin("no names!")
    assert "letters, digits" in person.tab.locator("[role=status]").inner_text() and person.title == "Listening test"
    person.press("Control+a")
    person.tab.keyboard.type("L1")
    person.press("Enter")
    trial = person.trial
    person.press("1", "Enter")
    assert "Play" in person.tab.locator("[role=status]").inner_text() and person.trial == trial
    person.tab.reload()
    person.play_all()
    person.press("Enter")
    assert "Choose an answer" in person.tab.locator("[role=status]").inner_text() and person.trial == trial
    person.press("2")
    assert person.tab.locator("input:checked").get_attribute("value") == "1"
    person.press("ArrowLeft")
    assert person.tab.locator("input:checked").get_attribute("value") == "0"
    assert person.tab.evaluate("getComputedStyle(document.activeElement.closest('.choice')).outlineStyle") == "solid"
    person.press("Enter")
    assert person.tab.locator(".progress").inner_text() == "2 of 7"
    person.context.close()


def test_two_digits_choose_a_late_word_and_the_order_differs_between_listeners(browser, tmp_path):
    made = write_kit(make_run(tmp_path / "run", [LONG, *TEXTS[:2]], ["one"]), tmp_path / "kit", trials=8)
    orders = []
    for name in ("L1", "L2"):
        person = Listener(browser, tmp_path / "kit" / PAGE, made, lambda trial: trial.right or 0)
        person.begin(name)
        while person.title != "Thank you":
            if person.trial.choices == 18:
                person.press("1", "2")
                assert person.tab.locator("input:checked").get_attribute("value") == "11"
                person.tab.wait_for_timeout(1100)
                person.press("3")
                assert person.tab.locator("input:checked").get_attribute("value") == "2"
                person.tab.wait_for_timeout(1100)
            person.answer()
        assert person.problems == []
        orders.append([one.trial for one in person.asked])
        person.context.close()
    assert sorted(orders[0]) == sorted(orders[1]) and orders[0] != orders[1]
    assert any(one.choices == 18 for one in made.trials)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_every_screen_is_accessible_and_fits(browser, kit, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    made, folder = kit
    person = Listener(browser, folder / PAGE, made, lambda trial: trial.right or 0, scheme=scheme, width=width)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    serious, names = [], []

    def check(name):
        names.append(name)
        results = Axe().run(person.tab, options={"preload": False, "resultTypes": ["violations"]}).response
        serious.extend(
            f"{name}: {v['id']}: {v['nodes'][0]['html'][:160]}"
            for v in results["violations"]
            if v["impact"] in ("serious", "critical")
        )
        scrolls = person.tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert scrolls <= 0, f"{name} is wider than the screen"
        person.tab.screenshot(path=SCREENSHOTS / f"listening-{name}-{scheme}-{width}.png", full_page=True)

    check("welcome")
    person.begin()
    for _ in made.trials:
        kind = person.tab.locator("legend").inner_text().split()[-1]
        if kind not in names:
            check(kind)
            person.press("2")
            check(f"{kind}-chosen")
        person.answer()
    person.tab.locator("a.download").wait_for()
    check("end")
    person.context.close()
    assert {"welcome", "word", "answer", "end"} <= set(names)
    assert not serious, "\n".join(serious)


def test_the_page_refers_to_no_other_file(kit, tmp_path):
    """It still works when only the page is handed out; nothing in it points elsewhere."""
    _, folder = kit
    text = Path(folder / PAGE).read_text()
    assert "http:" not in text and "https:" not in text and "src=" not in text and "<link" not in text
    assert "default-src 'none'" in text
