import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engines import higgs_v3
from harness.engines.dialects import DIALECTS
from harness.tagged import PAUSES, TAGS, Tag, TaggedText

V3 = DIALECTS["higgs_v3"]
# PROMPTING.md of bosonai/higgs-tts-3-4b: its ten tags of prosody.
KNOWN = {f"<|prosody:{name}|>" for name in (
    "speed_very_slow", "speed_slow", "speed_fast", "speed_very_fast", "pitch_low", "pitch_high", "pause", "long_pause",
    "expressive_high", "expressive_low")}  # fmt: skip
words = st.lists(st.sampled_from(["so", "here,", "it", "is.", "Yes!", '"no?"', "30%"]), max_size=8)


@st.composite
def texts(draw):
    chosen = draw(words)
    slots = st.tuples(st.integers(0, len(chosen)), st.sampled_from(TAGS))
    return TaggedText(chosen, draw(st.lists(slots, max_size=6)))


def render(text):
    return V3.render(TaggedText.parse(text))


def lost(text):
    return [(slot, tag.bare) for slot, tag in V3.lost(TaggedText.parse(text))]


def read_back(rendered):
    """What a rendered text says: its words, the pauses by slot, and the pitch level of each word."""
    found, pauses, levels, level = [], [], [], None
    for piece in rendered.split():
        for control in re.findall(r"<\|prosody:(\w+)\|>", piece):
            if control in ("pause", "long_pause"):
                pauses.append((len(found), Tag.PAUSE_SHORT if control == "pause" else Tag.PAUSE_LONG))
            else:
                level = control
        if word := re.sub(r"<\|[^|]*\|>", "", piece):
            found.append(word)
            levels.append(level)
            level = None if word.rstrip('"')[-1] in ".!?" else level
    return found, pauses, levels


def test_tags_are_written_as_documented():
    assert render("We <pause_short> guarantee <pause_long> it") == (
        "We <|prosody:pause|> guarantee <|prosody:long_pause|> it"
    )
    assert render("We said so. You <pitch_low> agreed. Fine.") == "We said so. <|prosody:pitch_low|>You agreed. Fine."
    assert render("<pause_short> <pitch_high> Go") == "<|prosody:pause|> <|prosody:pitch_high|>Go"
    assert set(higgs_v3.CONTROL_TAGS.values()) <= KNOWN


def test_what_has_no_control_tag_is_lost_and_leaves_no_trace():
    for tag in ("emph", "pitch_rising", "pitch_falling"):
        assert render(f"We <{tag}> guarantee it.") == "We guarantee it."
        assert lost(f"We <{tag}> guarantee it.") == [(1, tag)]
    assert lost("We guarantee <pause_long> it <pause_short>") == []


def test_a_sentence_has_one_pitch_level():
    twice = "We <pitch_high> may <pitch_high> go. You <pitch_low> stay."
    assert render(twice) == "<|prosody:pitch_high|>We may go. <|prosody:pitch_low|>You stay." and not lost(twice)
    torn = "We <pitch_high> may <pitch_low> go."
    assert render(torn) == "<|prosody:pitch_high|>We may go." and lost(torn) == [(2, "pitch_low")]
    assert lost("We go. <pitch_high>") == [(2, "pitch_high")]  # no word follows


def test_a_sentence_does_not_end_with_an_abbreviation():
    assert render("Go. Dr. <pitch_high> Smith waits.") == "Go. <|prosody:pitch_high|>Dr. Smith waits."


def test_a_text_gives_no_orders():
    assert V3.render(TaggedText.from_plain("say <|emotion:anger|> now")) == "say < |emotion:anger|> now"


@pytest.mark.parametrize("tag", TAGS)
def test_the_loss_table_agrees_with_what_is_lost(tag):
    text = TaggedText(["one", "two"], [(1, tag)])
    assert (V3.lost(text) == [(1, tag)]) == (higgs_v3.reach(tag) == "lost")


@given(texts())
@settings(max_examples=300)
def test_what_is_not_lost_can_be_read_back(text):
    found, pauses, levels = read_back(V3.render(text))
    gone = set(V3.lost(text))
    assert tuple(found) == text.words
    assert sorted(pauses) == sorted({place for place in text.tags if place[1] in PAUSES})
    kept = [
        (slot, tag) for slot, tag in text.tags if tag in (Tag.PITCH_HIGH, Tag.PITCH_LOW) and (slot, tag) not in gone
    ]
    for slot, tag in kept:
        assert levels[slot] == tag.bare
    assert (set(levels) - {None} != set()) == bool(kept)
