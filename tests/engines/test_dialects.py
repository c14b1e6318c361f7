from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engines.dialects import DIALECTS, DOSES
from harness.tagged import CONTOURS, TAGS, WORD_TAGS, Tag, TaggedText, printable

ssml, ignore = DIALECTS["ssml"], DIALECTS["ignore"]
STRONG = '<emphasis level="strong">'

printing = "a é 😀 30% . , ( ) <emph> \\ <b> </speak> & &amp; &#60; ]]> <!-- <?x?> \" '".split()
hostile = st.sampled_from([*printing, "\x00", "\x01P9", "\ufffe", "\ud800"])
words = st.lists(hostile, min_size=1, max_size=4).map("".join)


@st.composite
def tagged_texts(draw):
    chosen = draw(st.lists(words, max_size=6))
    slots = st.tuples(st.integers(0, len(chosen)), st.sampled_from(TAGS))
    return TaggedText(chosen, draw(st.lists(slots, max_size=5)))


def body(text):
    """Rendered SSML without the outer element."""
    rendered = ssml.render(TaggedText.parse(text) if isinstance(text, str) else text)
    return rendered.removeprefix("<speak>").removesuffix("</speak>")


@given(tagged_texts(), st.sampled_from(sorted(DIALECTS)))
@settings(max_examples=200)
def test_spans_say_where_the_words_are(text, name):
    layout = DIALECTS[name].lay_out(text)
    assert layout.text == DIALECTS[name].render(text)
    assert len(layout.spans) == len(text.words)
    ends = 0
    for word, (start, end) in zip(text.words, layout.spans, strict=True):
        assert ends <= start
        ends = end
        piece = layout.text[start:end]
        if name == "ssml":
            piece = "".join(ElementTree.fromstring(f"<w>{piece}</w>").itertext())
        assert piece == printable(word)


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("name", ["ssml", "ignore"])
def test_what_is_lost(name, tag):
    inside, last = TaggedText(["one", "two"], [(1, tag)]), TaggedText(["one", "two"], [(2, tag)])
    unknown = name == "ignore"
    assert DIALECTS[name].lost(inside) == ([(1, tag)] if unknown else [])
    assert DIALECTS[name].lost(last) == ([(2, tag)] if unknown or tag in WORD_TAGS else [])


@given(tagged_texts())
@settings(max_examples=200)
def test_a_tag_is_lost_exactly_when_it_leaves_no_mark(text):
    for dialect in DIALECTS.values():
        for place in set(text.tags):
            others = TaggedText(text.words, [other for other in text.tags if other != place])
            if place[1] in CONTOURS and any(same_end(text, place, other) for other in others.tags):
                continue  # both ask for one rise at one end
            if dialect.name == "higgs_v3" and place[1] in WORD_TAGS and place[1] in {tag for _, tag in others.tags}:
                continue  # one control tag may say both: tests/engines/test_higgs_v3.py
            silent = dialect.render(text) == dialect.render(others)
            assert silent == (place in dialect.lost(text))


def same_end(text, one, other):
    return one[1] is other[1] and text.phrase_end(one[0]) == text.phrase_end(other[0])


def test_contours_act_on_the_end_of_their_phrase():
    rising = '<prosody pitch="+30%">'
    assert body("If <pitch_rising> you ask, we come") == f"If you {rising}ask</prosody>, we come"
    assert body("If <pitch_rising> you <pitch_rising> ask, we come") == f"If you {rising}ask</prosody>, we come"
    assert body("We <pitch_falling> come").endswith('We <prosody pitch="-30%">come</prosody>')
    both = body("We <pitch_falling> can <emph> come")
    assert both.endswith(f'can <prosody pitch="-30%">{STRONG}come</emphasis></prosody>')


def test_the_last_full_stop_stays_inside():
    assert body("We <pitch_low> come.") == 'We <prosody pitch="-30%">come.</prosody>'
    assert body("We <pitch_low> come. <pause_long>").startswith('We <prosody pitch="-30%">come</prosody>.')


def test_prompted_keeps_the_tags_where_they_are():
    for source in ("We <emph> guarantee it <pause_long>", "<pitch_rising>", "Go"):
        assert DIALECTS["prompted"].render(TaggedText.parse(source)) == source


def test_each_tag_becomes_its_dose():
    assert body("We <emph> guarantee it") == f"We {STRONG}guarantee</emphasis> it"
    assert body("We <pitch_high> guarantee it") == 'We <prosody pitch="+30%">guarantee</prosody> it'
    assert body("We <pitch_low> guarantee it") == 'We <prosody pitch="-30%">guarantee</prosody> it'
    assert body("<pause_short> a").endswith('<break time="400ms"/> a')
    assert body("a <pause_long>").startswith('a <break time="1000ms"/>')
    assert set(DOSES) == set(TAGS) == set(ssml.expressible)


def test_tags_on_one_slot_compose_in_one_order():
    composed = f'<break time="400ms"/> <prosody pitch="+30%">{STRONG}word</emphasis></prosody> on'
    for order in ("<emph> <pitch_high> <pause_short>", "<pause_short> <emph> <pitch_high>"):
        assert body(f"a {order} word on").endswith(composed)


def test_a_repeated_tag_is_one_dose():
    assert body("a <emph> <emph> b") == body("a <emph> b")
    assert body("a <pause_short> <pause_short> b") == body("a <pause_short> b")


def test_punctuation_stays_outside_the_elements():
    assert body('he <emph> "said," then') == f'he "{STRONG}said</emphasis>," then'
    assert body("save <emph> 30%, now") == f"save {STRONG}30%</emphasis>, now"
    assert body("a <emph> — b") == f"a {STRONG}—</emphasis> b"  # nothing but punctuation: all of it inside


def test_a_full_stop_is_kept_from_the_markup_after_it():
    assert body("Yes. <emph> He did.") == f"Yes.\n{STRONG}He</emphasis> did."
    assert body("e.g. <emph> he did.") == f"e.g. {STRONG}he</emphasis> did."
    assert body("Yes. He did.") == "Yes. He did."


def test_tags_that_an_engine_realises_itself_are_not_lost():
    from types import SimpleNamespace

    from harness.engines.base import in_full, lost_tags

    text = TaggedText.parse("We <emph> guarantee <pause_long> savings <pitch_high>")
    plain = SimpleNamespace(dialect="ignore")
    own = SimpleNamespace(dialect="ignore", expressible={Tag.PAUSE_LONG, Tag.PITCH_HIGH})
    assert lost_tags(plain, text).keys() == {*text.tags}
    assert lost_tags(own, text) == {
        (1, Tag.EMPH): "the dialect has no such tag", (3, Tag.PITCH_HIGH): "no word follows the tag",
    }  # fmt: skip
    assert in_full(plain, text) == text.plain == in_full(own, text.stripped())
    assert text.format() in in_full(own, text)
    ssml = SimpleNamespace(dialect="ssml", expressible={Tag.PAUSE_LONG})
    assert in_full(ssml, text).startswith("<speak>") and in_full(ssml, text).endswith("</speak>")
    assert lost_tags(ssml, text) == {(3, Tag.PITCH_HIGH): "no word follows the tag"}
