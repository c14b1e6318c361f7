"""The plan: which lengths, silences and movements a text with tags asks for."""

import pytest

from harness.engines.control.plan import DOSES, Phone, Shape, lost_tags, make_plan, nucleus
from harness.tagged import TAGS, Tag, TaggedText

SOUNDS = {
    "We": "wi",
    "guarantee": "ɡˌɛɹəntˈi",
    "30%": "θˈɜːɾipɚsˈɛnt",
    "savings": "sˈeɪvɪŋz",
    "hmm": "hmm",
    "now,": "nˈaʊ",
}


def plan(text):
    text = TaggedText.parse(text)
    return make_plan(text, [Phone(at, sign) for at, word in enumerate(text.words) for sign in SOUNDS.get(word, "")])


def changed(made):
    """Symbols of the phones of each factor but 1."""
    found = {}
    for phone, factor in zip(made.phones, made.factors, strict=True):
        if factor != 1:
            found[factor] = found.get(factor, "") + phone.symbol
    return found


def test_emphasis_lengthens_the_stressed_syllable_most():
    made = plan("We <emph> guarantee savings")
    assert changed(made) == {1.15: "ɡˌɛɹə", 1.45: "ntˈi"}
    assert made.silence == {1: 0.06}
    accent, after = made.movements
    assert (accent.shape, accent.semitones, accent.decibels) == (Shape.ACCENT, 4, 4)
    assert (after.shape, after.semitones, after.word) == (Shape.AFTER, -1, 1)
    assert {phone.word for phone in made.phones[after.first : after.last + 1]} == {2}


@pytest.mark.parametrize(("text", "silence"), [
    ("<pause_short> We guarantee", {0: 0.4}),
    ("We guarantee <pause_long>", {2: 1.0}),
    ("We <pause_long> <emph> guarantee", {1: 1.0}),
    ("We <emph> <pause_short> guarantee", {1: 0.4}),
    ("<emph> We guarantee", {}),
])  # fmt: skip
def test_silence_at_each_slot(text, silence):
    assert plan(text).silence == silence


def test_levels_cover_the_word_and_add_to_an_accent():
    [high] = plan("We <pitch_high> guarantee savings").movements
    assert (high.shape, high.semitones, high.first, high.last) == (Shape.LEVEL, 4, 2, 10)
    assert [move.semitones for move in plan("We <pitch_low> <emph> guarantee").movements] == [-4, 4]


def test_glides_run_from_the_last_stressed_vowel_to_the_last_phone_that_carries_pitch():
    made = plan("We <pitch_falling> guarantee savings")
    [fall] = made.movements
    assert (fall.shape, fall.word, fall.semitones) == (Shape.FALL, 2, DOSES.fall)
    assert "".join(phone.symbol for phone in made.phones[fall.first : fall.last + 1]) == "ˈeɪvɪŋ"
    assert changed(made) == {1.4: "sˈeɪ"}
    [rise] = plan("We <pitch_rising> 30%").movements
    assert [phone.symbol for phone in plan("We 30%").phones[rise.first : rise.last + 1]] == ["ˈ", "ɛ", "n"]


def test_movements_stay_in_their_phrase():
    made = plan("We <emph> guarantee now, <pitch_rising> savings")
    after, rise = made.movements[1:]
    assert {phone.word for phone in made.phones[after.first : after.last + 1]} == {2}
    assert rise.word == 3
    assert plan("<pitch_rising> We <pause_short> guarantee").movements[0].word == 0, "a pause ends a phrase"


def test_a_word_without_a_vowel_is_all_nucleus():
    phones = [Phone(0, sign) for sign in "hmm"]
    assert nucleus(phones, [0, 1, 2], last=False) == ((0, 2), (0, 2))
    assert changed(plan("We <emph> hmm")) == {1.45: "hmm"}


@pytest.mark.parametrize(("word", "last", "syllable", "vowel"), [
    ("sˈeɪvɪŋz", False, "sˈeɪ", "ˈeɪ"),
    ("θˈɜːɾipɚsˈɛnt", False, "sˈɛnt", "ˈɛ"),  # two primary stresses: the last
    ("bənænə", False, "bə", "ə"),  # none marked
    ("bənænə", True, "nə", "ə"),
    ("stɹˈiːt", False, "tɹˈiːt", "ˈiː"),
    ("ˌʌndɚ", True, "ˌʌ", "ˌʌ"),
])  # fmt: skip
def test_the_nucleus_of_a_word(word, last, syllable, vowel):
    found = nucleus([Phone(0, sign) for sign in word], range(len(word)), last=last)
    assert tuple(word[start : end + 1] for start, end in found) == (syllable, vowel)


def test_a_tag_given_twice_acts_once():
    assert plan("We <emph> <emph> guarantee").movements == plan("We <emph> guarantee").movements
    assert len(plan("<pitch_rising> We <pitch_rising> guarantee").movements) == 1


@pytest.mark.parametrize(("text", "lost"), [
    ("We guarantee <emph>", {(2, Tag.EMPH): "no word follows the tag"}),
    ("We <emph> 東京 savings", {(1, Tag.EMPH): "the voice does not say the word '東京'"}),
    ("We <pitch_low> <pitch_high> guarantee",
     {(1, Tag.PITCH_LOW): "<pitch_high> in the same place asks for the opposite"}),
    ("<pitch_rising> We <pitch_falling> guarantee",
     {(0, Tag.PITCH_RISING): "<pitch_falling> in the same place asks for the opposite"}),
    ("We <pause_long> <pause_short> guarantee",
     {(1, Tag.PAUSE_LONG): "<pause_short> in the same place asks for the opposite"}),
    ("We <pause_long> 東京", {}),
    ("We guarantee <pitch_rising>", {}),
])  # fmt: skip
def test_what_is_lost_and_why(text, lost):
    made = plan(text)
    assert made.lost == lost
    acting = {move.tag for move in made.movements} | ({Tag.PAUSE_SHORT} if 0.4 in made.silence.values() else set())
    assert not acting & {tag for _, tag in lost}


def test_a_text_without_words_loses_what_needs_one():
    text = TaggedText([], [(0, tag) for tag in TAGS if tag is not Tag.PAUSE_LONG and tag is not Tag.PITCH_LOW])
    assert set(lost_tags(text, ())) >= {(0, Tag.EMPH), (0, Tag.PITCH_HIGH), (0, Tag.PITCH_FALLING)}
