"""Cross-validation of taggers on examples: which examples each tagger is trained and scored on."""

from collections import Counter

import pytest

from harness.benchmark.examples import cross_validate, difference, fitted, report, timed
from harness.records import Example
from harness.tagged import Tag, TaggedText

EXAMPLES = [
    Example(id=f"e{k}", text=f"we <emph> never say w{k}", group=f"g{k % 7}", split="train") for k in range(21)
]  # fmt: skip
GROUP = {example.tagged.words: example.group for example in EXAMPLES}
ID = {example.tagged.words: example.id for example in EXAMPLES}


class Spy:
    """A tagger that records its training examples and tags the last word."""

    name = "spy"

    def __init__(self, examples):
        self.examples, self.seen = examples, []

    def tag(self, texts):
        assert all(not text.tags for text in texts), "reference tags must not be shown"
        self.seen += [text.words for text in texts]
        return [TaggedText(text.words, [(len(text.words) - 1, Tag.EMPH)]) for text in texts]


@pytest.fixture
def spies():
    return []


def make(spies):
    return lambda examples: spies.append(Spy(examples)) or spies[-1]


@pytest.mark.parametrize("grouped", [True, False])
def test_every_example_is_tagged_once_and_in_order(spies, grouped):
    tagged = cross_validate(make(spies), EXAMPLES, grouped=grouped)
    assert Counter(words for spy in spies for words in spy.seen) == Counter(e.tagged.words for e in EXAMPLES)
    assert [text.words for text in tagged] == [example.tagged.words for example in EXAMPLES]


def test_no_group_is_on_both_sides_of_a_split(spies):
    cross_validate(make(spies), EXAMPLES)
    assert len(spies) == 5
    for spy in spies:
        assert not {e.group for e in spy.examples} & {GROUP[words] for words in spy.seen}
        assert {e.group for e in spy.examples} | {GROUP[words] for words in spy.seen} == set(GROUP.values())


def test_without_groups_only_the_example_itself_is_left_out(spies):
    cross_validate(make(spies), EXAMPLES, grouped=False)
    shared = 0
    for spy in spies:
        assert not {e.id for e in spy.examples} & {ID[words] for words in spy.seen}
        assert [e.group for e in spy.examples] == [e.id for e in spy.examples], "the tagger's own folds leak as well"
        shared += len({GROUP[e.tagged.words] for e in spy.examples} & {GROUP[words] for words in spy.seen})
    assert shared > 0, "parts of one group are on both sides: the leak"


def test_folds_depend_on_the_seed_and_progress_is_reported(spies):
    told = []
    for seed in (1, 1, 2):
        cross_validate(make(spies), EXAMPLES, seed=seed, folds=3, progress=lambda *done: told.append(done))
    first, again, other = ([spy.seen for spy in spies[at : at + 3]] for at in (0, 3, 6))
    assert first == again != other
    assert told == [(1, 3), (2, 3), (3, 3)] * 3


@pytest.mark.parametrize("name", ["none", "rules", "random", "majority", "logistic"])
def test_every_fast_tagger_can_be_fitted_on_examples(name):
    tagger = fitted(name, EXAMPLES, seed=1)
    [tagged] = tagger.tag([TaggedText.from_plain("we never know")])
    assert tagger.name == name and tagged.words == ("we", "never", "know")
    if name in ("majority", "logistic"):
        assert tagged.slots(Tag.EMPH) == (1,)


def test_reports_and_differences():
    gold = [example.tagged for example in EXAMPLES]
    nothing = [text.stripped() for text in gold]
    assert report(EXAMPLES, gold, 50)["micro"]["f1"] == 1 and report(EXAMPLES, nothing, 50)["micro"]["f1"] == 0
    assert difference(EXAMPLES, gold, nothing, 50)["value"] == 1
    assert difference(EXAMPLES, gold, gold, 50) == {"value": 0, "low": 0, "high": 0}


def test_the_speed_excludes_loading():
    spy = Spy([])
    tagged, speed = timed(spy, [example.tagged.stripped() for example in EXAMPLES])
    assert len(tagged) == 21 and len(spy.seen) == 22 and speed > 0
