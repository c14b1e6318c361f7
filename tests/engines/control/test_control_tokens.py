"""The phones of a voice: whose they are, and how a plan changes them."""

import pytest

from harness.engines.control.plan import make_plan
from harness.engines.control.tokens import arrange, chunks_of, owners_of, phones_of
from harness.tagged import TaggedText


@pytest.mark.parametrize(("whole", "alone", "owners"), [
    ("ðə kˈæt.", ["ðˈiː", "kˈæt"], "00-1111-"),
    ("ʌvðə kˈæt", ["ˈʌv", "ðˈə", "kˈæt"], "0011-2222"),  # espeak joins "of the"
    ("θˈɜːɾi pɚsˈɛnt ˈʌp", ["θˈɜːɾipɚsˈɛnt", "ˈʌp"], "000000-0000000-111"),  # "30%"
    ("wi ɡˈoʊ", ["wˈiː", "", "ɡˈoʊ"], "00-2222"),  # a word that is not spoken
    ("", ["a"], ""),
    ("ab", ["", ""], "--"),
])  # fmt: skip
def test_each_phone_belongs_to_a_word(whole, alone, owners):
    assert owners_of(list(whole), alone) == [-1 if sign == "-" else int(sign) for sign in owners]


def test_the_words_of_a_long_text_are_found_at_once():
    words = ["kˈæt", "dˈɔɡ", "bˈɜːd"] * 200
    owners = owners_of(list(" ".join(words)), words)
    assert [owner for owner in owners if owner >= 0] == [at for at, word in enumerate(words) for _ in word]


def arranged(text, *sentences):
    text = TaggedText.parse(text)
    chunks = chunks_of([list(sentence) for sentence in sentences], [list(word.strip(",.")) for word in text.words])
    return arrange(make_plan(text, phones_of(chunks)), chunks, 0.15), chunks


def test_a_pause_lengthens_the_punctuation_that_is_there():
    remaining, [chunk] = arranged("ab, <pause_short> cd.", "ab, cd.")
    assert "".join(chunk.tokens) == "ab, cd." and not remaining
    assert dict(zip(chunk.tokens, chunk.extra, strict=True)) == dict.fromkeys("ab cd.", 0.0) | {",": 0.4}


def test_a_pause_elsewhere_gets_a_comma_less_the_gap_that_it_makes():
    _, [chunk] = arranged("ab <pause_long> cd.", "ab cd.")
    assert "".join(chunk.tokens) == "ab, cd." and chunk.extra[2] == pytest.approx(0.85)


def test_pauses_between_chunks_and_at_both_ends_are_left_for_the_signal():
    remaining, chunks = arranged("<pause_short> ab. <pause_long> cd. <pause_short>", "ab.", "cd.")
    assert remaining == {0: 0.4, 1: 1.0, 2: 0.4}
    assert not any(chunk.changed for chunk in chunks)


def test_the_gap_before_an_emphasised_word_lengthens_the_space():
    remaining, [chunk] = arranged("ab <emph> cd.", "ab cd.")
    assert "".join(chunk.tokens) == "ab cd." and chunk.extra == [0, 0, 0.06, 0, 0, 0] and not remaining


def test_a_rise_at_the_end_of_a_sentence_ends_in_a_question_mark():
    assert [chunk.tokens[-1] for chunk in arranged("<pitch_rising> ab. cd.", "ab.", "cd.")[1]] == ["?", "."]
    assert arranged("<pitch_falling> ab?", "ab?")[1][0].tokens[-1] == "?"


def test_an_emphasised_word_without_stress_gets_a_mark_of_it():
    assert ["".join(chunk.tokens) for chunk in arranged("ab <emph> cad.", "ab cad.")[1]] == ["ab cˈad."]
    assert ["".join(chunk.tokens) for chunk in arranged("ab <emph> cˈad.", "ab cˈad.")[1]] == ["ab cˈad."]
