"""SSML and control tags of Higgs as input: sizes, places, and errors with line and column."""

import pytest

from harness.engines.control.plan import Phone, Shape, make_plan
from harness.engines.control.targets import Passage, Targets, add_targets
from harness.engines.inputs import read_input
from harness.errors import TagError
from harness.tagged import Tag, TaggedText


def test_ssml_gives_words_silence_and_passages():
    text, targets = read_input(
        '<speak version="1.1" xml:lang="en-US">We<break/>go, <emphasis level="strong">yes</emphasis>.'
        ' <prosody pitch="+100%" rate="80%" volume="-6dB">Now <emphasis>or</emphasis> never</prosody>! &amp; on</speak>', "ssml"
    )  # fmt: skip
    assert text.words == ("We", "go,", "yes.", "Now", "or", "never!", "&", "on") and not text.tags
    assert targets.silence == {1: 0.75} and not targets.lost
    strong, passage, moderate = targets.passages
    assert strong == Passage(2, 2, emphasis=1.0) and moderate == Passage(4, 4, emphasis=0.5)
    assert passage == Passage(3, 5, semitones=12.0, decibels=-6.0, rate=0.8)


@pytest.mark.parametrize(
    ("markup", "silence"),
    [
        ('a <break time="250ms"/> b', {1: 0.25}),
        ('a <break time="1.5s"/><break time=".5s"/> b', {1: 2.0}),
        ('a <break strength="none"/> b', {}),
        ('a <break strength="weak" time="100ms"/> b', {1: 0.1}),  # the time counts
        ("yes<break/>. <break/>No", {1: 1.5}),  # a full stop belongs to its word
        ('<break time="1s"/>a b<break time="2s"/>', {0: 1.0, 2: 2.0}),
        ("<p><s>One.</s><s>Two.</s></p>", {}),
    ],
)
def test_breaks(markup, silence):
    assert read_input(markup, "ssml")[1].silence == pytest.approx(silence)


def test_prosody_values_are_those_of_ssml():
    def passage(attribute, value):
        return read_input(f'<prosody {attribute}="{value}">a</prosody>', "ssml")[1].passages[0]

    assert passage("pitch", "+2st").semitones == 2 and passage("pitch", "-50%").semitones == -12
    assert passage("pitch", "medium").semitones == 0 and passage("pitch", "x-low").semitones == pytest.approx(
        -6.17, abs=0.01
    )
    assert passage("rate", "x-slow").rate == 0.6 and passage("rate", "200%").rate == 2
    assert passage("volume", "+3.5dB").decibels == 3.5 and passage("volume", "silent").decibels == -60
    assert passage("volume", "loud").decibels == pytest.approx(3.52, abs=0.01)


@pytest.mark.parametrize(
    ("markup", "place", "message"),
    [
        ('We <break time="-1s"/> go', (1, 4), 'time="-1s" of <break> is not valid'),
        ('We <break time="1"/> go', (1, 4), "not valid"),
        ('We\n <break time="99s"/> go', (2, 2), "at most 20s"),
        ("We <emphasis>go", (1, 4), "<emphasis> is not closed"),
        ("<speak>We <emphasis>go</speak>", (1, 11), "<emphasis> is not closed"),
        ("We go</emphasis>", (1, 8), "closes nothing"),
        ('We\n  <voice name="x">go</voice>', (2, 3), "<voice> is not supported"),
        ('<prosody range="high">a</prosody>', (1, 1), "'range' of <prosody> is not supported"),
        ("<prosody>a</prosody>", (1, 1), "without an attribute"),
        ('<prosody pitch="120Hz">a</prosody>', (1, 1), "Hz cannot be done"),
        ('<prosody rate="-10%">a</prosody>', (1, 1), "not valid"),
        ('<emphasis level="very">a</emphasis>', (1, 1), "strong, moderate, none, reduced"),
        ("un<emphasis>believ</emphasis>able", (1, 3), "inside the word 'unbelievable'"),
        ("<break>text</break>", (1, 1), "with text in it"),
        ("salt & pepper", (1, 7), "not well-formed XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><speak>&b;</speak>', (1, 13), "a document type or entity is declared"),
        ("a <emph> b", (1, 3), "<emph> is not supported"),
        ('<break time="20s"/>' * 31, (None, None), "add up to 620 s"),
    ],
)
def test_wrong_ssml_is_one_error_with_its_place(markup, place, message):
    with pytest.raises(TagError) as caught:
        read_input(markup, "ssml")
    assert message in str(caught.value) and (caught.value.line, caught.value.column) == place


def test_an_element_without_a_word_is_reported():
    assert read_input("<emphasis> </emphasis>a", "ssml")[1].lost == (
        "<emphasis> in line 1, column 1 (no word is inside it)",
    )


def test_control_tags_of_higgs_have_the_sizes_that_are_published():
    text, targets = read_input(
        "<|prosody:pitch_low|><|prosody:speed_slow|>One two. <|prosody:pause|> Three<|prosody:long_pause|>four."
        " <|emotion:pride|>Five. <|prosody:pitch_high|>", "higgs_v3"
    )  # fmt: skip
    assert text.words == ("One", "two.", "Three", "four.", "Five.")
    assert targets.silence == {2: 0.55, 3: 1.1}
    assert [*targets.passages] == [Passage(0, 1, semitones=-3.0), Passage(0, 1, rate=0.85)]
    assert ["no size" in targets.lost[0], "no word follows" in targets.lost[1]] == [True, True]


@pytest.mark.parametrize(
    ("markup", "place", "message"),
    [
        ("Go\n<|prosody:pauze|> on", (2, 1), "did you mean <|prosody:pause|>?"),
        ("Go <|prosody:pause on", (1, 4), "is not closed"),
        ("Go <emph> on", (1, 4), "not a control tag of Higgs v3"),
        ('Go <break time="1s"/> on', (1, 4), "unknown tag"),
    ],
)
def test_wrong_control_tags_are_one_error_with_its_place(markup, place, message):
    with pytest.raises(TagError) as caught:
        read_input(markup, "higgs_v3")
    assert message in str(caught.value) and (caught.value.line, caught.value.column) == place


def test_targets_are_added_to_a_plan():
    text = TaggedText(["We", "go", "now"], [(1, Tag.EMPH)])
    phones = [Phone(0, "w"), Phone(0, "i"), Phone(1, "ɡ"), Phone(1, "o"), Phone(2, "n"), Phone(2, "a")]
    targets = Targets({1: 0.5}, [Passage(0, 1, semitones=2.0, decibels=3.0, rate=2.0), Passage(2, 2, emphasis=0.5)])
    plain, plan = make_plan(text, phones), add_targets(make_plan(text, phones), targets)
    assert plan.silence == {1: pytest.approx(plain.silence[1] + 0.5)}
    assert plan.factors[:4] == pytest.approx([0.5, 0.5, 1.45 / 2, 1.45 / 2])
    assert plan.factors[4:] == pytest.approx([1.45**0.5] * 2)
    level, accent = plan.movements[-2:]
    assert (level.shape, level.first, level.last, level.semitones, level.decibels) == (Shape.LEVEL, 0, 3, 2.0, 3.0)
    assert (accent.shape, accent.word, accent.semitones) == (Shape.ACCENT, 2, 2.0)
    slow = add_targets(make_plan(text, phones), Targets({}, [Passage(0, 2, rate=0.3)] * 9))
    assert set(slow.factors) == {4.0}, "passages in passages do not last for hours"
    assert add_targets(make_plan(text, phones[:4]), Targets({}, [Passage(2, 2, rate=2)])).factors == plain.factors[:4]
