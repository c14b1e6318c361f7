import pickle
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.errors import TagError
from harness.tagged import TAGS, Tag, TaggedText, retag

characters = st.one_of(
    st.sampled_from(
        [
            "<",
            ">",
            "\\",
            "emph",
            "pause_short",
            "<emph>",
            "</emph>",
            "<x>",
            "_",
            "é",
            "a",
            "30%",
            "😀",
            "/",
            "[",
            "]",
            "pause",
            "<break",
            'time="1s"/>',
            "<!--",
            "-->",
            "<|",
            "|>",
            "<|pause|>",
            "[pause]",
            "[pause",
            "0.5s]",
            "{",
            "}",
            "=",
            '"',
            "<emph",
            "long",
        ]
    ),
    st.characters(exclude_categories=["Cs"]).filter(lambda c: not c.isspace()),
)
words = st.lists(characters, min_size=1, max_size=5).map("".join).filter(lambda w: w.split() == [w])


@st.composite
def tagged_texts(draw):
    chosen = draw(st.lists(words, max_size=8))
    slots = st.tuples(st.integers(0, len(chosen)), st.sampled_from(TAGS))
    return TaggedText(chosen, draw(st.lists(slots, max_size=6)))


def squeeze(text):
    return "".join(text.split())


@given(tagged_texts())
@example(TaggedText(["\\<emph>"], [(0, Tag.EMPH)]))
@example(TaggedText(["<<emph>>", "\\"], [(2, Tag.EMPH), (2, Tag.EMPH)]))
@settings(max_examples=200)
def test_parse_undoes_format(text):
    assert TaggedText.parse(text.format()) == text


@given(
    st.lists(st.one_of(words, st.sampled_from([t.value for t in TAGS])), max_size=8),
    st.sampled_from(["", " ", "\n\t", "\u00a0", " \n  "]),
)
@settings(max_examples=200)
def test_format_undoes_parse_up_to_white_space(parts, gap):
    source = gap.join(parts)
    try:
        parsed = TaggedText.parse(source)
    except TagError:
        return
    assert squeeze(parsed.format()) == squeeze(source)


def test_the_running_example():
    text = TaggedText.parse("We <emph> guarantee 30% savings")
    assert text.words == ("We", "guarantee", "30%", "savings")
    assert text.tags == ((1, Tag.EMPH),)
    assert text.plain == "We guarantee 30% savings"


def test_tags_may_touch_a_word_on_one_side_only():
    assert TaggedText.parse("<emph>guarantee<pause_long> it").tags == ((0, Tag.EMPH), (1, Tag.PAUSE_LONG))
    with pytest.raises(TagError, match="inside a word"):
        TaggedText.parse("guar<emph>antee")


MARKUP = {
    "<emphasis>": "emph", "</emph>": "emph", "<EMPH>": "emph", "<pause-short>": "pause_short", "<pause/>": "pause_short", "<été>": None,
    "<pause short>": "pause_short", "<long pause>": "pause_long", "< emph>": "emph", "<emph >": "emph", "< emph >": "emph",
    "</ emph>": "emph", "< /pitch_high >": "pitch_high", '<break time="1s"/>': "pause_long", "<break time='300ms' />": "pause_short",
    '<break strength="x-strong"/>': "pause_long", "<break time=1s>": "pause_long", "<pause=0.5s>": "pause_short",
    '<mark name="x"/>': None, "<mark>": None, '<prosody pitch="+10%">': "pitch_high", '<prosody pitch="low">': "pitch_low",
    '<say-as interpret-as="date">': None, '<amazon:effect name="whispered">': None, "<amazon:breath/>": None, "<br />": None,
    "<sighs deeply>": None, "<laugh >": None, "<!-- -->": None, "<?xml ?>": None, '<?xml version="1.0"?>': None, "<!DOCTYPE html>": None,
    "<![CDATA[ x ]]>": None, '<break time="1s"': "pause_long", "<emph": "emph", "<1s pause>": "pause_long", "<emhp>": "emph",
    "<strong>": "emph", "<pitch_hihg>": "pitch_high", "<loud>": None,
    "[pause]": "pause_short", "[Pause]": "pause_short", "[emph]": "emph", "[short pause]": "pause_short", "[long pause]": "pause_long",
    "[pause 0.5s]": "pause_short", "[pause: 1.5 seconds]": "pause_long", "[800ms pause]": "pause_long", "[/emph]": "emph",
    "[rising pitch]": "pitch_rising", "[pause_shrt]": "pause_short", "[break]": "pause_short", "{pause}": "pause_short",
    "<|prosody:pause|>": "pause_short", "<|pause|>": "pause_short", "<|prosody:long_pause|>": "pause_long",
    "<|prosody:pitch_low|>": "pitch_low", "<|emotion:elation|>": None, "<| pause |>": "pause_short", "<|eot_id|>": None,
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "meant"), MARKUP.items())
@pytest.mark.parametrize("around", ["We say\nthat {} this", "We say\nthat {}", "We say\n(and){}this"])
def test_markup_is_refused_with_its_place_and_the_tag_that_was_meant(wrong, meant, around):
    if "}this" in around and wrong == "<emph":
        return  # "<emphthis"
    with pytest.raises(TagError) as caught:
        TaggedText.parse(around.format(wrong))
    assert caught.value.line == 2
    assert around.format(wrong).splitlines()[1][caught.value.column - 1 :].startswith(wrong.split()[0])
    assert (re.findall("did you mean <(.*?)>", str(caught.value)) or [None]) == [meant]


@pytest.mark.parametrize("wrong", MARKUP)
def test_escaped_markup_is_text(wrong):
    text = TaggedText.parse(f"We say \\{wrong} twice")
    assert text.plain == f"We say {wrong} twice" and TaggedText.parse(text.format()) == text
    assert text.format() == f"We say \\{wrong} twice"


def test_markup_of_any_length_makes_a_short_error_in_linear_time():
    for piece in (
        "<break " + "1" * 200_000 + "x>",
        "[pause " + "1" * 200_000,
        "[" * 200_000,
        "<b " * 100_000,
        "<a x=" * 50_000,
    ):
        try:
            TaggedText.parse(piece)
        except TagError as error:
            assert len(str(error)) < 400


def test_a_tag_placed_inside_escaped_markup_keeps_the_words():
    text = TaggedText.parse(r"say \<break  time='1s'/> now")
    tagged = TaggedText(text.words, [(2, Tag.EMPH)])
    assert TaggedText.parse(retag(r"say \<break  time='1s'/> now", tagged)) == tagged


@pytest.mark.parametrize("wrong", ["<emphasis>", "</emph>", "<EMPH>", "<pause-short>", "<pause/>", "<été>"])
def test_an_unknown_tag_names_line_and_column(wrong):
    with pytest.raises(TagError) as caught:
        TaggedText.parse(f"We say\nthat {wrong} this")
    assert (caught.value.line, caught.value.column) == (2, 6)
    assert wrong in str(caught.value) and "<pause_long>" in str(caught.value)


@pytest.mark.parametrize("plain", ["a < b > c", "1<2", "<3 you", "x<-y", "\\<", "a\\b", "a < b", "<3", "x<y", "x <= y",
                                   "x < y > z", "if a<b and c>d", "a < big > c", "a <- b -> c", "<>", "< >", "-->",
                                   "Bob <bob@example.com>", "<https://example.com/a>", "a <| b |> c", "[1]", "[sic]", "[laughs]", "{x}",
                                   "[emphasis added]", "the [long] way", "[a pause]", "[]", "[[1], [2]]", "x[i] < y[j]",
                                   "under <10 in winter and >30 in summer"])  # fmt: skip
def test_what_is_not_shaped_like_a_tag_is_text(plain):
    assert TaggedText.parse(plain).plain == plain
    assert TaggedText.parse(plain).format() == plain


def test_an_escaped_tag_is_a_word():
    assert TaggedText.parse(r"say \<emph> and \<b>").words == ("say", "<emph>", "and", "<b>")
    assert TaggedText.from_plain("say <emph>").format() == r"say \<emph>"


def test_a_tag_may_close_the_text_and_slots_keep_their_order():
    text = TaggedText.parse("Now? <pause_long> <pitch_high> <pause_long>")
    assert [slot for slot, _ in text.tags] == [1, 1, 1]
    assert text.slots(Tag.PAUSE_LONG) == (1,)
    assert TaggedText.parse("").tags == ()


def test_words_and_slots_are_checked():
    for bad in ([""], ["two words"], ["tab\t"]):
        with pytest.raises(TagError, match="not a word"):
            TaggedText(bad)
    with pytest.raises(TagError, match="slots 0 to 1"):
        TaggedText(["one"], [(2, Tag.EMPH)])


def test_the_phrase_of_a_contour_ends_at_punctuation_or_a_pause():
    text = TaggedText.parse("If you sign today, we <pause_short> pay the fee.")
    assert text.phrase_end(0) == 3
    assert text.phrase_end(4) == 4
    assert text.phrase_end(5) == 7
    assert text.phrase_end(8) == 7
    assert TaggedText.parse("no end here").phrase_end(1) == 2
    assert TaggedText([]).phrase_end(0) == -1


def test_the_phrases_of_a_long_text_take_linear_time():
    text = TaggedText(
        ["word"] * 20_000, [(slot, Tag.PITCH_RISING) for slot in range(20_000)] + [(10_000, Tag.PAUSE_LONG)]
    )
    begun = time.process_time()
    assert {text.phrase_end(slot) for slot, _ in text.tags} == {9_999, 19_999}
    assert time.process_time() - begun < 2


def test_tags_go_into_the_source_and_leave_its_white_space():
    source = "\tWe  guarantee 30% \\\\<b> "
    text = TaggedText(TaggedText.parse(source).words, [(0, Tag.PAUSE_LONG), (1, Tag.EMPH), (4, Tag.PAUSE_SHORT)])
    assert retag(source, text) == "\t<pause_long> We  <emph> guarantee 30% \\\\<b> <pause_short> "
    assert TaggedText.parse(retag(source, text)) == text
    assert retag("We <emph>  go", TaggedText(["We", "go"], [(0, Tag.EMPH)])) == "<emph> We go"


def test_errors_survive_a_worker_process():
    error = TagError("wrong", path="a.jsonl", line=3, column=4, remedy="fix it")
    assert str(pickle.loads(pickle.dumps(error))) == "a.jsonl:3:4: wrong (fix it)"


def test_long_runs_take_linear_time():
    """No character starts a search through the rest, and no tag copies all tags before it."""
    runs = TaggedText.parse("\\" * 200_000 + " " + "<" * 200_000 + " " + r"\<emph>" * 20_000)
    assert [len(word) for word in runs.words] == [200_000, 200_000, 120_000]
    crowded = TaggedText(["a"], [(0, Tag.EMPH)] * 200_000)
    assert len(crowded.by_slot()[0]) == 200_000
