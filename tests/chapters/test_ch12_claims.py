"""The ledger: no claim without a row, no row without evidence and cells; and the verdict on the advice of the note."""

import re

import pytest

from harness.chapters.ch12_claims.ledger import (
    Entry,
    counted,
    ledger,
    ledger_cards,
    ledger_table,
    load_verdicts,
    verdict_strip,
)
from harness.chapters.ch12_claims.verdict import judge_advice
from harness.errors import DataError
from harness.publish import run
from harness.publish.verdicts import ClaimVerdict, claims, section_anchor

WORDS = ("reproduced", "reproduced, but", "refuted", "not run here", "depends on the reading")


def everything(**changes):
    """A verdict on every claim, from its last chapter."""
    found = {}
    for k, (name, claim) in enumerate(claims().items()):
        evidence = {"machine": "m", "rate": f"0.{k}"}
        verdict = ClaimVerdict(name, WORDS[k % 5], "As `seen`.", evidence, "What is it?")
        found[name] = [(f"{claim.chapters[-1]}_chapter", verdict)]
    return found | changes


def test_every_claim_has_a_row_a_card_and_links_to_its_cells():
    entries = ledger(everything())
    assert [entry.claim.id for entry in entries] == list(claims())
    table, cards = ledger_table(entries).html, ledger_cards(entries).html
    for name, claim in claims().items():
        assert f'href="#ledger-{name}"' in table and f'id="ledger-{name}"' in cards
        assert f'href="{claim.chapters[-1]}_chapter.html#verdict-{name}"' in table
        assert f'href="{claim.chapters[-1]}_chapter.html#{section_anchor("What is it?")}"' in cards
    assert cards.count("What would change it.") == len(claims())


def test_every_claim_says_what_would_change_its_verdict():
    assert all(len(claim.would_change) > 30 for claim in claims().values())
    assert {name for name, claim in claims().items() if claim.figures} == {"G2", "H3", "E1"}


def test_a_claim_without_a_verdict_stops_the_build():
    with pytest.raises(DataError, match="claim H3 has no verdict"):
        ledger(everything(H3=[]))


@pytest.mark.parametrize(
    ("evidence", "section", "said"), [({}, "Where?", "no evidence"), ({"a": 1}, "", "names no section")]
)
def test_a_verdict_without_evidence_or_cells_stops_the_build(evidence, section, said):
    with pytest.raises(DataError, match=f"the verdict on L1 .* {said}"):
        ledger(everything(L1=[("01_loading", ClaimVerdict("L1", "refuted", "No.", evidence, section))]))


def test_a_verdict_on_no_claim_stops_the_build():
    with pytest.raises(DataError, match="X9"):
        ledger(everything(X9=[("01_loading", ClaimVerdict("L1", "refuted", "No.", {"a": 1}, "Where?"))]))


def test_text_of_verdicts_is_escaped():
    nasty = ClaimVerdict("L1", "refuted", "<script>1</script>", {"<b>": "<i>2</i>"}, "<u>Where?")
    entries = ledger(everything(L1=[("01_loading", nasty)]))
    for html in (ledger_table(entries).html, ledger_cards(entries).html):
        assert not re.search("<(script|b|i|u)>", html)


@pytest.mark.parametrize(
    ("evidence", "weights"),
    [
        ({"weights": "a tiny model with random weights", "rate": "0.1"}, "random"),
        ({"weights": "a tiny model with random weights", "a small model, trained here": "0.1"}, "random, small"),
        ({"checkpoint": "bosonai/higgs-audio-v2-generation-3B-base", "rate": "0.1"}, "real"),
        ({"rate": "0.1"}, "none"),
    ],
)
def test_the_ledger_says_which_weights_a_verdict_was_found_with(evidence, weights):
    verdict = ClaimVerdict("L1", "refuted", "No.", evidence, "Where?")
    assert ledger(everything(L1=[("01_loading", verdict)]))[0].weights == weights


def test_the_first_figure_is_not_a_setting_and_is_cut():
    long = ClaimVerdict("L1", "refuted", "No.", {"checkpoint": "v2", "found": "9" * 300}, "Where?")
    entry = ledger(everything(L1=[("01_loading", long)]))[0]
    assert entry.figure.startswith("found: 9") and len(entry.figure) < 120
    assert ledger(everything())[1].figure == "rate: 0.1"


def test_the_last_chapter_settles_a_claim_and_both_are_shown():
    two = [
        ("03_peft", ClaimVerdict("P2", "refuted", "No.", {"a": 1}, "A?")),
        ("04_train", ClaimVerdict("P2", "reproduced", "Yes.", {"a": 2}, "B?")),
    ]
    entries = ledger(everything(P2=two))
    entry = next(e for e in entries if e.claim.id == "P2")
    assert entry.settled.verdict == "reproduced"
    assert "03_peft.html#a" in ledger_cards(entries).html and "04_train.html#b" in ledger_cards(entries).html


def test_the_strip_counts_and_names_every_claim():
    entries = ledger(everything())
    figure = verdict_strip(entries)
    assert all(re.search(rf"\b{name}\b", figure.alt) for name in claims())
    assert counted(entries) in figure.caption and "reproduced, but (4)" in counted(entries)


def test_verdicts_are_read_from_the_results_of_the_profile(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "results_folder", lambda chapter, given: tmp_path / f"{chapter}-{given['profile']}")
    for chapter, text in (("01_loading", '{"L1": {"claim": "c", "claim_id": "L1", "verdict": "refuted", "reading": "No.", '
                                         '"evidence": {"a": 1}, "section": "A?"}}'), ("02_architecture", None)):  # fmt: skip
        folder = tmp_path / f"{chapter}-ci"
        folder.mkdir()
        (folder / "numbers.json").write_text("{}")
        if text:
            (folder / "verdicts.json").write_text(text)
    found = load_verdicts(["02", "01"])
    assert list(found) == ["L1"] and found["L1"][0][0] == "01_loading"
    with pytest.raises(DataError, match="chapter 03 has not been run") as caught:
        load_verdicts(["03"])
    assert "make chapter N=03" in caught.value.remedy


BETTER = {"value": 0.15, "low": 0.1, "high": 0.2}
SAME = {"value": 0.0, "low": -0.1, "high": 0.1}
WORSE = {"value": -0.2, "low": -0.3, "high": -0.1}
API_HOLDS = {"H3": "reproduced", "H4": "reproduced"}


@pytest.mark.parametrize(
    ("verdict", "changes", "against_rules", "expected", "said"),
    [
        ("reproduced", {}, BETTER, "reproduced", "with rules: it is better (+0.15"),
        ("reproduced", {}, SAME, "depends on which half is meant", "no difference that the data can show"),
        ("refuted", API_HOLDS, BETTER, "depends on which half is meant", "did not hold"),
        ("refuted", {}, WORSE, "refuted", "it is worse (-0.20"),
        ("refuted", API_HOLDS, SAME, "refuted", "H3 is: reproduced"),
        ("not run here", {}, BETTER, "depends on which half is meant", "the API was not asked"),
    ],
)
def test_the_advice_rests_on_the_other_claims(verdict, changes, against_rules, expected, said):
    claims_judged = {name: changes.get(name, verdict) for name in ("P2", "T1", "T2", "H3", "H4")}
    found = {name: [("c", ClaimVerdict(name, words, "r", {"a": 1}))] for name, words in claims_judged.items()}
    advice = judge_advice(found, against_rules, "a base")
    assert advice.verdict == expected and said in advice.reading
    assert advice.evidence["H3, the API's realisation"] == claims_judged["H3"]


def test_the_advice_quotes_the_figures_on_the_notes_own_windows():
    found = everything(
        G2=[("07", ClaimVerdict("G2", "refuted", "r", {"98 windows, grouped folds": "0.13", "random folds": "1"}))]
    )
    evidence = judge_advice(found, SAME, "a base").evidence
    assert evidence["98 windows, grouped folds"] == "0.13" and "random folds" not in evidence


def test_the_advice_stands_on_the_small_higgs_that_lora_taught_tags():
    lora = ClaimVerdict("P2", "refuted", "r", {"LoRA on 10 tagged clips": "0.1 of the tags", "before": "0"})
    advice = judge_advice(everything(P2=[("03", lora), ("04", lora)]), SAME, "a base")
    assert advice.evidence["LoRA on 10 tagged clips, small Higgs"] == "0.1 of the tags"
    verdict = ClaimVerdict("E2", "refuted", "r", advice.evidence)
    assert Entry(claims()["E2"], (("12", verdict),)).weights == "small"
