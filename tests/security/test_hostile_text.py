"""Text from data is shown as text: in each table and fragment, in Markdown, and in a browser."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from markdown_it import MarkdownIt

from harness.audio import Audio
from harness.chapters.ch07_tag_placement.diffs import worst_sentences
from harness.chapters.ch11_end_to_end import tables as joint
from harness.errors import DataError
from harness.experiment import result_files
from harness.experiment.result_files import load_controls, validate_result
from harness.listening.kit import page
from harness.paths import ROOT
from harness.publish.html import player
from harness.publish.markup import literal
from harness.publish.tables import Rate, realisation_table, table
from harness.publish.verdicts import ClaimVerdict
from harness.store import read_json
from harness.tagged import TaggedText

HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "' onmouseover='alert(1)",
    "`<b>x</b>` | `y`", "a | b", "[x](javascript:alert(1))", "![x](http://127.0.0.1:9/x.png)", "<http://evil.example>",
    "{{ 7*7 }}", "$\\href{javascript:alert(1)}{x}$",
    "# title", "- item", "+ item", "= title", "1) item", "~~~", "1. item", "> quote", "---",
    "***bold***", "</table></div><script>alert(1)</script>", "{eval}`1`",
    "one\n\n<script>alert(1)</script>", "&lt;script&gt;", "&#60;script&#62;", "\\<b>", "http://evil.example/",
]  # fmt: skip
RESULT = result_files.FOLDER / "controls.json"
ALLOWED = {"p", "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "span", "ul", "li", "code", "section", "strong",
           "dl", "dt", "dd", "a", "figure", "figcaption", "audio"}  # fmt: skip


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.names, self.attributes, self.text = set(), [], ""

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def fragments(text):
    """Everything that shows names, ids or sentences, made with a hostile one."""
    words = TaggedText(tuple(text.split()), ())
    rows = read_json(RESULT)
    engine = rows["engines"]["piper"]
    readings = engine["end_to_end"]["gold"]
    yield "table", table([{text: text, "b": text}, {text: "2", "b": text}], text)
    rates = [{"who": text, text: Rate(0.9, 0.8, 1.0)}, {"who": "other", text: Rate(0.5, 0.4, 0.6)}]
    yield "best", table(rates, text, compare=[text])
    yield "diffs", worst_sentences([words], [words], [text])
    yield "verdict", ClaimVerdict("T1", "refuted", text, {text: text}, text).box()
    yield "reason", ClaimVerdict("T1", f"depends on the definition: {text}", text).box()
    yield "player", player(Audio(np.full(2400, 0.1, np.float32), 24000), text)
    yield "realisation", realisation_table({text: engine["per_tag"]["<emph>"]})
    yield "joint", joint.joint_table({text: readings}, text)
    yield "difference", joint.difference_table({text: {text: (0.0, 0.0, 0.0)}}, text)
    rows["engines"] = {text: engine}
    rows["provenance"] |= {"machine": text, "git_revision": text, "revisions": {text: text}}
    rows["provenance"]["parameters"] = {"sentences": text}
    yield "elsewhere", joint.elsewhere_table({text: validate_result(rows, RESULT)})


@pytest.mark.parametrize("text", HOSTILE)
def test_fragments_hold_no_element_of_the_data(text):
    for name, made in fragments(text):
        seen = read(made.html)
        assert seen.names <= ALLOWED, name
        assert not [
            a for a, value in seen.attributes if a.startswith("on") or (value or "").startswith("javascript:")
        ], name
        assert "".join(text.replace("`", "").split()) in "".join(seen.text.replace("`", "").split()), name


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("around", ["on {}: 3 clips", "{}", "- {}", "| a | b |\n| - | - |\n| {} | c |", "**{}**"])
def test_markdown_shows_a_literal_as_it_is(text, around):
    made = (
        MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table").render(around.format(literal(text)))
    )
    plain = MarkdownIt("commonmark").enable("table").render(around.format("x"))
    seen, expected = read(made), read(plain)
    assert (seen.names, seen.attributes) == (expected.names, expected.attributes)
    assert " ".join(seen.text.split()) == " ".join(expected.text.replace("x", " ".join(text.split())).split())


def test_the_pages_put_nothing_of_a_result_file_into_markdown_raw():
    """Chapter 10 quotes one; so what it quotes is made literal."""
    cells = read_json(ROOT / "notebooks" / "10_audio_prosody.ipynb")["cells"]
    [cell] = [text for cell in cells if "load_controls()" in (text := "".join(cell["source"]))]
    made = read_json(RESULT)
    made["provenance"] |= {"machine": HOSTILE[0]}
    shown = []
    code = cell.replace("controls = load_controls()", "controls = made_here")
    exec(compile(code, "cell", "exec"), {"made_here": made, "Markdown": shown.append})
    assert not re.search(r"(?<!\\)<script", shown[0]) and literal(HOSTILE[0]) in shown[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["provenance"].update(machine="x" * 201), "provenance.machine"),
        (lambda d: d["controls"].update({"<script>": {}}), "controls"),
        (lambda d: d["controls"]["<emph>"].update(unit="<script>"), "controls.<emph>.unit"),
        (lambda d: d["shuffled"].update({"<emph>": "<b>"}), "shuffled"),
        (lambda d: d.pop("dose"), "dose"),
    ],
)
def test_the_file_behind_chapter_10_is_held_to_its_schema(tmp_path, change, message):
    fields = read_json(RESULT)
    load_controls()
    change(fields)
    (tmp_path / "controls.json").write_text(json.dumps(fields))
    with pytest.raises(DataError, match=re.escape(message)):
        load_controls(tmp_path / "controls.json")


@pytest.mark.browser
def test_a_browser_runs_nothing_of_it(browser, tmp_path):
    """All fragments and all Markdown in one page, and a listening test whose words are hostile."""
    parts = [made.html for text in HOSTILE for _, made in fragments(text)]
    parts += [MarkdownIt("commonmark", {"html": True}).render(f"on {literal(text)}: clips") for text in HOSTILE]
    whole = tmp_path / "whole.html"
    whole.write_text(f"<!DOCTYPE html><meta charset=utf-8><title>x</title>{''.join(parts)}", encoding="utf-8")
    words = [word for text in HOSTILE for word in text.split()]
    trial = {
        "trial": "<b>1",
        "words": words,
        "clips": ["data:audio/mpeg;base64,"],
        "kind": "word",
        "question": HOSTILE[0],
    }
    listening = tmp_path / "listening.html"
    listening.write_text(page({"kit": "0" * 16, "trials": [trial]}), encoding="utf-8")
    context = browser.new_context()
    context.add_init_script(
        "window.alert = window.confirm = window.prompt = () => { document.documentElement.dataset.ran = 'yes'; };"
    )
    tab = context.new_page()
    dialogs, asked = [], []
    tab.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    tab.on(
        "request", lambda request: asked.append(request.url) if not request.url.startswith(("file:", "data:")) else None
    )
    tab.goto(whole.as_uri())
    assert tab.locator("script, img, svg, iframe").count() == 0
    shown = " ".join(tab.inner_text("body").split())
    assert all(" ".join(text.split()) in shown for text in HOSTILE if "`" not in text)
    assert tab.evaluate("document.documentElement.dataset.ran || ''") == ""
    tab.goto(listening.as_uri())
    scripts = tab.locator("script").count()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.wait_for_timeout(300)
    assert tab.locator("script").count() == scripts and tab.locator("img, svg, iframe").count() == 0
    assert HOSTILE[0] in tab.inner_text("body")
    assert tab.evaluate("document.documentElement.dataset.ran || ''") == "" and not dialogs and not asked
    context.close()
