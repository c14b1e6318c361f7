"""Which word was tagged? Accuracy, chance and ties on matrices whose answer is known."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_features import features

from harness.prosody.contrast import contrastive, identify, measure_contrast
from harness.prosody.listeners.scores import Heard
from harness.records import Contrast
from harness.tagged import Tag, TaggedText

TEXT = TaggedText.from_plain("We sell small boats and big ships here.")


def clip(f0=(0,) * 8):
    return features(len(f0), f0=f0, final_movement=f0)


def record(values, number=0, tag=Tag.PITCH_HIGH):
    return Contrast(
        engine="e", sentence=f"s{number:03d}.x", group=f"s{number:03d}", tag=tag, slots=[1, 3, 6],
        values=np.asarray(values).tolist() if not isinstance(values, list) else values,
    )  # fmt: skip


def row(records, tag=Tag.PITCH_HIGH):
    return contrastive(records)[tag.value]


def test_an_engine_that_obeys_is_identified_every_time():
    found = row([record(np.eye(3) * 4 + number, number) for number in range(20)])
    assert found["accuracy"] == found["audible"] == found["high"] == 1
    assert found["n"] == 60 and found["unmeasurable"] == 0
    assert found["chance"] == pytest.approx(1 / 3)


def test_how_high_a_word_is_anyway_does_not_matter():
    own_pitch = np.array([[9.0, 0.0, -9.0]])
    assert row([record(np.eye(3) * 2 + own_pitch)])["accuracy"] == 1


def test_an_engine_that_puts_the_tag_elsewhere_is_never_identified():
    assert row([record(np.roll(np.eye(3), 1, axis=1) * 4, n) for n in range(5)])["accuracy"] == 0


def test_noise_is_identified_once_in_three():
    generator = np.random.default_rng(0)
    found = row([record(generator.normal(0, 1, (3, 3)), number) for number in range(200)])
    assert found["low"] < 1 / 3 < found["high"] and found["high"] - found["low"] < 0.12
    assert abs(found["accuracy"] - 1 / 3) < 0.06


def test_chance_is_one_in_four_with_four_candidates():
    values = (np.eye(4) * 3).tolist()
    assert row([record(values)])["chance"] == pytest.approx(1 / 4)


def test_ties_count_by_the_number_that_tie():
    assert [right for right, _ in identify([[0, 0, 0]] * 3)] == pytest.approx([1 / 3] * 3)
    right = [right for right, _ in identify([[1.0, 1.0, 0], [0, 1.0, 0], [0, 0, 1.0]])]
    # Rises by hand: 1 0.5 -0.5 / -0.5 0.5 -0.5 / -0.5 -1 1.
    assert right == [1, 1, 1]
    two = identify([[2.0, 2.0, 0], [0, 0, 0], [0, 0, 0]])
    assert two[0] == (0.5, 2.0) and two[1] == (0.0, -1.0) and two[2] == (1.0, 0.0)
    assert row([record([[0.0] * 3] * 3)])["accuracy"] == pytest.approx(1 / 3)


def test_a_missing_value_leaves_the_sentence_out():
    broken = [[3.0, 0.0, 0.0], [0.0, None, 0.0], [0.0, 0.0, 3.0]]
    assert identify(broken) == []
    found = row([record(broken, 0), record(np.eye(3) * 3, 1)])
    assert found["n"] == 3 and found["unmeasurable"] == 3 and found["accuracy"] == 1
    nothing = row([record(broken)])
    assert nothing["accuracy"] is None and nothing["n"] == 0
    json.dumps(nothing, allow_nan=False)


def test_the_order_of_candidates_does_not_matter():
    generator = np.random.default_rng(1)
    values = [np.round(generator.normal(0, 1, (3, 3)) + np.eye(3), 1) for _ in range(30)]  # rounded: some ties
    straight = row([record(each, n) for n, each in enumerate(values)])
    for order in ([2, 0, 1], [1, 0, 2]):
        moved = row([record(each[np.ix_(order, order)], n) for n, each in enumerate(values)])
        assert moved == straight


def test_an_inaudible_difference_is_identified_but_not_audible():
    found = row([record(np.eye(3) * 0.1, n, Tag.EMPH) for n in range(5)], Tag.EMPH)
    assert found["accuracy"] == 1 and found["audible"] == 0


def test_only_identified_renderings_are_audible():
    both = [record(np.eye(3) * 4, 0), record(np.eye(3) * 0.1, 1), record(np.roll(np.eye(3), 1, axis=1) * 9, 2)]
    found = row(both)
    assert found["accuracy"] == pytest.approx(2 / 3) and found["audible"] == pytest.approx(1 / 3)
    outdone = row([record([[4.0, 9.0, 0.0], [0.0] * 3, [0.0] * 3])])  # the first rose by 4, another word by 9
    assert outdone["accuracy"] == pytest.approx(1 / 3) and outdone["audible"] == 0


def test_tags_are_counted_apart_and_absent_ones_are_left_out():
    found = contrastive([record(np.eye(3), 0, Tag.EMPH), record(-np.eye(3), 0, Tag.PITCH_LOW)])
    assert set(found) == {"<emph>", "<pitch_low>"}
    assert found["<emph>"]["accuracy"] == 1 and found["<pitch_low>"]["accuracy"] == 0
    assert contrastive([]) == {}


def test_measured_values_go_in_the_direction_of_the_tag():
    slots = [1, 3, 6]
    clips = [clip(f0=[-3.0 if at == slot else 0 for at in range(8)]) for slot in slots]
    low = measure_contrast(Tag.PITCH_LOW, TEXT, slots, clips)
    assert low == [[3, 0, 0], [0, 3, 0], [0, 0, 3]], "candidates are never used as reference"
    assert [right for right, _ in identify(low)] == [1, 1, 1]
    assert [right for right, _ in identify(measure_contrast(Tag.PITCH_HIGH, TEXT, slots, clips))] == [0, 0, 0]


def test_contours_are_measured_at_the_end_of_the_phrase_of_their_slot():
    text = TaggedText.from_plain("If so, we go, and you stay.")
    high = [clip(f0=[4.0 if at == end else 0 for at in range(7)]) for end in (1, 3, 6)]
    assert measure_contrast(Tag.PITCH_RISING, text, [0, 2, 4], high) == [[4, 0, 0], [0, 4, 0], [0, 0, 4]]


def test_clips_and_places_that_cannot_be_measured_are_none():
    slots = [1, 3, 6]
    rows = measure_contrast(Tag.PAUSE_LONG, TEXT, slots, [clip(), "the words were not found", clip()])
    assert rows == [[0, 0, 0], [None] * 3, [0, 0, 0]]
    unvoiced = clip(f0=[0, np.nan, 0, 0, 0, 0, 0, 0])
    assert measure_contrast(Tag.PITCH_HIGH, TEXT, slots, [unvoiced] * 3)[0] == [None, 0, 0]
    after_the_end = measure_contrast(Tag.EMPH, TEXT, [1, 3, 8], [clip()] * 3)
    assert after_the_end[0] == [0, 0, None]


def test_a_listener_names_the_word_that_it_hears_most():
    text = TaggedText.from_plain("one two three four")
    scores = [[0.9, 0.2, 0.2, 0.1], [0.5, 0.4, 0.2, 0.1], [0.5, 0.2, 0.05, 0.1]]  # the third does not stand out
    clips = [replace(features(4), heard={"l": Heard("word", np.array(row))}) for row in scores]
    values = measure_contrast(Tag.EMPH, text, [0, 1, 2], clips, "l")
    assert values == [row[:3] for row in scores]
    record = Contrast(engine="e", sentence="s", group="g", tag=Tag.EMPH, slots=[0, 1, 2], values=values, listener="l")
    row = contrastive([record], "l")["<emph>"]
    assert (row["accuracy"], row["n"], row["audible"]) == (pytest.approx(2 / 3), 3, None)
    assert contrastive([record]) == {}, "the detectors' own score does not count it"
    deaf = [clips[0], replace(features(4), heard={"l": Heard("word", reason="too quiet")}), "no words"]
    assert measure_contrast(Tag.EMPH, text, [0, 1, 2], deaf, "l")[1:] == [[None] * 3] * 2
