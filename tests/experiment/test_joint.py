"""Placement and realisation together, on cases that can be counted by hand."""

import pytest

from harness.chapters.ch07_tag_placement.interpretations import placement_readings
from harness.experiment.joint import READINGS, count, differences, end_to_end, measurable_tags
from harness.placement import score_placement
from harness.records import Arm, Outcome, Verdict
from harness.tagged import Tag, TaggedText


def parsed(*texts):
    return [TaggedText.parse(text) for text in texts]


GOLD = parsed("We <emph> guarantee 30% savings", "Stop. <pause_long> Now <emph> listen", "Good day")
GUESS = parsed("We <emph> guarantee <emph> 30% savings", "Stop. <pause_short> Now listen", "Good day")


def heard(slot, tag, verdict, arm=Arm.TAGGED):
    return Outcome(engine="e", tagger="t", sentence="s", arm=arm, slot=slot, tag=tag, verdict=verdict)


OUTCOMES = [
    [heard(1, Tag.EMPH, Verdict.HIT), heard(2, Tag.EMPH, Verdict.MISS), heard(3, Tag.EMPH, Verdict.MISS, Arm.PLACEBO)],
    [heard(1, Tag.PAUSE_SHORT, Verdict.HIT), heard(2, Tag.PAUSE_SHORT, Verdict.HIT, Arm.PLACEBO)],
    [],
]  # fmt: skip
MEASURABLE = {Tag.EMPH, Tag.PAUSE_SHORT, Tag.PAUSE_LONG}


def readings(outcomes=OUTCOMES, guess=GUESS, measurable=MEASURABLE):
    return end_to_end(count(GOLD, guess, outcomes, measurable), list("abc"))["readings"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("precision", 1 / 3), ("recall", 1 / 3), ("exact", 1 / 3), ("any tag", 2 / 3), ("some right tag", 1 / 3),
        ("hit rate", 2 / 3), ("hits asked", 2 / 3), ("above placebo", 2 / 3 - 1 / 2), ("over tags", (1 / 2 + 1) / 2),
        ("some heard", 1.0), ("all heard", 1 / 2), ("joint recall", 1 / 3), ("joint precision", 1 / 3),
        ("product", 1 / 3 * 2 / 3), ("mean", 1 / 2), ("minimum", 1 / 3), ("whole", 1 / 3),
    ],
)  # fmt: skip
def test_each_reading_agrees_with_a_count_by_hand(name, value):
    assert readings()[name][0] == pytest.approx(value)


def test_every_reading_has_an_interval_around_its_value():
    found = readings()
    assert found.keys() == READINGS.keys()
    assert all(low <= value <= high for value, low, high in found.values())


def test_an_unmeasurable_tag_counts_only_in_strict_readings():
    lost = [[heard(1, Tag.EMPH, Verdict.UNMEASURABLE), heard(2, Tag.EMPH, Verdict.MISS)], *OUTCOMES[1:]]
    found = readings(lost)
    assert found["hit rate"][0] == pytest.approx(1 / 2) and found["hits counted"][0] == pytest.approx(1 / 3)
    figures = end_to_end(count(GOLD, GUESS, lost, MEASURABLE), list("abc"))
    assert (figures["reference"], figures["spoken"], figures["recall"]) == (2, 2, 0)


def test_a_tag_that_the_engine_cannot_express_counts_only_in_strict_recall():
    silent = [
        [o if o.tag is not Tag.EMPH else o.model_copy(update={"verdict": Verdict.NOT_EXPRESSIBLE}) for o in rows]
        for rows in OUTCOMES
    ]
    every = [o for rows in silent for o in rows]
    assert measurable_tags(every) == {Tag.PAUSE_SHORT}
    found = readings(silent, measurable={Tag.PAUSE_SHORT, Tag.PAUSE_LONG})
    assert found["hits asked"][0] == pytest.approx(1 / 3) and found["hit rate"][0] == 1.0
    assert found["joint recall"][0] == 0 and found["joint recall, strict"][0] == 0


def test_a_tagger_without_tags_still_has_a_joint_recall():
    found = readings([[], [], []], [text.stripped() for text in GOLD])
    assert found["joint recall"][0] == 0.0 and found["joint recall"][2] > 0
    assert found["hit rate"] == [None, None, None] and found["joint precision"] == [None, None, None]


def test_placement_readings_agree_with_the_placement_score():
    report = score_placement(GOLD, GUESS, n_resamples=0)
    found = {name: value for name, (value, _, _) in readings().items()}
    expected = {"precision": report.micro.precision, "recall": report.micro.recall, "f1": report.micro.f1.value,
                "exact": report.exact_match.value}  # fmt: skip
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert dict(placement_readings(GOLD, GUESS))[READINGS["any tag"].words] == pytest.approx(found["any tag"])


def test_tags_on_changed_words_are_moved_to_the_words_of_the_reference():
    changed = [TaggedText.parse("Well we <emph> guarantee 30% savings"), *GUESS[1:]]
    outcomes = [[heard(2, Tag.EMPH, Verdict.HIT)], *OUTCOMES[1:]]
    found = readings(outcomes, changed)
    report = score_placement(GOLD, changed, n_resamples=0)
    assert found["recall"][0] == pytest.approx(report.micro.recall) == pytest.approx(1 / 3)
    assert found["joint recall"][0] == pytest.approx(1 / 3)  # heard, and on the slot of the reference
    assert found["exact"][0] == pytest.approx(report.exact_match.value)


def test_differences_are_paired_and_change_sign():
    counts = {
        "a": count(GOLD, GUESS, OUTCOMES, MEASURABLE),
        "b": count(GOLD, [t.stripped() for t in GOLD], [[]] * 3, MEASURABLE),
    }
    table = differences(counts, list("abc"))
    assert table["a"]["b"][0] == pytest.approx(1 / 3) and table["b"]["a"][0] == pytest.approx(-1 / 3)
    assert "a" not in table["a"]


def test_per_tag_rows_cover_only_tags_of_the_reference():
    rows = end_to_end(count(GOLD, GUESS, OUTCOMES, MEASURABLE), list("abc"))["per_tag"]
    assert rows.keys() == {"<emph>", "<pause_long>"}
    assert rows["<emph>"]["n"] == 2 and rows["<emph>"]["both"][0] == 0.5
    assert rows["<pause_long>"]["realisation"] == [None, None, None]
    assert rows["<pause_long>"]["both"] == [0.0, None, None]  # in one scenario only


def test_a_sum_of_rates_has_an_interval_even_if_all_sentences_agree():
    deaf = [[o.model_copy(update={"verdict": Verdict.MISS}) for o in rows] for rows in OUTCOMES]
    found = readings(deaf)
    value, low, high = found["above placebo"]
    assert value == 0 and low < -0.1 and high > 0.1
    perfect = end_to_end(count(GOLD, GOLD, [[], [], []], MEASURABLE), list("abc"))["readings"]
    assert perfect["mean"] == [None, None, None]
