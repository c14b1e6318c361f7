"""The annotation guide's limits: as data, when tags are chosen, and in the taggers."""

import numpy as np
import pytest

from harness.datasets import load_examples
from harness.records import Example
from harness.tagged import PAUSES, TAGS, Tag, TaggedText
from harness.taggers import make_tagger
from harness.taggers.limits import guide_limits, limits_for, parts
from harness.taggers.slots import choose, tune

WORDS = "One two three, four five six, seven eight nine, ten eleven twelve.".split()


def placed(words, *wanted, limits=True):
    """Return the tags that are chosen if a model prefers these (slot, tag) pairs, the first one most."""
    margin = np.full((len(words) + 1, len(TAGS)), -1.0)
    for rank, (slot, tag) in enumerate(wanted):
        margin[slot, TAGS.index(tag)] = 50 - rank
    [text] = choose([words], [margin], {}, guide_limits() if limits else None)
    return list(text.tags)


@pytest.mark.parametrize(("words", "wanted", "kept"), [
    (WORDS, [(0, Tag.EMPH), (1, Tag.EMPH), (4, Tag.EMPH), (7, Tag.EMPH)], [0, 4]),  # one a clause, two an example
    (WORDS, [(3, Tag.PAUSE_SHORT), (6, Tag.PAUSE_SHORT), (9, Tag.PAUSE_SHORT)], [3, 6]),
    (WORDS, [(3, Tag.PAUSE_LONG), (6, Tag.PAUSE_LONG)], [3]),
    (WORDS, [(5, Tag.PITCH_RISING), (11, Tag.PITCH_FALLING)], [5]),  # one contour
    (WORDS, [(3, Tag.PITCH_HIGH), (6, Tag.PITCH_HIGH), (7, Tag.PITCH_LOW), (8, Tag.PITCH_LOW)], [3, 7]),
    (WORDS, [(11, Tag.PITCH_FALLING), (3, Tag.PAUSE_SHORT), (0, Tag.EMPH), (7, Tag.PITCH_LOW), (6, Tag.PAUSE_LONG)], [0, 3, 7, 11]),
    (WORDS[:5], [(0, Tag.EMPH), (3, Tag.PAUSE_SHORT)], [0]),  # one tag for every three words
    (("Yes.",), [(0, Tag.EMPH)], [0]),
    ((), [(0, Tag.PAUSE_LONG)], [0]),
    (WORDS, [(3, Tag.PAUSE_SHORT), (3, Tag.EMPH), (3, Tag.PAUSE_LONG), (3, Tag.PITCH_HIGH), (0, Tag.PITCH_HIGH)], [0, 3, 3]),
])  # fmt: skip
def test_the_best_tags_are_kept_and_what_exceeds_a_limit_is_not(words, wanted, kept):
    assert [slot for slot, _ in placed(words, *wanted)] == kept


def test_without_limits_every_slot_may_have_its_tags():
    wanted = [(slot, tag) for slot in range(len(WORDS) + 1) for tag in (Tag.PAUSE_LONG, Tag.EMPH)]
    assert placed(WORDS, *wanted, limits=False) == wanted


def test_a_long_text_is_cut_into_parts_at_ends_of_sentences():
    words = [*WORDS, '"Why?"'] * 3
    assert parts(words, 24) == [0] * 13 + [1] * 13 + [2] * 14
    assert parts(["word"] * 30, 24) == [0] * 31
    assert parts([], 24) == [0]
    assert [slot for slot, _ in placed(words, *[(slot, Tag.PAUSE_LONG) for slot in range(40)])] == [0, 13, 26]


def test_the_embedded_examples_keep_the_limits():
    assert guide_limits().kept_by([example.tagged for example in load_examples("train")])


def test_a_tagger_keeps_the_limits_if_its_examples_do_or_if_asked():
    kept, broken = TaggedText.parse("<emph> We do it"), TaggedText.parse("<emph> We <emph> do it")
    assert limits_for([kept]) is limits_for([broken], True) is guide_limits()
    assert limits_for([kept, broken]) is limits_for([kept], False) is None


def test_the_taggers_have_the_option():
    examples = [
        Example(id=f"{g}-{k}", text="never <emph> never <emph> never never" if k else "it was so", group=f"g{g}", split="train")
        for g in range(6) for k in range(2)
    ]  # fmt: skip
    text = TaggedText.parse("never never never never")
    count = {limits: len(make_tagger("logistic", examples=examples, limits=limits).tag([text])[0].tags)
             for limits in (None, True)}  # fmt: skip
    assert count == {None: 2, True: 1}, "the examples themselves exceed the limits"


def test_the_tuned_threshold_is_best_under_the_limits():
    margin = np.full((5, len(TAGS)), -9.0)
    emph = TAGS.index(Tag.EMPH)
    margin[0, emph], margin[3, emph], margin[1, TAGS.index(Tag.PAUSE_SHORT)] = 2.0, 1.0, 0.5
    gold = TaggedText.parse("<emph> We pay you all")
    thresholds = tune([margin], [gold], guide_limits())
    assert set(thresholds) == set(TAGS) and len(set(thresholds.values())) == 1
    assert choose([gold.words], [margin], thresholds, guide_limits()) == [gold]
    assert tune([margin], [gold.stripped()], guide_limits())[Tag.EMPH] == 0


def test_the_limits_are_those_of_the_guide():
    limits = guide_limits()
    assert (limits.tags, limits.words_per_tag) == (4, 3) and set(limits.example) == set(TAGS)
    assert limits.clause.keys() == {Tag.EMPH} and limits.example[Tag.PITCH_RISING] == limits.example[Tag.PITCH_FALLING]
    assert {limits.example[tag][1] for tag in PAUSES} == {1, 2}
