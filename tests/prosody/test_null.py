"""An engine compared with itself: the differences, and the thresholds computed from them."""

import numpy as np
import pytest
from made_features import features

from harness.experiment.sentences import SETS_FILE, SetSentence
from harness.prosody.detectors import DETECTORS, EMPHASIS_FLOOR_JND, PITCH_FLOOR_SEMITONES, Cue
from harness.prosody.null import (
    FLOOR,
    FLOORS,
    MIN_DIFFERENCES,
    NOT_APPLICABLE,
    NULL,
    TOO_FEW,
    Thresholds,
    false_positives,
    fit,
    half,
    null_differences,
)
from harness.records import NullSample
from harness.store import read_jsonl
from harness.tagged import TAGS, Tag, TaggedText

TEXT = TaggedText.from_plain("Here we go again.")
SENTENCES = [sentence.id for sentence in read_jsonl(SETS_FILE, SetSentence)]


def clip(pause=0.0, f0=(0.0, 0.0, 0.0, 0.0), level=(0.0, 0.0, 0.0, 0.0)):
    """Fake measurements of four words: `pause` in the gap before the third."""
    return features(4, pause=[0, 0, pause, 0, 0], intensity=level, f0=f0, final_movement=f0)


def samples(values_of, cue=Cue.LEVEL, sentences=SENTENCES):
    return [NullSample(engine="e", sentence=name, cue=cue.value, values=values_of(name)) for name in sentences]


def normal(scale, each=10, seed=0):
    generator = np.random.default_rng(seed)
    return lambda _: generator.normal(0, scale, each).tolist()


def test_a_difference_is_one_clip_minus_the_mean_of_the_others():
    pauses = [0.1, 0.2, 0.6, 0.3]
    found = null_differences(TEXT, [clip(pause=pause) for pause in pauses])
    at_other_gaps = [0.0] * 8
    by_hand = [0.1 - 1.1 / 3, 0.2 - 1.0 / 3, 0.6 - 0.6 / 3, 0.3 - 0.9 / 3]
    assert sorted(found[Cue.PAUSE]) == pytest.approx(sorted(by_hand + at_other_gaps), abs=1e-4)


def test_differences_of_relative_cues_are_taken_after_the_reference():
    clips = [clip(f0=(0, 0, 0, last)) for last in (3.0, 0.0, 0.0, 0.0)]
    found = null_differences(TEXT, clips)
    assert found[Cue.END] == pytest.approx([3, -1, -1, -1]), "the movement of the last word needs no reference"
    # The last word moves by itself; at the three others it is one of three reference words.
    elsewhere = [-1, 1 / 3, 1 / 3, 1 / 3] * 3
    assert found[Cue.LEVEL] == pytest.approx([*elsewhere, 3, -1, -1, -1], abs=1e-4)
    assert found[Cue.EMPHASIS] == [0.0] * 16


def test_every_clip_and_every_place_gives_one_difference():
    found = null_differences(TEXT, [clip(), clip(), clip(), clip()])
    assert {cue: len(values) for cue, values in found.items()} == {
        Cue.PAUSE: 3 * 4, Cue.LEVEL: 4 * 4, Cue.EMPHASIS: 4 * 4, Cue.END: 1 * 4,
    }  # fmt: skip


def test_clips_that_cannot_be_measured_are_left_out_and_two_are_not_enough():
    three = [clip(pause=0.1), "the words were not found", clip(pause=0.2), clip(pause=0.6)]
    assert max(null_differences(TEXT, three)[Cue.PAUSE]) == pytest.approx(0.6 - 0.15)
    two = null_differences(TEXT, [clip(), "no", clip()])
    assert set(two) == set(Cue) and not any(two.values())


def test_a_clip_that_cannot_be_measured_at_a_place_is_left_out_there():
    unvoiced = clip(f0=(0, 0, 0, np.nan))
    found = null_differences(TEXT, [clip(), clip(), clip(), unvoiced])
    assert len(found[Cue.END]) == 3 and len(found[Cue.LEVEL]) == 3 * 4 + 3


def test_the_halves_of_the_sentence_set_are_balanced_and_stable():
    halves = [half(name) for name in SENTENCES]
    assert len(halves) == 216 and abs(sum(halves) - 108) <= 11, sum(halves)
    assert halves[:8] == [1, 0, 0, 1, 1, 1, 0, 0], "stored results were judged with these halves"
    quick = sum(halves[:30])
    assert 8 <= quick <= 22, f"{quick} of 30"


def test_a_threshold_is_the_99th_percentile_where_that_is_above_the_floor():
    rows = samples(normal(2.0))
    thresholds = fit(rows)
    for part in (0, 1):
        other = np.concatenate([row.values for row in rows if half(row.sentence) != part])
        assert thresholds.values[Tag.PITCH_HIGH, part] == pytest.approx(np.percentile(other, 99), abs=1e-3)
        assert thresholds.values[Tag.PITCH_LOW, part] == pytest.approx(-np.percentile(other, 1), abs=1e-3)
    assert thresholds.reason(Tag.PITCH_HIGH) == NULL


def test_a_threshold_is_the_floor_where_the_engine_hardly_varies():
    thresholds = fit(samples(normal(0.1)) + samples(normal(0.1), Cue.EMPHASIS))
    assert {thresholds.of(Tag.PITCH_LOW, name) for name in SENTENCES} == {PITCH_FLOOR_SEMITONES}
    assert {thresholds.of(Tag.EMPH, name) for name in SENTENCES} == {EMPHASIS_FLOOR_JND}
    assert thresholds.reason(Tag.EMPH) == FLOOR


def test_a_cue_says_nothing_about_the_tags_of_another():
    thresholds = fit(samples(normal(5.0), Cue.LEVEL))
    assert thresholds.of(Tag.PITCH_HIGH, "s001") > 5
    for tag in TAGS:
        if DETECTORS[tag].cue is not Cue.LEVEL:
            assert thresholds.of(tag, "s001") == DETECTORS[tag].floor
            assert thresholds.reason(tag) == NOT_APPLICABLE


@pytest.mark.parametrize("changed", [0, 1])
def test_the_threshold_of_a_half_depends_on_the_other_half_alone(changed):
    before = fit(rows := samples(normal(2.0)))
    wilder = [
        row.model_copy(update={"values": [3 * value for value in row.values]}) if half(row.sentence) == changed else row
        for row in rows
    ]
    after = fit(wilder)
    for tag in (Tag.PITCH_HIGH, Tag.PITCH_LOW):
        assert after.values[tag, changed] == before.values[tag, changed], "tuned on what it is applied to"
        assert after.values[tag, 1 - changed] == pytest.approx(3 * before.values[tag, 1 - changed], abs=1e-3)
    own = next(name for name in SENTENCES if half(name) == changed)
    assert after.of(Tag.PITCH_HIGH, own) == before.of(Tag.PITCH_HIGH, own)


def test_too_few_differences_leave_the_floors():
    rows = samples(lambda _: [9.0], sentences=SENTENCES * 5)[: MIN_DIFFERENCES - 1]
    thresholds = fit(rows)
    assert thresholds.of(Tag.PITCH_HIGH, "s001") == PITCH_FLOOR_SEMITONES
    assert thresholds.reason(Tag.PITCH_HIGH) == TOO_FEW == "too few"
    enough = fit([*rows, rows[0]])
    assert enough.of(Tag.PITCH_HIGH, "s001") == 9 and enough.reason(Tag.PITCH_HIGH) == NULL


def test_differences_of_one_half_only_are_too_few():
    one_half = [name for name in SENTENCES if half(name) == 0]
    thresholds = fit(samples(normal(5.0, each=20), sentences=one_half))
    assert thresholds.reason(Tag.PITCH_HIGH) == TOO_FEW and not thresholds.values


def test_an_engine_without_a_null_is_judged_by_the_floors():
    for thresholds in (fit([]), fit(samples(lambda _: [])), FLOORS, Thresholds()):
        for tag in TAGS:
            assert thresholds.of(tag, "s001") == DETECTORS[tag].floor
            assert thresholds.reason(tag) == "not applicable"


def test_simulated_nulls_are_called_hits_once_in_a_hundred():
    for seed in range(3):
        rows = samples(normal(3.0, each=40, seed=seed)) + samples(normal(4.0, each=40, seed=seed), Cue.EMPHASIS)
        found = false_positives(rows, fit(rows))
        assert set(found) == {Tag.PITCH_HIGH, Tag.PITCH_LOW, Tag.EMPH}
        for tag, (rate, n) in found.items():
            assert n == 216 * 40
            assert 0.006 < rate.value < 0.014 and rate.low < 0.01 < rate.high + 0.002, (tag, str(rate))


def test_floors_alone_would_call_many_of_them_hits():
    rows = samples(normal(3.0, each=40))
    rate, _ = false_positives(rows, FLOORS)[Tag.PITCH_HIGH]
    assert rate.value == pytest.approx(0.31, abs=0.02), "1 - Phi(1.5 / 3)"


def test_lowered_pitch_is_judged_by_the_other_tail():
    generator = np.random.default_rng(0)
    rows = samples(lambda _: (-generator.exponential(3.0, 20)).tolist())
    thresholds = fit(rows)
    assert thresholds.of(Tag.PITCH_HIGH, "s001") == PITCH_FLOOR_SEMITONES
    assert thresholds.of(Tag.PITCH_LOW, "s001") == pytest.approx(3 * np.log(100), rel=0.1)
    assert (thresholds.reason(Tag.PITCH_HIGH), thresholds.reason(Tag.PITCH_LOW)) == (FLOOR, NULL)
    rates = false_positives(rows, thresholds)
    assert rates[Tag.PITCH_HIGH][0].value == 0 and 0.004 < rates[Tag.PITCH_LOW][0].value < 0.018
