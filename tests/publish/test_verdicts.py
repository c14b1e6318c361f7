import ast
from html.parser import HTMLParser

import pytest

from harness.errors import DataError, HarnessError
from harness.paths import ROOT
from harness.publish import verdicts
from harness.publish.verdicts import (
    VERDICTS,
    Claim,
    ClaimVerdict,
    Found,
    as_json,
    claims,
    place,
    predicate,
    verdict_boxes,
)

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


ROW = '- {id: L1, claim: c, chapters: ["01"], would_change: w, findings: {a: %s, b: {verdict: refuted, says: No.}}}'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: [", "claims.yaml:1: not YAML"),
        ("7", "claims.yaml:1: field 'file': Input should be a valid list"),
        ("- [1, 2]", "field '0': Input should be a valid dictionary"),
        ("- id: L1", "claims.yaml:1: field '0.claim' is missing"),
        (
            ROW.partition(", b:")[0] % "{verdict: refuted, says: No.}" + "}}",
            "'0.findings': Dictionary should have at least 2",
        ),
        (ROW % "{verdict: refuted}", "field '0.findings.a.says' is missing"),
        (ROW % "{verdict: maybe, says: So.}", "'maybe' is not a verdict; expected one of: reproduced, "),
        (ROW % '{verdict: refuted, says: "{0} rows"}', "'0' is not the name of a figure"),
        (ROW % '{verdict: refuted, says: "{rate"}', "'0.findings.a.says': expected '}'"),
    ],
)
def test_a_broken_list_of_claims_is_an_error_that_names_file_and_claim(content, said, tmp_path, monkeypatch):
    (tmp_path / "claims.yaml").write_text(content)
    monkeypatch.setattr(verdicts, "CLAIMS", tmp_path / "claims.yaml")
    with pytest.raises(DataError) as caught:
        claims.__wrapped__()
    assert said in str(caught.value) and "claims.yaml" in str(caught.value)


@pytest.fixture
def one_claim(monkeypatch):
    """Make T9 the only claim: seen at some rate, or not."""
    seen = {"verdict": "reproduced", "says": "Seen in {rate:.0%}."}
    findings = {"seen": seen, "unseen": {"verdict": "refuted", "says": "Never seen."}}
    claim = Claim(id="T9", claim="It is seen.", chapters=("01",), would_change="Nothing.", findings=findings)
    monkeypatch.setattr(verdicts, "claims", lambda: {"T9": claim})


def test_a_predicate_chooses_a_finding_and_supplies_its_figures(one_claim):
    @predicate("T9")
    def judge(rate):
        """Judge T9."""
        return Found("seen" if rate else "unseen", {"rate": rate}, {"rate": rate})

    assert judge(0.25) == ClaimVerdict("T9", "reproduced", "Seen in 25%.", {"rate": 0.25})
    assert judge(0) == ClaimVerdict("T9", "refuted", "Never seen.", {"rate": 0})
    assert judge.__doc__ == "Judge T9."


def test_a_predicate_that_does_not_fit_its_findings_stops_the_build(one_claim):
    @predicate("T9")
    def judge(case):
        return Found({"a": "seen", "b": "unseen"}.get(case, case), {})

    with pytest.raises(HarnessError, match="claim T9, seen: the figure 'rate' is missing"):
        judge("a")
    with pytest.raises(HarnessError, match="claim T9 has no finding 'other'"):
        judge("other")


def cases_of(function):
    """The case names that the source of a predicate returns."""
    calls = [
        node for node in ast.walk(function) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Found"
    ]
    named = [part for call in calls for part in ([call.args[0].body, call.args[0].orelse]
             if isinstance(call.args[0], ast.IfExp) else [call.args[0]])]  # fmt: skip
    return [part.value for part in named]


def test_the_predicates_of_a_claim_can_return_each_of_its_findings_once_and_no_other():
    found: dict[str, list[str]] = {}
    for path in (ROOT / "harness" / "chapters").glob("*/verdict.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for mark in getattr(function, "decorator_list", []):
                if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "predicate":
                    found.setdefault(mark.args[0].value, []).extend(set(cases_of(function)))
    assert {name: sorted(cases) for name, cases in found.items()} == {
        name: sorted(claim.findings) for name, claim in claims().items()
    }


@pytest.mark.parametrize("verdict", [*VERDICTS, "depends on the revision"])
def test_a_box_shows_the_verdict_as_text_and_has_an_anchor(verdict):
    claim = claims()["L1"].claim
    box = read(ClaimVerdict("L1", verdict, "Seen at `x.py:7`.", {"raised at": "`x.py:7`", "n": 3}).box().html)
    assert box.ids == ["verdict-L1"]
    assert box.tags.count("code") == 2 + claim.count("`") // 2 and box.tags.count("dt") == 2
    for words in ("L1 " + claim.replace("`", ""), verdict, "Seen at x.py:7.", "raised at", "3"):
        assert words in box.text


def test_other_verdicts_and_empty_readings_are_refused():
    for wrong in ("Reproduced", "true", "", "depends on", "depends on ", "reproduced, but not"):
        with pytest.raises(ValueError, match="is not a verdict; expected one of: reproduced, "):
            ClaimVerdict("L1", wrong, "r")
    with pytest.raises(ValueError, match="the verdict on L1 has no reading"):
        ClaimVerdict("L1", "refuted", " ")


def test_a_chapter_saves_and_shows_its_verdicts():
    given = [ClaimVerdict("L1", "reproduced, but", "So.", {"where": "x:1"}), ClaimVerdict("T2", "refuted", "No.")]
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
    given = ClaimVerdict("L1", "refuted", "No.")
    with pytest.raises(HarnessError, match="L1 has no section"):
        place([given], {})
    [placed] = place([given], {"L1": "Where are 5.8 <billion> parameters?"})
    html = placed.box().html
    assert '<a href="#where-are-5-8-billion-parameters">Where are 5.8 &lt;billion&gt; parameters?</a>' in html
    assert "href" not in given.box().html
