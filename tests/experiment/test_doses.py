"""Dose-response: the larger the edit, the more often the detector fires."""

import json

import numpy as np
import pytest
from helpers import say

from harness.audio import Audio
from harness.engines.dialects import DIALECTS
from harness.experiment.doses import compliance, dose_response, measure_doses
from harness.prosody.detectors import DETECTORS
from harness.prosody.edits import EDITS
from harness.prosody.null import FLOORS, Thresholds
from harness.prosody.scorer import analyse
from harness.records import Arm, Dose, Outcome, Verdict
from harness.tagged import Tag, TaggedText

pytest.importorskip("parselmouth")
pytest.importorskip("pocketsphinx")

SENTENCES = {"a": ("Old guides bring small boats home.", 3), "b": ("We asked every buyer about it.", 3)}
PITCH = next(edit for edit in EDITS if edit.name == "pitch")
PAUSE = next(edit for edit in EDITS if edit.name == "pause")


@pytest.fixture(scope="module")
def measured():
    rows = []
    for name, (words, slot) in SENTENCES.items():
        text = TaggedText.from_plain(words)
        audio = say(text)
        rows += measure_doses(audio, text, slot, [analyse(audio, text)], "e", name)
    return rows


def dose(value, edit=PITCH, size=0.0, sentence="a"):
    return Dose(engine="e", sentence=sentence, edit=edit.name, dose=size, tag=edit.tag, value=value)


def test_every_dose_of_every_edit_is_measured(measured):
    assert len(measured) == len(SENTENCES) * sum(len(edit.doses) for edit in EDITS)
    assert all(row.value is not None for row in measured)
    assert len({row.key for row in measured}) == len(measured)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_values_rise_with_the_dose_and_cross_the_threshold(measured, edit):
    detector = DETECTORS[edit.tag]
    for name in SENTENCES:
        values = [detector.sign * row.value for row in measured if row.edit == edit.name and row.sentence == name]
        assert abs(values[0]) < 0.01, "no dose, no difference"
        slack = 0.1 * max(values)
        assert (np.diff(values) > -slack).all(), (name, values)
        assert values[-1] > detector.floor > values[0], (name, values)


def test_values_are_the_doses_in_their_unit(measured):
    for edit, tolerance in ((PAUSE, 0.06), (PITCH, 0.8)):
        for row in measured:
            if row.edit == edit.name:
                assert row.value == pytest.approx(row.dose, abs=tolerance), row
    gains = [row for row in measured if row.edit == "gain"]
    assert all(row.value == pytest.approx(row.dose, abs=1.0) for row in gains), "1 dB is one unit"


def test_the_response_rises_from_none_to_all(measured):
    table = dose_response(measured, FLOORS)
    assert set(table) == {edit.name for edit in EDITS}
    for edit in EDITS:
        row = table[edit.name]
        assert row["monotone"] is True and row["hit"][0] == 0 and row["hit"][-1] == 1, row
        assert row["dose"] == list(edit.doses) and row["n"] == 2
        assert all(low <= hit <= high for low, hit, high in zip(row["low"], row["hit"], row["high"], strict=True))
        assert row["threshold"] == DETECTORS[edit.tag].floor
    json.dumps(table, allow_nan=False)


def test_rates_and_monotony_agree_with_a_count_by_hand():
    values = {0.0: [0, 0], 0.75: [1.6, 0], 1.5: [1.4, 0], 2.25: [2, None], 3.0: [3, 3], 4.5: [4, 4]}
    rows = [
        dose(v, size=size, sentence=name) for size, pair in values.items() for name, v in zip("ab", pair, strict=True)
    ]
    row = dose_response(rows, FLOORS)["pitch"]
    assert row["hit"] == [0, 0.5, 0, 1, 1, 1]
    assert row["monotone"] is False and row["n"] == 2


def test_thresholds_of_the_engine_replace_the_floors():
    rows = [dose(size, size=size) for size in PITCH.doses]
    strict = Thresholds({(PITCH.tag, part): 4.0 for part in (0, 1)})
    assert dose_response(rows, FLOORS)["pitch"]["hit"] == [0, 0, 1, 1, 1, 1]
    assert dose_response(rows, strict)["pitch"]["hit"] == [0, 0, 0, 0, 0, 1]
    assert dose_response(rows, strict)["pitch"]["threshold"] == 4


def test_edits_that_were_not_measured_are_left_out():
    assert dose_response([], FLOORS) == {}
    assert dose_response([dose(None)], FLOORS) == {}
    table = dose_response([dose(2.0, size=3.0)], FLOORS)["pitch"]
    assert table["hit"] == [None, None, None, None, 1, None]
    json.dumps(table, allow_nan=False)


def test_a_clip_that_cannot_be_aligned_gives_no_records():
    noise = Audio(np.random.default_rng(0).normal(0, 0.1, 3000).astype(np.float32), 16000)
    assert measure_doses(noise, TaggedText.from_plain(SENTENCES["a"][0]), 4, [], "e", "a") == []


@pytest.mark.parametrize("plain", [[], ["the words were not found"]])
def test_without_plain_clips_there_are_no_values(plain, monkeypatch):
    monkeypatch.setattr("harness.experiment.doses.EDITS", (PAUSE,))
    text = TaggedText.from_plain(SENTENCES["b"][0])
    rows = measure_doses(say(text), text, 3, plain, "e", "b")
    assert [row.value for row in rows] == [None] * len(PAUSE.doses)


def test_a_slot_after_the_last_word_does_not_crash():
    """A user's file may end "... about it. <pause_long>"."""
    text = TaggedText.from_plain(SENTENCES["b"][0])
    measure_doses(say(text), text, len(text.words), ["no plain clip"], "e", "b")


def outcome(value, sentence, verdict=Verdict.HIT, **changed):
    return Outcome(**{"engine": "e", "tagger": "gold", "sentence": sentence, "arm": Arm.TAGGED, "slot": 1, "tag": Tag.PAUSE_SHORT,
                      "verdict": verdict, "value": value, **changed})  # fmt: skip


def test_compliance_is_the_share_of_differences_inside_the_promised_band():
    rows = [outcome(value, f"s{n}") for n, value in enumerate((0.4, 0.55, 0.7, 0.39, 0.71))]
    rows += [
        outcome(None, "s5", Verdict.LEAKED),
        outcome(None, "s6", Verdict.UNMEASURABLE),
        outcome(0.5, "s7", arm=Arm.PLACEBO),
        outcome(0.5, "s8", paired=False),
        outcome(2.0, "s9", tag=Tag.PITCH_HIGH),
    ]
    found = compliance(rows, {Tag.PAUSE_SHORT: (0.4, 0.7), Tag.PAUSE_LONG: (0.7, 1.5)})
    assert set(found) == {"<pause_short>"}, "a tag without a promise, or never asked for, has no row"
    row = found["<pause_short>"]
    assert row["n"] == 6 and row["in_band"] == pytest.approx(3 / 6), "both limits belong to the band; a leak does not"
    assert row["in_band_low"] < 0.5 < row["in_band_high"]
    assert row["promised"] == [0.4, 0.7] and row["unit"] == "s" and row["median"] == 0.55
    assert compliance(rows, {}) == {}


def test_the_promises_of_ssml_hold_the_doses_that_are_asked_for():
    doses = {
        Tag.PAUSE_SHORT: 0.4,
        Tag.PAUSE_LONG: 1.0,
        Tag.PITCH_HIGH: 12 * np.log2(1.3),
        Tag.PITCH_LOW: 12 * np.log2(0.7),
    }
    promises = DIALECTS["ssml"].promises
    assert promises.keys() == doses.keys()
    for tag, (low, high) in promises.items():
        assert (low + high) / 2 == pytest.approx(doses[tag], abs=0.05)
        assert (high - low) / 2 == pytest.approx(DETECTORS[tag].floor)
