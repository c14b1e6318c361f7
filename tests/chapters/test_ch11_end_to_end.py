"""Tables, figures and verdicts of chapter 11, from artificial figures."""

import pytest
from helpers import unspanned

from harness.chapters.ch11_end_to_end.figures import rate_per_tag_dots, reading_dots, tag_fate_bars
from harness.chapters.ch11_end_to_end.findings import complete, findings, numbers, without_higgs
from harness.chapters.ch11_end_to_end.tables import (
    NOT_RUN,
    difference_table,
    elsewhere_table,
    grid_table,
    joint_table,
    readings_table,
)
from harness.chapters.ch11_end_to_end.verdict import (
    arithmetic,
    claimed,
    judge_overall,
    judge_realised,
    sayable,
    told_by,
    where_lost,
    within,
)
from harness.errors import HarnessError
from harness.experiment.joint import READINGS
from harness.experiment.result_files import ResultFile
from harness.tagged import TaggedText

GOLD = [
    TaggedText.parse("We <emph> guarantee <pause_short> 30% savings"),
    TaggedText.parse("Is it <pitch_rising> true?"),
]


def readings(**values):
    """Return all readings, 0.1 if no value is given, each with an interval of ±0.05."""
    found = {name.replace("_", " "): value for name, value in values.items()}
    return {name: [v := found.get(name, 0.1), v - 0.05, v + 0.05] for name in READINGS}


def row(**values):
    shares = readings(**values)
    return {"spoken": 7, "reference": 9, "f1": shares["joint f1"][0], "readings": shares,
            "per_tag": {"<emph>": {"n": 4, "placement": [0.5, 0.4, 0.6], "realisation": [None] * 3, "both": [0.2, 0.1, 0.3]}}}  # fmt: skip


JOINT = {"gold": row(joint_f1=0.9, hit_rate=0.95), "gpt2": row(joint_f1=0.3), "rules": row(joint_f1=0.5)}


def result(name="openai_speech", spoken="heldout", options=None, **values):
    shares = {key: tuple(value) for key, value in readings(**values).items()}
    parameters = {"sentences": spoken, "engines": [{"name": name, "label": "their api", "options": options or {}}]}
    return ResultFile.model_validate({
        "schema": "harness.result/1", "code": "c", "run": "r", "sentences": 5,
        "provenance": {"created": "2026-12-01T00:00", "machine": "a <GPU>", "packages": {}, "revisions": {"their api": "v3"}, "counts": {},
                       "parameters": parameters, "git_revision": "abcdef0123456789"},
        "engines": {"their api": {"per_tag": {"<emph>": {"n": 4, "hit": 2, "not_expressible": 0, "hit_rate": 0.5, "low": 0.3, "high": 0.7}},
                                  "end_to_end": {"gold": {"reference": 9, "spoken": 7, "readings": shares}}}},
    })  # fmt: skip


def test_the_joint_table_is_sorted_by_joint_f1():
    html = unspanned(joint_table(JOINT, "espeak"))
    assert html.index(">gold<") < html.index(">rules<") < html.index(">gpt2<")
    assert "0.30 [0.25, 0.35]" in html


def test_a_source_without_tags_has_no_interval_of_its_own():
    nothing = row(some_tag=0.0, joint_recall=0.0, joint_f1=0.0) | {"spoken": 0}
    html = unspanned(joint_table(JOINT | {"none": nothing}, "espeak"))
    assert html.count("0 (no tags)") == 2 and "0.00 [" not in html


def test_the_findings_name_the_best_tagger_and_the_stage_that_loses_tags():
    told = {"end_to_end": JOINT | {"random": row()}, "per_tag": {"<emph>": {"n": 4, "not_expressible": 0}},
            "differences": {"gpt2": {"rules": [-0.2, -0.3, -0.1]}, "rules": {}}}  # fmt: skip
    found = findings(told, None, "gpt2")
    assert found["best"] == "`rules` has the best joint F1 of all taggers, 0.50 [0.45, 0.55]."
    assert "90% were not placed" in found["lost"] and "fewer with gpt2" in found["against_rules"]
    assert found["deaf_mean"] == "not run here"
    assert "the tagger of this page is the rules" in numbers(told, None, "rules")["against_rules"]
    with pytest.raises(HarnessError, match="2 x too quiet"):
        complete({"failures": {"too quiet": 2}})


def test_differences_claim_no_more_than_their_interval():
    html = difference_table({"gpt2": {"rules": [0.05, -0.01, 0.1], "none": [0.4, 0.3, 0.5]}}, "gpt2").html
    assert "no difference that the data can show (+0.05" in html and "gpt2 more (+0.40" in html


@pytest.mark.parametrize(("family", "count"), [("placement", 8), ("realisation", 7), ("overall", 10)])
def test_a_table_and_a_figure_show_every_reading_of_a_family(family, count):
    columns = {"gpt2": JOINT["gpt2"]["readings"], "rules": JOINT["rules"]["readings"]}
    assert readings_table(columns, family, "c").html.count("<tr>") == count + 1
    figure = reading_dots(columns, family, (0.05, 0.12), "T")
    assert f"{count} readings" in figure.caption and figure.alt.count("gpt2 0.") == count


def test_engines_that_did_not_run_are_listed_with_their_command_until_a_file_has_them():
    here = {"espeak": {"end_to_end": JOINT}}
    without = grid_table(here, {}, list(JOINT)).html
    assert all(f"not run here: {reason}" in without and command in without for reason, command in NOT_RUN.values())
    with_file = unspanned(grid_table(here, {"boson-api": result(joint_f1=0.4)}, list(JOINT)))
    assert NOT_RUN["openai_speech"][1] not in with_file and NOT_RUN["higgs_native"][1] in with_file
    assert "data/results/boson-api.json, 2026-12-01" in with_file and "0.40 [0.35, 0.45]" in with_file


def test_a_file_with_other_sentences_is_not_compared_with_the_page():
    html = grid_table({}, {"boson-api": result(spoken="standard")}, ["gold"]).html
    assert "their api" not in html and NOT_RUN["openai_speech"][1] in html
    shown = elsewhere_table({"boson-api": result(spoken="standard")}).html
    assert all(said in shown for said in ("a &lt;GPU&gt;", "harness abcdef012345", "2026-12-01"))


def test_figures_describe_what_they_show():
    figure = tag_fate_bars(JOINT, "espeak")
    assert "gold 0.10 [0.05, 0.15]" in figure.alt and "%" in figure.caption
    figure = rate_per_tag_dots(JOINT["gpt2"]["per_tag"], "T")
    assert "<emph> recall 0.50 [0.40, 0.60], hit rate –" in figure.alt and "4 times" in figure.caption


def test_the_notes_own_figures_give_sixty_percent_as_a_mean_only():
    low, high = claimed("E1")
    ways = arithmetic()
    assert ways["product"] == pytest.approx((0.255, 0.425)) and ways["mean"] == pytest.approx((0.575, 0.675))
    assert [way for way, (a, b) in ways.items() if a <= high and b >= low] == ["mean"]


def test_the_stage_that_loses_tags_and_the_pauses_come_from_the_figures():
    pauses = {"<pause_long>": {"n": 5, "not_expressible": 0, "places": {
        "at punctuation": {"hit": 0, "n": 3}, "elsewhere": {"hit": 2, "n": 2}}}}  # fmt: skip
    said = where_lost(readings(recall=0.9, **{"joint recall, strict": 0.2}), pauses)
    assert "10% were not placed, and 70% were placed but not heard" in said and "mostly in realisation" in said
    assert said.endswith("The detector found 0 of 3 at punctuation and 2 of 2 elsewhere.")
    said = where_lost(readings(recall=0.4, **{"joint recall, strict": 0.3}), {"<emph>": {"n": 1, "not_expressible": 0}})
    assert said.endswith("So tags are lost mostly in placement.")


def test_an_engine_is_described_by_the_tags_that_it_was_told():
    every, none = {"n": 2, "not_expressible": 0}, {"n": 0, "not_expressible": 2}
    assert told_by({"<emph>": every}) == "an engine that gets every tag"
    told = told_by({"<emph>": every, "<pitch_high>": none})
    verdict = judge_overall({"gpt2, mine": readings(mean=0.65), "random, mine": readings()}, "gpt2", {}, told)
    assert "Here, with an engine that can express 1 of 2 kinds of tag, gpt2 reaches" in verdict.reading


def test_a_dialect_bounds_what_can_be_heard():
    assert sayable(GOLD) == pytest.approx(1 / 3) and sayable(GOLD, "ssml") == 1.0


def test_a_reading_that_touches_a_range_is_not_inside_it():
    mean = ["mean of recall and hit rate"]
    assert within(readings(mean=0.6), "overall", (0.6, 0.7)) == (mean, [])
    assert within(readings(mean=0.58), "overall", (0.6, 0.7)) == ([], mean)
    assert within(readings(mean=0.5), "overall", (0.6, 0.7)) == ([], [])
    assert within({"mean": [None, None, None]}, "overall", (0, 1)) == ([], [])


def test_without_a_file_the_realisation_of_the_api_is_not_judged():
    leak = {"found": 0.9, "found_low": 0.8, "found_high": 1.0}
    verdict = judge_realised(readings(hit_rate=0.95), readings(hit_rate=0.0), GOLD, {}, leak)
    assert verdict.evidence["tags read aloud that the score finds, control run"] == "0.90 [0.80, 1.00]"
    assert verdict.verdict == "not run here" and NOT_RUN["openai_speech"][1] in verdict.reading
    assert (
        verdict.evidence["reference tags that today's documented control tags can express (no bound for 2025)"] == "33%"
    )


ALL_IN = {name: 0.4 for name, reading in READINGS.items() if reading.family == "realisation"}


@pytest.mark.parametrize(
    ("values", "expected"), [({}, "refuted"), ({"hit rate": 0.4}, "depends on the reading"), (ALL_IN, "reproduced")]
)
def test_a_file_of_the_api_settles_it(values, expected):
    verdict = judge_realised(readings(), None, GOLD, {"boson-api": result(**values)})
    assert verdict.verdict == expected and "hit rate of their api, 2026-12-01" in verdict.evidence


@pytest.mark.parametrize(
    ("name", "options", "settles"),
    [
        ("my.voice:Engine", {}, False),
        ("openai_speech", {"base_url": "http://127.0.0.1:8000/v1"}, False),  # which may use any voice
        ("openai_speech", {"base_url": "https://notboson.ai/v1"}, False),
        ("openai_speech", {"base_url": "https://api.boson.ai/v1"}, True),
        ("higgs_native", {}, False),  # the small model
        ("higgs_native", {"checkpoint": "small"}, False),
        ("higgs_native", {"checkpoint": "tiny"}, False),
        ("higgs_native", {"checkpoint": "weights"}, True),
    ],
)
def test_only_higgs_itself_settles_the_claim_and_fills_its_row(name, options, settles):
    files = {"mine": result(name=name, options=options)}
    assert (judge_realised(readings(), None, GOLD, files).verdict != "not run here") == settles
    html = grid_table({}, files, ["gold"]).html
    assert (sum(command in html for _, command in NOT_RUN.values()) == len(NOT_RUN) - settles) and "their api" in html


def test_the_overall_verdict_names_the_readings_and_who_else_reaches_them():
    mine = readings(mean=0.66, product=0.72)
    columns = {"gpt2, espeak": mine, "rules, espeak": readings(mean=0.72), "random, espeak": readings()}
    verdict = judge_overall(columns, "gpt2", {})
    assert (
        verdict.verdict == "depends on the reading"
        and "under these of 10 readings: mean of recall and hit rate." in verdict.reading
    )
    assert verdict.evidence["gpt2, espeak: readings whose interval only touches the range"] == "1"
    assert verdict.evidence["rules, espeak: reaches or touches it as well"] == "mean of recall and hit rate"
    assert "not run here" in verdict.reading
    files = {"boson-api": result()}
    assert "not run here" not in judge_overall(columns, "gpt2", files).reading
    assert verdict.evidence["the note's own figures, product"] == "25.5% to 42.5%"
    for elsewhere in ({}, files):
        verdict = judge_overall({"gpt2": readings()}, "gpt2", elsewhere)
        assert verdict.verdict == "refuted" and ("not run here" in verdict.reading) == (not elsewhere)


def test_the_reason_for_no_higgs_counts_the_sentences_that_it_could_say():
    rates = {
        "hit_rate": 0.9,
        "hit_rate_low": 0.8,
        "hit_rate_high": 1.0,
        "placebo": 0.0,
        "placebo_low": 0.0,
        "placebo_high": 0.1,
    }
    small = {"sentences": 60, "model": {"obeys": rates}, "teacher": {"obeys": {**rates, "hit_rate": 0.97}}}
    texts = [TaggedText.parse("We <emph> offer savings."), TaggedText.parse("We guarantee it.")]
    said = without_higgs(small, ["we", "offer", "savings"], texts)
    assert "3 words, enough for 1 of these 2 sentences" in said
    assert "0.90 [0.80, 1.00]" in said and "0.97 [0.80, 1.00]" in said
