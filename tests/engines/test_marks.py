"""Markdown marks and emoji are not read aloud, and every word keeps its place."""

import numpy as np
import pytest
from helpers import command

from harness.engines import SpeechRequest, make_engine
from harness.engines.marks import spoken
from harness.tagged import TaggedText


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("This is *really* good news", "This is really good news"),
        ("This is **really good**, he said", "This is really good, he said"),
        ('He said "**stop!**" and left', 'He said "stop!" and left'),
        ("It is ***very*** late.", "It is very late."),
        ("It is ~~not~~ true", "It is not true"),
        ("# Heading one", "Heading one"),
        ("- bullet one", "bullet one"),
        ("* bullet one", "bullet one"),
        ("> He left", "He left"),
        ("We launch 🚀 the product", "We launch the product"),
        ("Great job 👍🏽 everyone 👨‍👩‍👧!", "Great job everyone"),
        ("I ❤️ it 🇩🇪 so much😀", "I it so much"),
        ("Yes ✓ done", "Yes done"),
    ],
)
def test_marks_are_left_out(written, read):
    assert spoken(TaggedText.parse(written))[0].plain == read


@pytest.mark.parametrize(
    "text",
    [
        "Two * three is 6", "2 * 3 is 6", "5*3 is 15", "It costs ~ fifty", "C# and F# code", "from home → office", "© 2024 ™",
        "pick # 1 now", "well - no — yes", "SPEAKER 1: Hello", "M*A*S*H", "+ ❶ x", "+ 5 it is", "- 5 degrees", "# 1 choice",
        "🚀", "*", "x² ½ 40–60°C − 5",
    ],
)  # fmt: skip
def test_other_signs_are_read_as_written(text):
    expected = {"Two * three is 6": "Two three is 6"}.get(text, text)
    assert spoken(TaggedText.parse(text))[0].plain == expected


def test_tags_stay_before_their_word():
    text = TaggedText.parse("<emph> 🚀 We <pause_short> * <pitch_high> *guarantee* it <pause_long>")
    left, kept = spoken(text)
    assert left.format() == "<emph> We <pause_short> <pitch_high> guarantee it <pause_long>"
    assert [text.words[index] for index in kept] == ["We", "*guarantee*", "it"]


@pytest.mark.parametrize("name", ["espeak", "piper", "hibari"])
def test_the_voices_speak_the_same_with_and_without_marks(name):
    engine = make_engine(name)
    marked, plain = (
        engine.speak(SpeechRequest(TaggedText.parse(text), None, 0))
        for text in ("We *really* launch 🚀 it", "We really launch it")
    )
    assert np.array_equal(marked.audio.samples, plain.audio.samples)
    if marked.words:
        assert [word.word for word in marked.words] == ["We", "*really*", "launch", "🚀", "it"]
        times = [(word.start, word.end) for word in marked.words if word.word != "🚀"]
        wanted = [(word.start, word.end) for word in plain.words]
        assert [start for start, _ in times] == pytest.approx([start for start, _ in wanted], abs=0.001)


@pytest.mark.parametrize("text", ["-5 degrees tonight", "-5", "-.5", "- bullet one", "--- or not", "--out of here"])
def test_a_text_may_begin_with_a_dash(tmp_path, text):
    for arguments in (("say", text, "-o", tmp_path / "a.wav"), ("say", "-o", tmp_path / "b.wav", text, "--seed", "-3")):
        done = command(*arguments)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_a_wrong_option_is_still_an_error(tmp_path):
    for wrong in ("--voise", "-x", "--voise=a b"):
        done = command("say", "hello", wrong, "-o", tmp_path / "a.wav")
        assert done.returncode == 2 and b"No such option" in done.stderr
