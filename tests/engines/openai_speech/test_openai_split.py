import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engines.dialects import DIALECTS, part
from harness.engines.openai_speech.engine import split
from harness.errors import HarnessError
from harness.tagged import TAGS, TaggedText

plain, prompted = DIALECTS["ignore"].render, DIALECTS["prompted"].render


def test_sentences_stay_whole_then_clauses_then_words():
    text = TaggedText.from_plain("One two. Three four! Five six, seven eight nine ten")
    assert [part.plain for part in split(text, plain, 22)] == [
        "One two. Three four!",
        "Five six,",
        "seven eight nine ten",
    ]
    assert [part.plain for part in split(text, plain, 9)][:4] == ["One two.", "Three", "four!", "Five six,"]


def test_quotes_after_the_full_stop_belong_to_the_sentence():
    text = TaggedText.from_plain("He said “go.” Then he went away")
    assert split(text, plain, 21)[0].plain == "He said “go.”"


def test_tags_go_with_the_words_they_act_on():
    text = TaggedText.parse("We go. <pause_long> <emph> Now we stay <pitch_rising>")
    first, second = split(text, prompted, 46)
    assert first.format() == "We go." and second.format() == "<pause_long> <emph> Now we stay <pitch_rising>"


def test_a_word_that_is_too_long_is_named():
    with pytest.raises(HarnessError, match="'xxxxxxxxxxxx' alone is longer than 10"):
        split(TaggedText.from_plain("a xxxxxxxxxxxx b"), plain, 10)


words = st.lists(st.sampled_from(["a", "word", "end.", "clause,", "“quoted!”"]), min_size=1, max_size=40)


@settings(max_examples=150, deadline=None)
@given(words, st.data(), st.integers(60, 120))
def test_nothing_is_lost_and_nothing_is_too_long(found, data, limit):
    places = st.tuples(st.integers(0, len(found)), st.sampled_from(TAGS))
    text = TaggedText(found, data.draw(st.lists(places, max_size=6, unique_by=lambda place: place[0])))
    parts = split(text, prompted, limit)
    assert all(len(prompted(part)) <= limit and part.words for part in parts)
    assert " ".join(part.format() for part in parts) == text.format()
    assert part(text, 0, len(text.words)) == text
