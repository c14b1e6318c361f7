"""Pronunciations: the dictionary first, espeak for the rest."""

import pytest

from harness.prosody.pronounce import MAX_PRONUNCIATIONS, _dictionary, from_ipa, pronounce

pytest.importorskip("pocketsphinx")
pytest.importorskip("espeakng_loader")


def spoken(word):
    return [" ".join(phones) for phones in pronounce(word)]


@pytest.mark.parametrize("word", ["hello", "Hello,", "“Hello!”", "'hello'", "(HELLO)"])
def test_punctuation_and_case_do_not_matter(word):
    assert "HH AH L OW" in spoken(word)


@pytest.mark.parametrize("word", ["-", "—", "...", "", "?!", "“”", "''"])
def test_tokens_without_sound_have_no_pronunciation(word):
    assert pronounce(word) == ()


def test_the_dictionary_comes_before_espeak_and_gives_all_its_variants():
    assert spoken("read") == ["R EH D", "R IY D"]
    assert spoken("don’t")[0] == "D OW N T"
    assert spoken("'em") == ["AH M"]


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("harbouring", "HH AA R B ER R IH NG"),
        ("30%", "TH ER T IY P ER S EH N T"),
        ("$49", "F AO R T IY N AY N D AA L ER Z"),
        ("$49", "D AA L ER F AO R T IY N AY N"),  # as espeak says it
        ("2024", "T W EH N T IY T W EH N T IY F AO R"),
        ("well-known", "W EH L N OW N"),
        ("and/or", "AE N D S L AE SH AO R"),
        ("U.S.", "Y UW EH S"),
        ("US", "Y UW EH S"),
        ("us", "AH S"),
        ("-5", "M AY N AH S F AY V"),
    ],
)
def test_words_that_need_more_than_the_dictionary(word, phones):
    assert phones in spoken(word)


def test_only_capitals_are_spelled_out():
    assert "AY T IY" in spoken("IT") and "AY T IY" not in spoken("it")


@pytest.mark.parametrize(
    "word", "Nguyen Kubernetes croissant über Schadenfreude 1,234.5 3rd 7:30 a@b.com Zoë’s 你好 C++".split()
)
def test_every_pronunciation_is_in_the_phone_set_of_the_model(word):
    known = {phone for entry in _dictionary().values() for phones in entry for phone in phones}
    pronunciations = pronounce(word)
    assert pronunciations and all(phones and set(phones) <= known for phones in pronunciations)


def test_alternatives_are_bounded_and_distinct():
    found = pronounce("the-a-the-a-the-read")
    assert 1 < len(found) <= MAX_PRONUNCIATIONS and len(set(found)) == len(found)


def test_ipa_takes_the_longest_symbol():
    assert from_ipa("tʃˈɜːtʃ") == ("CH", "ER", "CH")
    assert from_ipa("dʒˈɔɪ") == ("JH", "OY")
    assert from_ipa("bˈʌʔn̩") == ("B", "AH", "T", "AH", "N")
    assert from_ipa("ˈ ː") == ()
