from html.parser import HTMLParser

import pytest

from harness.errors import DataError, HarnessError
from harness.publish import verdicts
from harness.publish.verdicts import VERDICTS, Claim, Verdict, as_json, claims, place, verdict_boxes

LEDGER = "L1 L2 L3 A1 A3 A2 P1 P2 T1 T2 G1 G2 G3 H1 H2 H4 H3 E1 E2".split()


class Elements(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.ids, self.text, self.open = [], [], "", []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(html):
    elements = Elements(html)
    assert elements.open == [], "every element is closed"
    return elements


def test_all_claims_of_the_ledger_are_there():
    found = claims()
    assert list(found) == LEDGER
    for name, claim in found.items():
        assert claim.id == name and claim.claim.endswith(".") and "\n" not in claim.claim
        assert claim.chapters and all(len(chapter) == 2 and chapter.isdigit() for chapter in claim.chapters)
    assert found["P2"].chapters == ("03", "04") and "85 %" in found["G2"].claim


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("- id: L1\n", r"claims\.yaml: not a list of claims"),
        ("- [1, 2]\n", r"claims\.yaml: not a list of claims"),
        ("a: [", r"claims\.yaml:1: not YAML"),
        ("7", r"claims\.yaml: not a list of claims"),
    ],
)
def test_a_broken_list_of_claims_is_an_error_that_names_the_file(content, said, tmp_path, monkeypatch):
    (tmp_path / "claims.yaml").write_text(content)
    monkeypatch.setattr(verdicts, "CLAIMS", tmp_path / "claims.yaml")
    with pytest.raises(DataError, match=said):
        claims.__wrapped__()


@pytest.mark.parametrize("verdict", [*VERDICTS, "depends on the revision"])
def test_a_box_says_the_verdict_in_words_and_can_be_linked_to(verdict):
    claim = claims()["L1"].claim
    box = read(Verdict("L1", verdict, "Seen at `x.py:7`.", {"raised at": "`x.py:7`", "n": 3}).box().html)
    assert box.ids == ["verdict-L1"]
    assert box.tags.count("code") == 2 + claim.count("`") // 2 and box.tags.count("dt") == 2
    for words in ("L1 " + claim.replace("`", ""), verdict, "Seen at x.py:7.", "raised at", "3"):
        assert words in box.text


def test_verdicts_look_different_by_more_than_colour():
    boxes = {verdict: Verdict("L1", verdict, "r").box().html for verdict in VERDICTS}
    signs = {verdict: html.split('aria-hidden="true">')[1][0] for verdict, html in boxes.items()}
    assert signs["reproduced"] != signs["refuted"] != signs["not run here"]
    classes = {html.split('class="')[1].split('"')[0] for html in boxes.values()}
    assert len(classes) == len(VERDICTS)


def test_other_verdicts_and_empty_readings_are_refused():
    for wrong in ("Reproduced", "true", "", "depends on", "depends on ", "reproduced, but not"):
        with pytest.raises(HarnessError, match=r"is not a verdict .one of: reproduced, "):
            Verdict("L1", wrong, "r")
    with pytest.raises(HarnessError, match="needs its reading"):
        Verdict("L1", "refuted", " ")


def test_hostile_text_never_becomes_html(monkeypatch):
    name, hostile = '"><script>', '<script>alert("1")</script>`<b>`'
    monkeypatch.setattr(verdicts, "claims", lambda: {name: Claim(name, hostile, (), hostile)})
    box = read(Verdict(name, "depends on <i>", hostile, {hostile: hostile}, hostile).box().html)
    assert not {"script", "b", "i"} & set(box.tags)


def test_what_a_chapter_saves_and_shows():
    given = [Verdict("L1", "reproduced, but", "So.", {"where": "x:1"}), Verdict("T2", "refuted", "No.")]
    assert [one.reproduced for one in given] == [True, False]
    saved = as_json(given)
    assert saved["L1"] == {
        "claim": claims()["L1"].claim,
        "claim_id": "L1",
        "verdict": "reproduced, but",
        "reading": "So.",
        "evidence": {"where": "x:1"},
        "section": "",
    }
    html = verdict_boxes(given).html
    assert read(html).ids == ["verdict-L1", "verdict-T2"] and html.startswith(given[0].box().html)


def test_a_verdict_links_to_the_section_that_shows_it():
    given = Verdict("L1", "refuted", "No.")
    with pytest.raises(HarnessError, match="L1 has no section"):
        place([given], {})
    [placed] = place([given], {"L1": "Where are 5.8 <billion> parameters?"})
    html = placed.box().html
    assert '<a href="#where-are-5-8-billion-parameters">Where are 5.8 &lt;billion&gt; parameters?</a>' in html
    assert "href" not in given.box().html
