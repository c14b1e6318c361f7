"""The answer in one figure: the three claims with figures, and what was measured."""

from harness.benchmark import suite
from harness.chapters.ch12_claims.answer import answer_dots, answers

READINGS = {"hit rate": [0.95, 0.9, 1.0], "joint recall": [0.34, 0.3, 0.4]}
JOINT = {"joint": {name: {"readings": READINGS} for name in ("gold", "gpt2", "rules")}}
OBEY = {"engines": {"hibari": {"end_to_end": {"gold": {"readings": {"hit rate": [0.97, 0.96, 0.98]}}}}}}


def test_each_claim_has_its_range_and_what_was_measured():
    found = answers(suite.load(), JOINT, OBEY, "gpt2", "espeak")
    assert [(one.low, one.high, len(one.rows)) for one in found] == [(0.85, 0.85, 3), (0.3, 0.5, 2), (0.6, 0.7, 2)]
    said = answer_dots(found).alt
    assert "Tags placed, 85% claimed: GPT-2, the note's recipe 0." in said
    assert "hibari, made to obey 0.97 [0.96, 0.98]" in said and "gpt2, spoken by espeak 0.34 [0.30, 0.40]" in said


def test_a_tagger_that_is_rules_has_one_row():
    assert len(answers(suite.load(), JOINT, OBEY, "rules", "espeak")[2].rows) == 1
