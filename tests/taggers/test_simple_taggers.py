import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datasets import load_examples
from harness.errors import HarnessError
from harness.tagged import Tag, TaggedText
from harness.taggers import make_tagger, tagger_names

plain = st.lists(st.text(min_size=1).filter(lambda w: w.split() == [w]), max_size=12).map(TaggedText)


@pytest.fixture(scope="module", params=["none", "random", "rules", "majority"])
def tagger(request):
    return make_tagger(request.param)


@given(text=plain)
def test_words_are_never_changed(tagger, text):
    [tagged] = tagger.tag([text])
    assert tagged.words == text.words


def test_tags_in_the_input_are_ignored(tagger):
    tagged = TaggedText.parse("If <emph> you sign, <pause_long> we never charge?")
    assert tagger.tag([tagged]) == tagger.tag([tagged.stripped()])
    assert tagger.tag([]) == []


def test_rules_as_frozen():
    rules = make_tagger("rules")
    for text, expected in (
        ("Imagine it. Would you sign?", "<pitch_high> Imagine it. <pause_long> Would you <pitch_rising> sign?"),
        ("What changed?", "What <pitch_falling> changed?"),
        ("Honestly, we never charge", "<pitch_low> Honestly, <pause_short> we <emph> never charge"),
        ("If you sign today, we pay half of it.", "If you sign <emph> today, <pause_short> we pay <emph> half of it."),
    ):
        assert str(rules.tag([TaggedText.from_plain(text)])[0]) == expected


def test_majority_is_a_lookup_table():
    seen = [
        TaggedText.parse(t)
        for t in ("we <emph> never stop", "we <emph> never go", "they never go", "so it ends <pause_long>")
    ]
    majority = make_tagger("majority", examples=seen)
    assert majority.tag([TaggedText.from_plain("You NEVER, never know")])[0].slots(Tag.EMPH) == (1, 2)
    assert make_tagger("majority", examples=seen[::-1]).table == majority.table


def test_random_has_the_density_of_training_and_a_seed():
    texts = [TaggedText(["w"] * 20)] * 300
    train = [example.tagged for example in load_examples("train")]
    wanted = sum(len(t.slots(Tag.EMPH)) for t in train) / sum(len(t.words) + 1 for t in train)
    placed = make_tagger("random", seed=1).tag(texts)
    assert abs(sum(len(t.slots(Tag.EMPH)) for t in placed) / (21 * 300) - wanted) < 0.02
    assert placed == make_tagger("random", seed=1).tag(texts) != make_tagger("random", seed=2).tag(texts)


def test_unknown_names_and_options_are_explained():
    assert {"none", "random", "rules", "majority", "gpt2"} <= set(tagger_names())
    with pytest.raises(HarnessError, match=r"choose one of: .*gpt2, .*majority"):
        make_tagger("bert")
    with pytest.raises(HarnessError, match="does not take these options"):
        make_tagger("rules", colour="red")
