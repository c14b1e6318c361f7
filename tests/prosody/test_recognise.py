import numpy as np
import pytest

from harness.audio import Audio
from harness.engines import SpeechRequest, make_engine
from harness.errors import DataError
from harness.prosody.listeners import load_listener
from harness.prosody.recognise import recognise, transcript, word_errors
from harness.records import WordTime
from harness.tagged import TaggedText


def test_word_errors():
    words = "we guarantee thirty percent".split()
    assert word_errors(words, words) == 0
    assert word_errors(words, "we can guarantee dirty percent".split()) == 2  # one too many, one wrong
    assert word_errors(words, []) == 4
    assert word_errors([], words) == 4
    assert word_errors(words, "a b c d e we guarantee thirty percent".split()) == 5


def test_a_transcript_has_no_punctuation():
    assert transcript("Today, they’ll save 30% — really!") == ["today", "they'll", "save", "30", "really"]


def test_words_of_a_clear_voice_are_heard():
    text = "My father is a doctor."
    audio = make_engine("hibari", dialect="ignore").speak(SpeechRequest(TaggedText.parse(text))).audio
    assert word_errors(transcript(text), recognise(audio)) <= 1
    assert recognise(audio, ["my", "father", "is", "a", "doctor", "dog", "mother"]) == transcript(text)


def test_nothing_is_heard_in_silence():
    assert recognise(Audio(np.zeros(24000, np.float32), 24000)) == []


def test_the_listener_compares_with_the_words_of_the_clip():
    listener = load_listener("heard_words")
    speech = make_engine("hibari", dialect="ignore").speak(SpeechRequest(TaggedText.parse("My father is a doctor.")))
    words = [WordTime(word=word, start=0, end=1) for word in ("My", "father", "is", "a", "doctor.")]
    assert listener.judge(speech.audio, words)[0] >= 0.8
    assert listener.judge(speech.audio, words[:1])[0] < 0  # four words more than there are
    with pytest.raises(DataError, match="no word"):
        listener.judge(speech.audio, [])
