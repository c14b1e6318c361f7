"""The control block of a summary, from hand-written outcomes."""

import json

import pytest

from harness.experiment import validate
from harness.experiment.controls import confusion, control_block, leak_row, shuffled
from harness.experiment.folder import RunData
from harness.prosody.detectors import DETECTORS, Cue
from harness.prosody.null import FLOORS, Thresholds
from harness.records import Arm, Contrast, CrossTalk, NullSample, Outcome, Verdict
from harness.tagged import TAGS, Tag

HIT, MISS, WRONG = Verdict.HIT, Verdict.MISS, Verdict.WRONG_DIRECTION
LEAKED, LOST, BROKEN = Verdict.LEAKED, Verdict.NOT_EXPRESSIBLE, Verdict.UNMEASURABLE
SILENT = {cue.value: 0.0 for cue in Cue}
VARIED = Thresholds({(Tag.EMPH, 0): 4.0, (Tag.EMPH, 1): 5.0}, {Tag.EMPH: "null"})


def outcome(engine, number, verdict, arm=Arm.TAGGED, tag=Tag.EMPH, value=None):
    return Outcome(
        engine=engine, tagger="gold", sentence=f"s{number:03d}.{tag.bare}", arm=arm, slot=1, tag=tag, verdict=verdict,
        value=value, unit=DETECTORS[tag].unit,
    )  # fmt: skip


def series(engine, verdicts, arm=Arm.TAGGED, tag=Tag.EMPH):
    return [outcome(engine, number, verdict, arm, tag) for number, verdict in enumerate(verdicts)]


def crosstalk(tag, number=0, engine="good", **values):
    return CrossTalk(engine=engine, sentence=f"s{number:03d}.{tag.bare}", tag=tag, values={**SILENT, **values})


def null(engine, number, values, cue=Cue.EMPHASIS):
    return NullSample(engine=engine, sentence=f"s{number:03d}", cue=cue.value, values=values)


def block(outcomes=(), nulls=(), contrasts=(), talk=(), thresholds=None):
    roles = {"good": "positive", "fine": "positive", "varied": "negative", "fixed": "negative", "loud": "leak"}
    engines = [{"name": "espeak", "label": label, "role": role} for label, role in roles.items()]
    records = {"outcomes": outcomes, "nulls": nulls, "contrasts": contrasts, "crosstalk": talk, "doses": ()}
    known = {**dict.fromkeys(roles, FLOORS), "varied": VARIED, **(thresholds or {})}
    return control_block(RunData(validate({"name": "c", "engines": engines}), [], {}, known, records))


def emph(**given):
    return block(**given)["controls"]["<emph>"]


def test_positive_engines_are_pooled_and_counted_as_by_hand():
    rows = series("good", [HIT, HIT, MISS, BROKEN, LOST]) + series("fine", [HIT, WRONG, LEAKED])
    row = emph(outcomes=rows)
    assert row["hit"] == pytest.approx(3 / 6), "not expressible and unmeasurable are left out, a leak is a failure"
    assert row["hit_low"] <= 0.5 <= row["hit_high"]
    assert row["n"] == 7 and row["unmeasurable"] == pytest.approx(1 / 7)


def test_placebos_are_counted_separately():
    rows = series("good", [HIT] * 5) + series("good", [HIT, MISS, MISS, MISS, BROKEN], Arm.PLACEBO)
    row = emph(outcomes=rows)
    assert (row["hit"], row["placebo"], row["placebo_n"], row["n"]) == (1, 0.25, 4, 5)


def test_tags_stripped_are_counted_on_negative_engines_with_a_null_only():
    rows = series("varied", [HIT, MISS, MISS, MISS, MISS, BROKEN]) + series("fixed", [HIT] * 9)
    rows += series("varied", [HIT, MISS], Arm.PLACEBO) + series("fixed", [HIT] * 9, Arm.PLACEBO)
    row = emph(outcomes=rows)
    assert row["stripped"] == pytest.approx(1 / 5) and row["stripped_n"] == 5
    assert row["stripped_placebo"] == 0.5 and row["stripped_placebo_n"] == 2
    assert row["hit"] is None and row["n"] == 0 and row["unmeasurable"] is None


def test_null_and_tags_stripped_come_from_the_engine_that_varies_most():
    rows = series("varied", [MISS] * 4) + series("fixed", [HIT, MISS])
    nulls = [null("varied", 1, [0.0] * 4), null("fixed", 1, [6.0, 6.0, 0.0, 0.0])]
    row = emph(outcomes=rows, nulls=nulls, thresholds={"fixed": VARIED})
    assert row["null"] == 0.5 and row["null_n"] == 4
    assert row["stripped"] == 0.5 and row["stripped_n"] == 2, "not diluted by an engine that repeats itself"
    assert row["untold"]["varied"]["stripped"] == 0 and row["untold"]["varied"]["n"] == 4


def test_the_null_is_the_rate_at_which_plain_clips_exceed_the_threshold():
    row = emph(nulls=[null("varied", 1, [6.0, 0.0, -6.0, 0.0]), null("varied", 2, [0.0, 3.5, 9.0, 1.0])])
    assert row["null"] == pytest.approx(2 / 8) and row["null_n"] == 8


def test_an_engine_whose_thresholds_are_floors_has_no_null():
    nulls = [null("varied", 1, [0.0] * 4), null("fixed", 1, [6.0, 6.0, 0.0, 0.0])]
    assert emph(nulls=nulls)["null"] == 0


def test_nulls_of_positive_engines_do_not_count():
    assert emph(nulls=[null("good", 1, [9.0] * 4)], thresholds={"good": VARIED})["null"] is None


def test_hits_are_also_counted_at_the_highest_threshold_of_an_engine_that_varies():
    rows = [outcome("good", number, HIT, value=value) for number, value in enumerate((3.5, 4.5, 5.0, 8.0))]
    rows.append(outcome("good", 9, BROKEN))
    row = emph(outcomes=rows)
    assert row["threshold_at_null"] == 5 and row["hit_at_null"] == 0.5 and row["hit"] == 1
    assert row["floor"] == 3 and row["unit"] == "JND"


def test_pitch_tags_are_also_counted_beyond_three_semitones():
    rows = [outcome("good", n, HIT, tag=Tag.PITCH_LOW, value=v) for n, v in enumerate((-3.5, -2.0, -3.0, -1.6))]
    controls = block(outcomes=rows)["controls"]
    low = controls["<pitch_low>"]
    assert low["hit"] == 1 and low["hit_clear"] == 0.5 and low["hit_clear_low"] < 0.5 < low["hit_clear_high"]
    assert controls["<emph>"]["hit_clear"] is None


def test_without_an_engine_that_varies_there_is_no_threshold_at_null():
    row = emph(outcomes=[outcome("good", 1, HIT, value=9.0)], thresholds={"varied": FLOORS})
    assert row["threshold_at_null"] is row["hit_at_null"] is row["stripped"] is None


def test_tags_do_not_mix():
    rows = series("good", [HIT] * 3) + series("good", [MISS] * 3, tag=Tag.PITCH_LOW)
    controls = block(outcomes=rows)["controls"]
    assert controls["<emph>"]["hit"] == 1 and controls["<pitch_low>"]["hit"] == 0
    assert set(controls) == {tag.value for tag in TAGS} and controls["<pitch_high>"]["n"] == 0


def test_leaks_found_and_false_alarms_are_counted():
    spoken = series("loud", [LEAKED, LEAKED, LEAKED, MISS]) + series("loud", [MISS, BROKEN], tag=Tag.PITCH_LOW)
    spoken += series("loud", [HIT] * 5, Arm.PLACEBO)
    silent = series("fixed", [MISS, HIT, LEAKED, MISS, BROKEN])
    row = block(outcomes=spoken + silent)["leak"]
    assert row["found"] == pytest.approx(3 / 6) and row["n"] == 6
    tags = ("<emph>", "<pitch_low>", "<pause_long>")
    assert [row["by_tag"][tag] for tag in tags] == [0.75, 0, None]
    assert row["false_alarm"] == 0.25 and row["false_alarm_n"] == 4


def test_leaks_of_one_sentence_are_one_cluster():
    spoken = [outcome("loud", 1, LEAKED, tag=tag) for tag in TAGS] + [outcome("loud", 2, MISS, tag=tag) for tag in TAGS]
    row = leak_row(spoken, [])
    assert row["found"] == 0.5 and (row["found_low"], row["found_high"]) == (0, 1), "two sentences, not fourteen"
    assert row["false_alarm"] is None and row["false_alarm_n"] == 0


def test_confusion_is_the_rate_of_each_detector_on_each_tag():
    rows = [
        crosstalk(Tag.EMPH, 1, emphasis=4.0, pitch_level=2.0),
        crosstalk(Tag.EMPH, 2, emphasis=2.9, pitch_level=-2.0),
        crosstalk(Tag.PAUSE_LONG, 1, pause=1.0, emphasis=None),
    ]
    table = confusion(rows)
    emphasis = {"<emph>": 0.5, "<pause_short>": 0, "<pause_long>": 0, "<pitch_high>": 0.5, "<pitch_low>": 0.5}
    assert table["<emph>"] == {**emphasis, "<pitch_rising>": 0, "<pitch_falling>": 0}
    assert table["<pause_long>"]["<pause_long>"] == 1 and table["<pause_long>"]["<pause_short>"] == 0
    assert table["<pause_long>"]["<emph>"] is None, "not measured"
    assert set(table["<pitch_low>"].values()) == {None}, "not spoken"


def test_only_positive_engines_enter_the_confusion():
    rows = [crosstalk(Tag.EMPH, 1, emphasis=9.0), crosstalk(Tag.EMPH, 1, "varied", emphasis=0.0)]
    assert block(talk=rows)["confusion"]["<emph>"]["<emph>"] == 1


def own_values(tag):
    """Return values that only the detector of `tag` judges as a hit."""
    detector = DETECTORS[tag]
    size = {Tag.PAUSE_SHORT: 0.3, Tag.PAUSE_LONG: 1.0}.get(tag, detector.sign * 9.0)
    return {detector.cue.value: size}


def test_shuffled_labels_never_hit_if_each_clip_has_one_cue():
    rows = [crosstalk(tag, number, **own_values(tag)) for tag in TAGS for number in range(40)]
    assert all(confusion(rows)[tag.value][tag.value] == 1 for tag in TAGS)
    assert shuffled(rows) == {tag.value: 0 for tag in TAGS}


def test_shuffled_labels_hit_a_cue_of_all_clips():
    rows = [crosstalk(tag, number, emphasis=9.0) for tag in TAGS for number in range(40)]
    found = shuffled(rows)
    assert found.pop("<emph>") == 1 and set(found.values()) == {0}
    assert shuffled(rows) == shuffled(rows), "the same seed, the same labels"
    assert shuffled([]) == {tag.value: None for tag in TAGS}


def test_the_contrastive_score_is_given_for_either_role():
    right = [[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0]]
    level = [[0.0] * 3] * 3
    rows = [
        Contrast(engine=engine, sentence="s001.emph", group="s001", tag=Tag.EMPH, slots=[1, 3, 5], values=values)
        for engine, values in (("good", right), ("varied", level), ("loud", right))
    ]
    found = block(contrasts=rows)["contrastive"]
    assert found["positive"]["<emph>"]["accuracy"] == 1 and found["positive"]["<emph>"]["n"] == 3
    assert found["negative"]["<emph>"]["accuracy"] == pytest.approx(1 / 3)


def test_the_block_is_json_without_nan_for_little_or_no_data():
    one = block(outcomes=series("good", [BROKEN, LOST]), nulls=[null("varied", 1, [])], talk=[crosstalk(Tag.EMPH)])
    for found in (block(), one):
        assert json.loads(json.dumps(found, allow_nan=False)) == found
        assert set(found) == {"controls", "contrastive", "leak", "dose", "confusion", "shuffled"}
